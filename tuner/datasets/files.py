"""The one file that a source reads, where it lies, and what it may unpack to."""

from __future__ import annotations

import gzip
import io
from pathlib import Path
from typing import IO, cast

from tuner.datasets.base import DataError, Request
from tuner.datasets.content import MAX_BYTES

_GZIP_MAGIC = b"\x1f\x8b"


def the_file(request: Request, source: str) -> tuple[Path, str]:
    """Returns the file and the name by which its owner knows it.

    Raises:
        DataError: There are several, it isn't there, or is no file.
    """
    if request.path is None:
        if len(request.files) != 1:
            raise DataError(f"{source}: {len(request.files)} files were given; give exactly one")
        name, uploaded = next(iter(request.files.items()))
        return uploaded, name
    shown = request.name or str(request.path)
    if not request.path.is_file():
        problem = "is no file" if request.path.exists() else "there is no such file"
        raise DataError(f"{shown}: {problem}; write {source}:FILE")
    return request.path, shown


class Unpacked(io.RawIOBase):
    """A file's content, unpacked where it is gzipped, and an error where it is too much."""

    def __init__(self, file: Path, shown: str) -> None:
        """Opens the file; whether it is gzipped its content tells, not its name."""
        super().__init__()
        with file.open("rb") as stream:
            gzipped = stream.read(2) == _GZIP_MAGIC
        opened = gzip.GzipFile if gzipped else io.FileIO
        self._stream = cast(IO[bytes], opened(file, "rb"))
        self._shown = shown
        self._read = 0

    def readable(self) -> bool:
        """Returns True."""
        return True

    def read(self, size: int = -1, /) -> bytes:
        """Returns the next bytes.

        Raises:
            DataError: More than `MAX_BYTES` have come.
        """
        chunk = self._stream.read(size)
        self._read += len(chunk)
        if self._read > MAX_BYTES:
            raise DataError(f"{self._shown}: holds more than the {MAX_BYTES:,} bytes that are read")
        return chunk

    def close(self) -> None:
        """Closes the file."""
        self._stream.close()
        super().close()
