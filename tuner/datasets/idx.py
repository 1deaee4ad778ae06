"""MNIST's IDX format: images and labels in files of their own, gzipped or not.

The format: two zero bytes, the element's type (8 is an unsigned byte), the
number of dimensions, each dimension as a big-endian 32-bit integer, the bytes.
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
import numpy.typing as npt

from tuner.datasets.base import Data, DataError, Request
from tuner.datasets.content import MAX_BYTES, make_data
from tuner.datasets.folder import inside

TRAIN = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte")
TEST = ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")

_UNSIGNED_BYTE = 8
_GZIP_MAGIC = b"\x1f\x8b"


class Idx:
    """Reads a folder of IDX files. The t10k files, where they are there, are the test."""

    def load(self, request: Request) -> Data:
        """Reads the folder, or the uploaded files.

        Raises:
            DataError: A file is missing, cut short, too long, of another type,
                or the files don't belong together.
        """
        path, files = request.path, request.files
        if path is not None and not path.is_dir():
            problem = "is a file, not a folder" if path.exists() else "there is no such folder"
            raise DataError(f"{path}: {problem}; give the folder that holds {TRAIN[0]}[.gz]")
        where = request.name or (str(path) if path is not None else "the uploaded files")
        found = {name: _find(name, path, files) for name in (*TRAIN, *TEST)}
        for name in TRAIN:
            if found[name] is None:
                raise DataError(f"{where}: {name} is missing; it may be gzipped ({name}.gz)")
        held = [name for name in TEST if found[name] is not None]
        if len(held) == 1:
            missing = next(name for name in TEST if name not in held)
            raise DataError(f"{where}: has {held[0]} but no {missing}; give both or neither")
        arrays = {
            name: _read(file, name, 3 if "idx3" in name else 1)
            for name, file in found.items()
            if file is not None
        }
        images, labels = TRAIN
        test_images, test_labels = TEST
        return make_data(
            arrays[images],
            arrays[labels],
            arrays.get(test_images),
            arrays.get(test_labels),
            where,
            (*TRAIN, *TEST),
        )


def _find(name: str, path: Path | None, files: Mapping[str, Path]) -> Path | None:
    """Returns the file of that name, gzipped or not, or None."""
    for candidate in (name, f"{name}.gz"):
        if candidate in files:
            return files[candidate]
        if path is not None and (path / candidate).is_file():
            return inside(path, path / candidate)
    return None


def _read(file: Path, name: str, dimensions: int) -> npt.NDArray[np.uint8]:
    """Reads one file. Raises DataError where it isn't what its name says."""
    try:
        with _open(file) as stream:
            return _parse(stream, name, dimensions)
    except FileNotFoundError as error:
        raise DataError(f"{name}: there is no such file") from error
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{name}: can't be unpacked ({error}); fetch the file again") from error


def _open(file: Path) -> BinaryIO:
    """Opens the file, unpacking it where its content, not its name, says that it is gzipped."""
    with file.open("rb") as stream:
        gzipped = stream.read(2) == _GZIP_MAGIC
    return cast(BinaryIO, gzip.open(file, "rb")) if gzipped else file.open("rb")


def _parse(stream: BinaryIO, name: str, dimensions: int) -> npt.NDArray[np.uint8]:
    magic = stream.read(4)
    expected = bytes((0, 0, _UNSIGNED_BYTE, dimensions))
    if magic != expected:
        raise DataError(
            f"{name}: starts with the bytes {magic.hex() or 'of an empty file'}, not "
            f"{expected.hex()}: it is no IDX file of {dimensions}-dimensional unsigned bytes"
        )
    header = stream.read(4 * dimensions)
    if len(header) < 4 * dimensions:
        raise DataError(f"{name}: ends within its header; fetch the file again")
    shape = struct.unpack(f">{dimensions}I", header)
    size = math.prod(shape)
    # Pixels are held as float32.
    if size * np.dtype(np.float32).itemsize > MAX_BYTES:
        raise DataError(f"{name}: declares the shape {shape}; at most {MAX_BYTES:,} bytes are read")
    content = stream.read(size + 1)
    if len(content) != size:
        held = f"only {len(content):,}" if len(content) < size else "more"
        raise DataError(
            f"{name}: declares the shape {shape}, {size:,} bytes, but holds {held}; "
            "fetch the file again"
        )
    return np.frombuffer(content, dtype=np.uint8).reshape(shape)
