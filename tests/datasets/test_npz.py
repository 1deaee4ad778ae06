"""npz archives are read as promised, and every bad one is refused in words."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from tuner.datasets import content, registry
from tuner.datasets.base import Data, DataError, Request

X = np.arange(40, dtype=np.float64).reshape(10, 4)
Y = np.array([0, 1] * 5)


def write(path: Path, **arrays: np.ndarray) -> Path:
    file = path / "data.npz"
    np.savez_compressed(file, **arrays)
    return file


def load(path: Path, **arrays: np.ndarray) -> Data:
    return registry.load("npz", Request(write(path, **arrays)))


def refused(path: Path, **arrays: np.ndarray) -> str:
    file = write(path, **arrays)
    with pytest.raises(DataError) as error:
        registry.load("npz", Request(file))
    assert str(file) in str(error.value)
    return str(error.value)


def test_a_table_becomes_float32_and_keeps_its_values(tmp_path: Path) -> None:
    data = load(tmp_path, x=X, y=Y)
    assert data.x.dtype == np.float32
    assert data.x.shape == (10, 4)
    np.testing.assert_array_equal(data.x, X)
    np.testing.assert_array_equal(data.y, Y)
    assert data.x_test is None
    assert data.y_test is None


@pytest.mark.parametrize(
    ("labels", "classes", "numbers"),
    [
        (np.array([7, 3] * 5), ("3", "7"), [1, 0] * 5),
        (np.array([-1, 1] * 5, dtype=np.int8), ("-1", "1"), [0, 1] * 5),
        (np.array([2, 200] * 5, dtype=np.uint8), ("2", "200"), [0, 1] * 5),
        (np.array(["dog", "cat"] * 5), ("cat", "dog"), [1, 0] * 5),
        (np.array([b"dog", b"cat"] * 5), ("cat", "dog"), [1, 0] * 5),
        (np.array([True, False] * 5), ("False", "True"), [1, 0] * 5),
    ],
)
def test_labels_of_any_kind_are_numbered_and_keep_their_names(
    tmp_path: Path, labels: np.ndarray, classes: tuple[str, ...], numbers: list[int]
) -> None:
    data = load(tmp_path, x=X, y=labels)
    assert data.classes == classes
    assert data.y.dtype == np.int64
    assert data.y.tolist() == numbers


def test_images_come_out_channels_first_and_bytes_scaled(tmp_path: Path) -> None:
    grey = np.full((10, 5, 6), 255, dtype=np.uint8)
    assert load(tmp_path, x=grey, y=Y).x.shape == (10, 1, 5, 6)
    assert load(tmp_path, x=grey, y=Y).x.max() == 1.0
    colour = np.zeros((10, 3, 5, 6), dtype=np.float16)
    assert load(tmp_path, x=colour, y=Y).x.shape == (10, 3, 5, 6)


def test_its_own_test_part_uses_the_training_parts_numbers(tmp_path: Path) -> None:
    data = load(tmp_path, x=X, y=np.array(["a", "b"] * 5), x_test=X[:2], y_test=np.array(["b"] * 2))
    assert data.x_test is not None
    assert data.y_test is not None
    assert data.x_test.shape == (2, 4)
    assert data.y_test.tolist() == [1, 1]


def test_an_uploaded_file_is_known_by_its_owners_name(tmp_path: Path) -> None:
    file = write(tmp_path, x=X, y=Y[:5])
    with pytest.raises(DataError, match=r"^mine\.npz: x has 10 examples, y 5"):
        registry.load("npz", Request(files={"mine.npz": file}))
    with pytest.raises(DataError, match="2 files"):
        registry.load("npz", Request(files={"a": file, "b": file}))


def test_the_digest_follows_content_and_nothing_else(tmp_path: Path) -> None:
    first = load(tmp_path, x=X, y=Y)
    assert load(tmp_path, x=X.astype(np.float32), y=Y.astype(np.int8)).digest == first.digest
    changed = X.copy()
    changed[3, 2] += 1
    assert load(tmp_path, x=changed, y=Y).digest != first.digest
    assert load(tmp_path, x=X, y=Y[::-1]).digest != first.digest
    assert load(tmp_path, x=X, y=np.where(Y, "b", "a")).digest != first.digest
    assert load(tmp_path, x=X, y=Y, x_test=X, y_test=Y).digest != first.digest
    assert load(tmp_path, x=X.reshape(10, 2, 2), y=Y).digest != first.digest


@pytest.mark.parametrize(
    ("arrays", "problem"),
    [
        ({"x": X}, "no y"),
        ({"y": Y, "features": X}, "holds features, y but no x"),
        ({"x": X, "y": Y[:7]}, "x has 10 examples, y 7"),
        ({"x": X, "y": np.zeros(10, int)}, "only the class '0'"),
        ({"x": X, "y": np.arange(10)}, "10 classes for 10 examples"),
        ({"x": X, "y": np.arange(10) == 3}, "one example of the class 'True'; at least two"),
        ({"x": X, "y": Y.astype(float)}, r"y holds float64.*y\.astype\(int\)"),
        ({"x": X, "y": Y[:, None]}, r"y has the shape \(10, 1\)"),
        ({"x": X[:, 0], "y": Y}, r"x has the shape \(10,\)"),
        ({"x": np.zeros((10, 2, 2, 2, 2)), "y": Y}, "has the shape"),
        ({"x": np.zeros((10, 8, 9, 3)), "y": Y}, r"channels last.*moveaxis"),
        ({"x": np.zeros((0, 4)), "y": np.zeros(0, int)}, "empty"),
        ({"x": X.astype(str), "y": Y}, "must hold numbers"),
        ({"x": X.astype(complex), "y": Y}, "must hold numbers"),
        ({"x": X, "y": Y, "x_test": X}, "has x_test but no y_test"),
        ({"x": X, "y": Y, "y_test": Y}, "has y_test but no x_test"),
        ({"x": X, "y": Y, "x_test": X[:, :3], "y_test": Y}, "must be alike"),
        ({"x": X, "y": Y, "x_test": X, "y_test": Y + 1}, "x_test|y_test has the class '2'"),
        ({"x": X, "y": Y, "x_test": X, "y_test": Y.astype(str)}, "name the classes alike"),
        ({"x": X, "y": Y, "groups": Y[:4]}, "groups has 4 examples, x 10"),
        ({"x": X, "y": Y, "groups": X}, r"groups hold float64 in the shape \(10, 4\)"),
        ({"x": X, "y": Y, "times": Y[:4]}, "times has 4 examples, x 10"),
        ({"x": X, "y": Y, "times": Y.astype(str)}, "times hold <U"),
        ({"x": X, "y": Y, "times": np.where(Y, np.nan, 1)}, "lacks a time for example 1"),
    ],
)
def test_arrays_that_make_no_sense_are_refused(
    tmp_path: Path, arrays: dict[str, np.ndarray], problem: str
) -> None:
    with pytest.raises(DataError, match=problem):
        load(tmp_path, **arrays)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e300])
def test_numbers_that_are_none_are_refused_with_their_place(tmp_path: Path, bad: float) -> None:
    x = X.copy()
    x[6, 1] = bad
    assert "example 6 is the first" in refused(tmp_path, x=x, y=Y)


def test_objects_are_never_unpickled(tmp_path: Path) -> None:
    assert "never unpickled" in refused(tmp_path, x=X, y=np.array(["a", 1] * 5, dtype=object))


def test_a_missing_file_and_a_file_of_another_kind_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        registry.load("npz", Request(tmp_path / "none.npz"))
    text = tmp_path / "text.npz"
    text.write_text("x,y\n1,2\n")
    with pytest.raises(DataError, match="no whole NumPy archive"):
        registry.load("npz", Request(text))


def test_a_truncated_or_damaged_archive_is_refused(tmp_path: Path) -> None:
    file = write(tmp_path, x=np.random.default_rng(0).normal(size=(500, 4)), y=np.arange(500) % 2)
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="no whole NumPy archive"):
        registry.load("npz", Request(file))
    damaged = bytearray(whole)
    damaged[200:400] = bytes(200)
    file.write_bytes(damaged)
    with pytest.raises(DataError):
        registry.load("npz", Request(file))


def npy(shape: tuple[int, ...], content: bytes) -> bytes:
    stream = io.BytesIO()
    header = {"descr": "<f8", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, header)
    return stream.getvalue() + content


@pytest.mark.parametrize(
    ("shape", "problem"),
    [((10, 2**40), "takes more than"), ((10, 400), "declares 32,000 bytes"), ((2, 4), "declares")],
)
def test_a_header_that_promises_what_isnt_there_allocates_nothing(
    tmp_path: Path, shape: tuple[int, ...], problem: str
) -> None:
    file = tmp_path / "bomb.npz"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("x.npy", npy(shape, X.tobytes()))
        archive.writestr("y.npy", npy((10,), Y.astype(float).tobytes()))
    with pytest.raises(DataError, match=problem):
        registry.load("npz", Request(file))


def test_an_archive_that_unpacks_to_more_than_allowed_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tuner.datasets.npz.MAX_BYTES", 100_000)
    file = write(tmp_path, x=np.zeros((10, 10_000)), y=Y)
    assert file.stat().st_size < 10_000
    with pytest.raises(DataError, match="unpacks to 8"):
        registry.load("npz", Request(file))


def test_the_limit_is_one_that_a_node_can_hold() -> None:
    assert content.MAX_BYTES == 16 * 2**30


def test_unknown_sources_and_missing_paths_are_named() -> None:
    with pytest.raises(DataError, match=r"no data source 'nosuch'; there are digits, .*npz, idx"):
        registry.load("nosuch")
    with pytest.raises(DataError, match="neither a folder nor files"):
        registry.load("idx")


def test_numbers_are_predicted_where_that_is_asked(tmp_path: Path) -> None:
    file = write(tmp_path, x=X, y=np.linspace(0, 1, 10), x_test=X[:3], y_test=np.arange(3))
    data = registry.load("npz", Request(file, task="regression"))
    assert data.task == "regression"
    assert data.classes == ()
    assert data.y.dtype == np.float64
    np.testing.assert_array_equal(data.y, np.linspace(0, 1, 10))
    assert data.y_test is not None
    assert data.y_test.tolist() == [0.0, 1.0, 2.0]


@pytest.mark.parametrize(
    ("y", "problem"),
    [
        (np.array(["a", "b"] * 5), "task: regression predicts numbers"),
        (np.where(Y, np.nan, 1.0), r"y holds NaN or infinity \(example 1 is the first\)"),
        (np.full(10, 3.5), "every value of y is 3.5; there is nothing to predict"),
        (np.zeros((10, 2)), r"y has the shape \(10, 2\); give one value"),
        (np.zeros(9), "x has 10 examples, y 9"),
    ],
)
def test_values_that_cant_be_predicted_are_refused(
    tmp_path: Path, y: np.ndarray, problem: str
) -> None:
    with pytest.raises(DataError, match=problem):
        registry.load("npz", Request(write(tmp_path, x=X, y=y), task="regression"))


def test_groups_and_times_are_kept_and_count(tmp_path: Path) -> None:
    groups = np.array(["p2", "p1"] * 5)
    dates = np.datetime64("2020-01-01") + np.arange(10)
    plain, told = load(tmp_path, x=X, y=Y), load(tmp_path, x=X, y=Y, groups=groups, times=dates)
    assert told.groups is not None
    assert told.groups.tolist() == [1, 0] * 5
    assert told.times is not None
    assert np.diff(told.times).tolist() == [86400.0] * 9
    assert len({plain.digest, told.digest, load(tmp_path, x=X, y=Y, groups=groups).digest}) == 3
    assert load(tmp_path, x=X, y=Y, times=np.arange(10)).digest != plain.digest


def test_a_group_is_not_on_both_sides_of_the_datas_own_test(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="group '4' is in the training part and in the test"):
        load(
            tmp_path,
            x=X,
            y=Y,
            x_test=X[:2],
            y_test=Y[:2],
            groups=np.arange(10),
            groups_test=np.array([4, 11]),
        )
