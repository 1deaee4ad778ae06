"""A NumPy archive: x, y and, where the data has them, x_test, y_test, groups and times."""

from __future__ import annotations

import math
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from tokenize import TokenError
from typing import IO

import numpy as np

from tuner.datasets.base import Data, DataError, Request
from tuner.datasets.content import MAX_BYTES, AnyArray, Beside, make_data

_ARRAYS = ("x", "y", "x_test", "y_test", "groups", "groups_test", "times")

_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


class Npz:
    """Reads `.npz` files, compressed or not. Pickles in them are never opened."""

    def load(self, request: Request) -> Data:
        """Reads the archive.

        Raises:
            DataError: It is no archive, lacks an array, declares more than
                `MAX_BYTES`, or its arrays make no sense.
        """
        path, shown = _the_file(request.path, request.files)
        try:
            with zipfile.ZipFile(path) as archive:
                arrays = _read(archive, shown)
        except FileNotFoundError as error:
            raise DataError(f"{shown}: there is no such file") from error
        # zipfile raises RuntimeError for encryption and methods that it does not know.
        except (OSError, EOFError, zipfile.BadZipFile, zlib.error, RuntimeError) as error:
            raise DataError(
                f"{shown}: is no whole NumPy archive ({error}); "
                "write it with np.savez_compressed(FILE, x=..., y=...)"
            ) from error
        beside = Beside(
            task=request.task,
            groups=arrays.get("groups"),
            groups_test=arrays.get("groups_test"),
            times=arrays.get("times"),
        )
        return make_data(
            arrays["x"],
            arrays["y"],
            arrays.get("x_test"),
            arrays.get("y_test"),
            shown,
            beside=beside,
        )


def _the_file(path: Path | None, files: Mapping[str, Path]) -> tuple[Path, str]:
    """Returns the file and the name by which its owner knows it."""
    if path is not None:
        return path, str(path)
    if len(files) != 1:
        raise DataError(f"npz: {len(files)} files were given; give exactly one archive")
    name, uploaded = next(iter(files.items()))
    return uploaded, name


def _read(archive: zipfile.ZipFile, shown: str) -> dict[str, AnyArray]:
    members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
    missing = [name for name in ("x", "y") if name not in members]
    if missing:
        held = ", ".join(sorted(members)) or "nothing"
        raise DataError(f"{shown}: holds {held} but no {missing[0]}; x and y are needed")
    wanted = [name for name in _ARRAYS if name in members]
    declared = sum(members[name].file_size for name in wanted)
    if declared > MAX_BYTES:
        raise DataError(f"{shown}: unpacks to {declared:,} bytes; at most {MAX_BYTES:,} are read")
    arrays: dict[str, AnyArray] = {}
    for name in wanted:
        with archive.open(members[name]) as stream:
            # Judged before anything is allocated: a header may promise any size.
            _judge_header(stream, members[name].file_size, f"{shown}: {name}")
        with archive.open(members[name]) as stream:
            arrays[name] = np.lib.format.read_array(stream, allow_pickle=False)
    return arrays


def _judge_header(stream: IO[bytes], size: int, where: str) -> None:
    """Raises DataError unless the array is plain and as large as its file says."""
    try:
        shape, _, dtype = _HEADERS[np.lib.format.read_magic(stream)](stream)
    except KeyError as error:
        raise DataError(
            f"{where} has the npy format {error}; versions 1.0 and 2.0 are read"
        ) from error
    except (ValueError, SyntaxError, TokenError) as error:  # a damaged header is parsed as Python
        raise DataError(f"{where} is no NumPy array ({error}); write it with np.savez") from error
    if dtype.hasobject:
        raise DataError(
            f"{where} holds Python objects, which are never unpickled; "
            "convert it to numbers or to strings of a fixed width: np.asarray(x, dtype=...)"
        )
    count = math.prod(shape)
    # Features are held as float32, whatever their type in the file.
    if count * max(dtype.itemsize, np.dtype(np.float32).itemsize) > MAX_BYTES:
        raise DataError(
            f"{where} has the shape {shape}, which takes more than the {MAX_BYTES:,} bytes "
            "that are read"
        )
    if count * dtype.itemsize != size - stream.tell():
        raise DataError(
            f"{where} declares {count * dtype.itemsize:,} bytes (shape {shape}) but holds "
            f"{size - stream.tell():,}; write the file again"
        )
