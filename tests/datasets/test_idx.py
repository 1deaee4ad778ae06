"""IDX folders are read as promised, and every bad one is refused in words."""

from __future__ import annotations

import gzip
import struct
import time
from pathlib import Path

import numpy as np
import pytest

from tuner import catalog
from tuner.datasets import idx, registry
from tuner.datasets.base import DataError, Request

IMAGES = (np.arange(12 * 3 * 4) % 256).astype(np.uint8).reshape(12, 3, 4)
LABELS = np.array([5, 9, 7] * 4, dtype=np.uint8)


def encoded(array: np.ndarray, kind: int = 8) -> bytes:
    header = bytes((0, 0, kind, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.astype(np.uint8).tobytes()


def folder(path: Path, *, zipped: bool = False, test: bool = True) -> Path:
    arrays = {idx.TRAIN[0]: IMAGES, idx.TRAIN[1]: LABELS}
    if test:
        arrays |= {idx.TEST[0]: IMAGES[:6], idx.TEST[1]: LABELS[:6]}
    for name, array in arrays.items():
        content = encoded(array)
        if zipped:
            (path / f"{name}.gz").write_bytes(gzip.compress(content))
        else:
            (path / name).write_bytes(content)
    return path


@pytest.mark.parametrize("zipped", [False, True])
def test_a_folder_is_read_gzipped_or_not(tmp_path: Path, zipped: bool) -> None:
    data = registry.load("idx", Request(folder(tmp_path, zipped=zipped)))
    assert data.x.shape == (12, 1, 3, 4)
    np.testing.assert_array_equal(data.x[:, 0], IMAGES.astype(np.float32) / np.float32(255))
    assert data.classes == ("5", "7", "9")
    assert data.y.tolist() == [0, 2, 1] * 4
    assert data.x_test is not None
    assert data.x_test.shape == (6, 1, 3, 4)


def test_packing_changes_no_content(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    plain = registry.load("idx", Request(folder(tmp_path / "a")))
    zipped = registry.load("idx", Request(folder(tmp_path / "b", zipped=True)))
    assert plain.digest == zipped.digest


def test_without_test_files_there_is_no_test_part(tmp_path: Path) -> None:
    assert registry.load("idx", Request(folder(tmp_path, test=False))).x_test is None


def test_uploaded_files_are_found_by_their_names(tmp_path: Path) -> None:
    folder(tmp_path, zipped=True)
    for number, file in enumerate(sorted(tmp_path.iterdir())):
        file.rename(tmp_path / f"blob{number}")
    names = sorted(f"{name}.gz" for name in (*idx.TRAIN, *idx.TEST))
    files = {name: tmp_path / f"blob{number}" for number, name in enumerate(names)}
    assert registry.load("idx", Request(files=files)).x.shape == (12, 1, 3, 4)


def test_the_catalog_uploads_the_files_that_are_read() -> None:
    assert catalog.SOURCES["idx"].files == (*idx.TRAIN, *idx.TEST)


@pytest.mark.parametrize("name", idx.TRAIN)
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    (folder(tmp_path) / name).unlink()
    with pytest.raises(DataError, match=f"{name} is missing"):
        registry.load("idx", Request(tmp_path))


def test_half_a_test_part_is_refused(tmp_path: Path) -> None:
    (folder(tmp_path) / idx.TEST[1]).unlink()
    with pytest.raises(DataError, match=f"no {idx.TEST[1]}"):
        registry.load("idx", Request(tmp_path))


def test_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        registry.load("idx", Request(tmp_path / "none"))
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(DataError, match="a file, not a folder"):
        registry.load("idx", Request(file))


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "empty file"),
        (b"\x00\x00\x08", "starts with the bytes 000008, not 00000803"),
        (encoded(IMAGES, kind=13), "starts with the bytes 00000d03"),
        (encoded(LABELS), "starts with the bytes 00000801, not 00000803"),
        (encoded(IMAGES)[:9], "ends within its header"),
        (encoded(IMAGES)[:-1], r"\(12, 3, 4\), 144 bytes, but holds only 143"),
        (encoded(IMAGES) + b"x", "but holds more"),
        (encoded(IMAGES[:11]), "has 11 examples"),
        (bytes((0, 0, 8, 3)) + b"\xff" * 12, "bytes are read"),
        (gzip.compress(encoded(IMAGES), mtime=0)[:-12], "can't be unpacked"),
        (gzip.compress(encoded(IMAGES), mtime=0)[:10] + b"garbage", "can't be unpacked"),
    ],
)
def test_a_bad_file_is_refused_by_name(tmp_path: Path, content: bytes, problem: str) -> None:
    (folder(tmp_path) / idx.TRAIN[0]).write_bytes(content)
    with pytest.raises(DataError, match=problem) as error:
        registry.load("idx", Request(tmp_path))
    assert idx.TRAIN[0] in str(error.value)


def test_a_file_that_is_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    folder(tmp_path / "data")
    labels = tmp_path / "data" / idx.TRAIN[1]
    labels.rename(tmp_path / "elsewhere")
    labels.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DataError, match=f"{idx.TRAIN[1]}: is a link that leads out of"):
        registry.load("idx", Request(tmp_path / "data"))


MNIST = Path(__file__).parents[3] / "shared" / "data" / "mnist"


@pytest.mark.skipif(not MNIST.is_dir(), reason=f"{MNIST} is not there")
def test_mnist_is_read_in_seconds() -> None:
    start = time.process_time()
    data = registry.load("idx", Request(MNIST))
    seconds = time.process_time() - start
    assert data.x.shape == (60_000, 1, 28, 28)
    assert data.x_test is not None
    assert data.x_test.shape == (10_000, 1, 28, 28)
    assert np.bincount(data.y)[[0, 5]].tolist() == [5923, 5421]
    # Measured in docs/data.md: under a second. This tells reading from crawling.
    assert seconds < 15
