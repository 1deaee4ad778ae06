"""From raw arrays to a judged data set: what every source has in common."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tuner.catalog import Task
from tuner.datasets.base import Data, DataError, Features, Labels

MAX_BYTES = 16 * 2**30
"""Most bytes that a file may declare for its arrays: what a node can be expected to hold."""

AnyArray = npt.NDArray[np.generic]


@dataclass(frozen=True)
class Beside:
    """What a source knows of its examples beside features and targets.

    Attributes:
        task: What is predicted.
        features: The columns' names, where there are any.
        groups: Shape (n,): whole numbers, strings or booleans; examples of one value
            belong together.
        groups_test: The same of the data's own test, where it has one.
        times: Shape (n,): numbers or dates; what comes later is larger.
        missing: Whether x may hold NaN for cells that are missing.
        notes: What its owner should know.
    """

    task: Task = "classification"
    features: tuple[str, ...] = ()
    groups: AnyArray | None = None
    groups_test: AnyArray | None = None
    times: AnyArray | None = None
    missing: bool = False
    notes: tuple[str, ...] = ()


def make_data(
    x: AnyArray,
    y: AnyArray,
    x_test: AnyArray | None,
    y_test: AnyArray | None,
    where: str,
    names: tuple[str, str, str, str] = ("x", "y", "x_test", "y_test"),
    beside: Beside | None = None,
) -> Data:
    """Judges the arrays and brings them into the form that learners get.

    Args:
        x: Shape (n, features), (n, height, width) or (n, channels, height, width).
        y: Shape (n,): integers, strings or booleans; of a regression numbers.
        x_test: The data's own test part, or None.
        y_test: Its classes or values, or None.
        where: The file or folder, for error messages.
        names: What the four arrays are called there, for error messages.
        beside: What else is known; a classification of whole cells where None.

    Returns:
        The data: float32, images channels first, uint8 images scaled to 0..1,
        classes counted from 0 in the labels' sorted order, values as float64.

    Raises:
        DataError: The arrays make no sense; the message says where and why.
    """
    beside = beside or Beside()
    if (x_test is None) != (y_test is None):
        there, missing = names[2:] if y_test is None else names[:1:-1]
        raise DataError(f"{where}: has {there} but no {missing}; give both or neither")
    features = _features(x, f"{where}: {names[0]}", beside.missing)
    target = _values if beside.task == "regression" else _labels
    labels = target(y, f"{where}: {names[1]}")
    _same_length(features, labels, where, names[:2])
    features_test: Features | None = None
    labels_test: AnyArray | None = None
    if x_test is not None and y_test is not None:
        features_test = _features(x_test, f"{where}: {names[2]}", beside.missing)
        labels_test = target(y_test, f"{where}: {names[3]}")
        _same_length(features_test, labels_test, where, names[2:])
        if features_test.shape[1:] != features.shape[1:]:
            raise DataError(
                f"{where}: an example of {names[2]} has the shape {features_test.shape[1:]}, one "
                f"of {names[0]} {features.shape[1:]}; they must be alike"
            )
    numbers: Labels
    numbers_test: Labels | None
    classes: tuple[str, ...] = ()
    if beside.task == "regression":
        numbers = np.ascontiguousarray(labels, dtype=np.float64)
        numbers_test = None if labels_test is None else labels_test.astype(np.float64)
        if (numbers == numbers[0]).all():
            raise DataError(
                f"{where}: every value of {names[1]} is {numbers[0]:g}; there is nothing to predict"
            )
    else:
        values, counted = _classes(labels, f"{where}: {names[1]}")
        numbers = np.ascontiguousarray(counted, dtype=np.int64)
        numbers_test = None if labels_test is None else _numbers(labels_test, values, where, names)
        classes = tuple(_name(value) for value in values)
    groups = _groups(beside, len(features), where)
    times = None if beside.times is None else _times(beside.times, len(features), where)
    data = Data(
        x=features,
        y=numbers,
        x_test=features_test,
        y_test=numbers_test,
        classes=classes,
        digest="",
        features=beside.features,
        groups=groups,
        times=times,
        notes=beside.notes,
    )
    object.__setattr__(data, "digest", content_digest(data))
    return data


def content_digest(data: Data) -> str:
    """Returns the SHA-256 over all that counts: arrays, and classes' and columns' names."""
    digest = hashlib.sha256(repr((data.classes, data.features)).encode())
    for name in ("x", "y", "x_test", "y_test", "groups", "times"):
        array: AnyArray | None = getattr(data, name)
        if array is None:
            digest.update(f"|{name}:none".encode())
            continue
        little = array.astype(array.dtype.newbyteorder("<"), order="C", copy=False)
        digest.update(f"|{name}:{little.dtype.str}:{little.shape}:".encode())
        digest.update(little.data)
    return digest.hexdigest()


def _features(x: AnyArray, where: str, missing: bool) -> Features:
    """Returns the features as float32, channels first. Raises DataError where it can't."""
    if x.dtype.kind not in "fiub":
        raise DataError(f"{where} holds {x.dtype}; it must hold numbers")
    if x.ndim not in (2, 3, 4):
        raise DataError(
            f"{where} has the shape {x.shape}; give (n, features) for a table, "
            "(n, height, width) or (n, channels, height, width) for images"
        )
    if x.ndim == 4 and x.shape[3] in (1, 3, 4) and x.shape[1] > 4 and x.shape[2] > 4:
        raise DataError(
            f"{where} has the shape {x.shape}, which looks like channels last; "
            "put them first: np.moveaxis(x, -1, 1)"
        )
    if 0 in x.shape:
        raise DataError(f"{where} is empty: its shape is {x.shape}")
    # A float64 beyond float32's range becomes infinite here and is refused below.
    with np.errstate(over="ignore"):
        features = np.array(x, dtype=np.float32, order="C")
    if x.ndim == 3:
        features = features[:, np.newaxis]
    if x.dtype.kind == "f":
        good = ~np.isinf(features) if missing else np.isfinite(features)
        if not good.all():
            row = int(np.argwhere(~good.reshape(len(features), -1).all(axis=1))[0, 0])
            raise DataError(
                f"{where} holds {'' if missing else 'NaN or '}infinity (example {row} is the "
                "first); fill or drop such examples, and keep numbers within float32's range"
            )
    if x.dtype == np.uint8 and x.ndim > 2:
        features /= np.float32(255)
    return features


