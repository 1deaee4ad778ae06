"""A folder of images as one uncompressed archive, made as it is sent: the same bytes each time."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tuner.errors import TunerError, invalid
from tuner.spec.roots import IMAGES


@dataclass(frozen=True)
class Packed:
    """A folder's files, in the order of their names.

    Attributes:
        folder: The folder.
        files: Their names within it, "cats/1.png".
        field: The field of the spec that names the folder, for what is wrong with it.
    """

    folder: Path
    files: tuple[str, ...]
    field: str = "dataset"

    def chunks(self, size: int) -> Iterator[bytes]:
        """Yields the archive, at most so many bytes at once.

        It holds names and content alone: no times, owners or rights, so that the same files
        are the same archive.

        Raises:
            TunerError: INVALID_ARGUMENT, for the folder's field: a file can't be read, or changes.
        """
        for name in self.files:
            file = self.folder / name
            try:
                with file.open("rb") as stream:
                    left = os.fstat(stream.fileno()).st_size
                    pad = -left % tarfile.BLOCKSIZE
                    info = tarfile.TarInfo(name)
                    info.size = left
                    yield info.tobuf(tarfile.PAX_FORMAT)
                    while left:
                        chunk = stream.read(min(size, left))
                        if not chunk:
                            raise self._bad(f"{file} has become shorter while it was read")
                        left -= len(chunk)
                        yield chunk
            except OSError as error:
                raise self._bad(f"{file} can't be read: {error.strerror}") from error
            yield bytes(pad)
        yield bytes(2 * tarfile.BLOCKSIZE)

    def _bad(self, problem: str) -> TunerError:
        reason = {"dataset": "BAD_DATASET", "code": "BAD_CODE"}.get(self.field, "BAD_MODEL")
        return invalid(self.field, problem, reason)


def packed(folder: Path) -> Packed:
    """Returns the folder's images; hidden files don't count.

    Raises:
        TunerError: INVALID_ARGUMENT, field `dataset`: there is none, or something else.
    """
    files = tuple(sorted(_walked(folder, "")))
    if not files:
        raise _bad(f"{folder} holds no images; put PNG and JPEG files there, a folder a class")
    return Packed(folder, files)


def _walked(folder: Path, above: str) -> Iterator[str]:
    with os.scandir(folder) as scanned:
        entries = [entry for entry in scanned if not entry.name.startswith(".")]
    for entry in entries:
        name = f"{above}{entry.name}"
        if entry.is_dir(follow_symlinks=False):
            yield from _walked(folder / entry.name, f"{name}/")
        elif not entry.is_file():
            raise _bad(f"{entry.path} is neither a file nor a folder; leave it out")
        elif not name.lower().endswith(IMAGES):
            raise _bad(f"{entry.path} is none of {', '.join(IMAGES)}; leave it out")
        elif not above:
            raise _bad(f"{entry.path} belongs to no class; put it in a folder named like its class")
        else:
            yield name


def _bad(problem: str) -> TunerError:
    return invalid("dataset", problem, "BAD_DATASET")
