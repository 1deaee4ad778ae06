"""The files of a folder, wherever it is: on this machine, uploaded one by one, or in an archive."""

from __future__ import annotations

import io
import os
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO

from tuner.datasets.base import DataError, Request
from tuner.datasets.content import MAX_BYTES
from tuner.spec.roots import ARCHIVE

MAX_FILES = 1_000_000

Open = Callable[[], IO[bytes]]
"""Opens a file's content."""


def members(request: Request, where: str) -> Mapping[str, Open]:
    """Returns the folder's files by their names within it, "cats/1.png"; no hidden ones.

    Raises:
        DataError: It is no folder, holds too many files, a link that leads out of it, or
            an archive holds something that is no plain file.
    """
    if request.path is not None:
        return _walked(request.path, where)
    if list(request.files) == [ARCHIVE]:
        return _archived(request.files[ARCHIVE])
    return {name: _opener(file) for name, file in request.files.items() if not _hidden(name)}


def unpack(content: bytes, folder: Path, where: str) -> None:
    """Writes an archive's files below a folder.

    Args:
        content: The archive.
        folder: Where.
        where: What it is, for error messages.

    Raises:
        DataError: It holds something that is no plain file, or leads out of it.
    """
    with tempfile.NamedTemporaryFile(prefix="tuner-archive-") as archive:
        archive.write(content)
        archive.flush()
        for name, opened in members(Request(files={ARCHIVE: Path(archive.name)}), where).items():
            file = folder / name
            try:
                file.parent.mkdir(parents=True, exist_ok=True)
                with opened() as stream:
                    file.write_bytes(stream.read())
            except OSError as error:
                raise DataError(
                    f"{where}: {name} can't be unpacked ({error.strerror}); is it a file and a "
                    "folder at once?"
                ) from error


def inside(folder: Path, file: Path) -> Path:
    """Returns the file, its links followed.

    Raises:
        DataError: It lies outside of the folder.
    """
    resolved = file.resolve()
    if not resolved.is_relative_to(folder.resolve()):
        raise DataError(f"{file}: is a link that leads out of {folder}; put the file itself there")
    return resolved


def _walked(folder: Path, where: str) -> dict[str, Open]:
    if not folder.is_dir():
        problem = "is a file, not a folder" if folder.exists() else "there is no such folder"
        raise DataError(f"{where}: {problem}")
    found: dict[str, Open] = {}
    for file in _files(folder, folder):
        found[file.relative_to(folder).as_posix()] = _opener(inside(folder, file))
        if len(found) > MAX_FILES:
            raise DataError(f"{where}: holds more than the {MAX_FILES:,} files that are read")
    return found


def _files(root: Path, folder: Path) -> Iterator[Path]:
    """Yields what is in the folder and, unless they are links, in the folders in it."""
    with os.scandir(folder) as scanned:
        entries = [entry for entry in scanned if not entry.name.startswith(".")]
    for entry in entries:
        path = Path(entry.path)
        if entry.is_dir(follow_symlinks=False):
            yield from _files(root, path)
        elif entry.is_file():
            yield path
        else:
            inside(root, path)
            raise DataError(f"{path}: is no plain file; put files in plain folders there")


def _archived(archive: Path) -> dict[str, Open]:
    """Returns an archive's files. Nothing is unpacked to the disk, so no name leads anywhere."""
    found: dict[str, Open] = {}
    size = 0
    try:
        with tarfile.open(archive, "r:") as tar:
            for member in tar:
                name = member.name
                if not member.isreg() or member.issparse():
                    raise DataError(f"{ARCHIVE}: {name!r} is no plain file; pack plain files only")
                if any(part in ("", ".", "..") for part in name.split("/")) or "\\" in name:
                    raise DataError(f"{ARCHIVE}: {name!r} is no path within the folder")
                if name in found:
                    raise DataError(f"{ARCHIVE}: holds {name!r} twice")
                size += member.size
                if size > MAX_BYTES or len(found) >= MAX_FILES:
                    raise DataError(
                        f"{ARCHIVE}: holds more than the {MAX_FILES:,} files or {MAX_BYTES:,} "
                        "bytes that are read"
                    )
                if not _hidden(name):
                    found[name] = _part(archive, member.offset_data, member.size)
    except (tarfile.TarError, OSError, EOFError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{ARCHIVE}: is no whole archive ({error}); upload it again") from error
    return found


def _opener(file: Path) -> Open:
    return lambda: file.open("rb")


def _part(archive: Path, offset: int, size: int) -> Open:
    def opened() -> IO[bytes]:
        with archive.open("rb") as stream:
            stream.seek(offset)
            content = stream.read(size)
        if len(content) < size:
            raise DataError(f"{ARCHIVE}: ends within a file; upload it again")
        return io.BytesIO(content)

    return opened


def _hidden(name: str) -> bool:
    return any(part.startswith(".") for part in name.split("/"))