def _labels(y: AnyArray, where: str) -> AnyArray:
    """Returns the labels as they are. Raises DataError where they can't be labels."""
    if y.dtype.kind not in "iubUS":
        hint = (
            ": y.astype(int) if they are classes, task: regression if values are to be predicted"
            if y.dtype.kind == "f"
            else ""
        )
        raise DataError(f"{where} holds {y.dtype}; give whole numbers, strings or booleans{hint}")
    if y.ndim != 1:
        raise DataError(
            f"{where} has the shape {y.shape}; give one class for each example, shape (n,)"
        )
    return y


def _values(y: AnyArray, where: str) -> AnyArray:
    """Returns a regression's values. Raises DataError where they aren't finite numbers."""
    if y.dtype.kind not in "fiu":
        raise DataError(
            f"{where} holds {y.dtype}; task: regression predicts numbers: give such, or leave "
            "the task out to predict classes"
        )
    if y.ndim != 1:
        raise DataError(
            f"{where} has the shape {y.shape}; give one value for each example, shape (n,)"
        )
    values = y.astype(np.float64)
    if not np.isfinite(values).all():
        row = int(np.flatnonzero(~np.isfinite(values))[0])
        raise DataError(
            f"{where} holds NaN or infinity (example {row} is the first); drop such examples"
        )
    return values


def _classes(labels: AnyArray, where: str) -> tuple[AnyArray, AnyArray]:
    """Returns the classes, sorted, and each example's place among them."""
    values, numbers, counts = np.unique(labels, return_inverse=True, return_counts=True)
    if len(values) < 2:
        raise DataError(
            f"{where} holds only the class {_name(values[0])!r}; "
            "there is nothing to learn with fewer than two"
        )
    if 2 * len(values) > len(labels):
        raise DataError(
            f"{where} holds {len(values)} classes for {len(labels)} examples; at least two "
            "examples a class are needed (if these are numbers to predict: task: regression)"
        )
    if counts.min() < 2:
        rare = _name(values[counts.argmin()])
        raise DataError(
            f"{where} has one example of the class {rare!r}; at least two are needed, one to "
            "learn from and one to test on: add some, or leave the class out"
        )
    return values, numbers


def _groups(beside: Beside, n: int, where: str) -> npt.NDArray[np.int64] | None:
    if beside.groups is None:
        return None
    for groups in (beside.groups, beside.groups_test):
        if groups is not None and (groups.ndim != 1 or groups.dtype.kind not in "iubUS"):
            raise DataError(
                f"{where}: groups hold {groups.dtype} in the shape {groups.shape}; give a whole "
                "number or a string for each example, shape (n,)"
            )
    if len(beside.groups) != n:
        raise DataError(f"{where}: groups has {len(beside.groups)} examples, x {n}")
    if beside.groups_test is not None:
        both = np.intersect1d(beside.groups, beside.groups_test)
        if len(both):
            raise DataError(
                f"{where}: group {_name(both[0])!r} is in the training part and in the test; "
                "put all examples of a group on one side"
            )
    numbers = np.unique(beside.groups, return_inverse=True)[1]
    return np.ascontiguousarray(numbers, dtype=np.int64)


def _times(times: AnyArray, n: int, where: str) -> npt.NDArray[np.float64]:
    if times.ndim != 1 or times.dtype.kind not in "iufM":
        raise DataError(
            f"{where}: times hold {times.dtype} in the shape {times.shape}; give a number or a "
            "date for each example, shape (n,)"
        )
    if len(times) != n:
        raise DataError(f"{where}: times has {len(times)} examples, x {n}")
    if times.dtype.kind == "M":
        late = np.isnat(times)
        seconds = times.astype("datetime64[us]").astype(np.int64) / 1e6
    else:
        seconds = times.astype(np.float64)
        late = ~np.isfinite(seconds)
    if late.any():
        row = int(np.flatnonzero(late)[0])
        raise DataError(f"{where}: times lacks a time for example {row}; each needs one")
    return np.ascontiguousarray(seconds, dtype=np.float64)


def _same_length(x: Features, y: AnyArray, where: str, names: tuple[str, ...]) -> None:
    if len(x) != len(y):
        raise DataError(
            f"{where}: {names[0]} has {len(x)} examples, {names[1]} {len(y)}; "
            "they must have the same number"
        )


def _numbers(
    labels: AnyArray, values: AnyArray, where: str, names: tuple[str, str, str, str]
) -> Labels:
    """Returns the labels' numbers by the training part's classes."""
    if (labels.dtype.kind in "US") != (values.dtype.kind in "US"):
        raise DataError(
            f"{where}: {names[3]} holds {labels.dtype}, {names[1]} {values.dtype}; "
            "name the classes alike"
        )
    unknown = np.setdiff1d(labels, values)
    if len(unknown):
        raise DataError(
            f"{where}: {names[3]} has the class {_name(unknown[0])!r}, which {names[1]} has not; "
            "every class of the test must be in the training part"
        )
    return np.searchsorted(values, labels).astype(np.int64)


def _name(value: object) -> str:
    """Returns a class's name."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
