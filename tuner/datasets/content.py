"""From raw arrays to a judged data set: what every source has in common."""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt

from tuner.datasets.base import Data, DataError, Features, Labels

MAX_BYTES = 16 * 2**30
"""Most bytes that a file may declare for its arrays: what a node can be expected to hold."""

AnyArray = npt.NDArray[np.generic]


def make_data(
    x: AnyArray,
    y: AnyArray,
    x_test: AnyArray | None,
    y_test: AnyArray | None,
    where: str,
    names: tuple[str, str, str, str] = ("x", "y", "x_test", "y_test"),
) -> Data:
    """Judges the arrays and brings them into the form that learners get.

    Args:
        x: Shape (n, features), (n, height, width) or (n, channels, height, width).
        y: Shape (n,): integers, strings or booleans.
        x_test: The data's own test part, or None.
        y_test: Its classes, or None.
        where: The file or folder, for error messages.
        names: What the four arrays are called there, for error messages.

    Returns:
        The data: float32, images channels first, uint8 images scaled to 0..1,
        classes counted from 0 in the labels' sorted order.

    Raises:
        DataError: The arrays make no sense; the message says where and why.
    """
    if (x_test is None) != (y_test is None):
        there, missing = names[2:] if y_test is None else names[:1:-1]
        raise DataError(f"{where}: has {there} but no {missing}; give both or neither")
    features, labels = _features(x, f"{where}: {names[0]}"), _labels(y, f"{where}: {names[1]}")
    _same_length(features, labels, where, names[:2])
    values, numbers = np.unique(labels, return_inverse=True)
    if len(values) < 2:
        raise DataError(
            f"{where}: {names[1]} holds only the class {_name(values[0])!r}; "
            "there is nothing to learn with fewer than two"
        )
    if 2 * len(values) > len(features):
        raise DataError(
            f"{where}: {names[1]} holds {len(values)} classes for {len(features)} examples; "
            "at least two examples a class are needed (are these classes, or numbers to predict?)"
        )
    features_test: Features | None = None
    numbers_test: Labels | None = None
    if x_test is not None and y_test is not None:
        features_test = _features(x_test, f"{where}: {names[2]}")
        labels_test = _labels(y_test, f"{where}: {names[3]}")
        _same_length(features_test, labels_test, where, names[2:])
        if features_test.shape[1:] != features.shape[1:]:
            raise DataError(
                f"{where}: an example of {names[2]} has the shape {features_test.shape[1:]}, one "
                f"of {names[0]} {features.shape[1:]}; they must be alike"
            )
        numbers_test = _numbers(labels_test, values, where, names)
    numbers = np.ascontiguousarray(numbers, dtype=np.int64)
    classes = tuple(_name(value) for value in values)
    digest = content_digest(features, numbers, features_test, numbers_test, classes)
    return Data(features, numbers, features_test, numbers_test, classes, digest)


def content_digest(
    x: Features,
    y: Labels,
    x_test: Features | None,
    y_test: Labels | None,
    classes: tuple[str, ...],
) -> str:
    """Returns the SHA-256 over the arrays' shapes, types and bytes and the classes' names."""
    digest = hashlib.sha256(repr(classes).encode())
    for name, array in (("x", x), ("y", y), ("x_test", x_test), ("y_test", y_test)):
        if array is None:
            digest.update(f"|{name}:none".encode())
            continue
        little = array.astype(array.dtype.newbyteorder("<"), order="C", copy=False)
        digest.update(f"|{name}:{little.dtype.str}:{little.shape}:".encode())
        digest.update(little.data)
    return digest.hexdigest()


def _features(x: AnyArray, where: str) -> Features:
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
    if not np.isfinite(features).all():
        row = int(np.argwhere(~np.isfinite(features.reshape(len(features), -1)).all(axis=1))[0, 0])
        raise DataError(
            f"{where} holds NaN or infinity (example {row} is the first); "
            "fill or drop such examples, and keep numbers within float32's range"
        )
    if x.dtype == np.uint8 and x.ndim > 2:
        features /= np.float32(255)
    return features


def _labels(y: AnyArray, where: str) -> AnyArray:
    """Returns the labels as they are. Raises DataError where they can't be labels."""
    if y.dtype.kind not in "iubUS":
        hint = ": y.astype(int)" if y.dtype.kind == "f" else ""
        raise DataError(f"{where} holds {y.dtype}; give whole numbers, strings or booleans{hint}")
    if y.ndim != 1:
        raise DataError(
            f"{where} has the shape {y.shape}; give one class for each example, shape (n,)"
        )
    return y


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
