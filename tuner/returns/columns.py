"""Columns of somebody's table as numbers, and what is wrong with a cell."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tuner.returns.bounds import Floats

MISSING = {"", "nan", "na", "n/a", "null", "none", "<na>", "nat", "-"}
"""How tables write that there is nothing, in any case."""


class DataError(ValueError):
    """A table that can't be analysed.

    Attributes:
        column: The column at fault; empty where it is the table.
        row: The row at fault, from 1 below the header; None where it is the column.
        problem: What is wrong and what would be right.
    """

    def __init__(self, column: str, problem: str, row: int | None = None) -> None:
        """Makes the error; its text names the column and the row."""
        self.column, self.row, self.problem = column, row, problem
        where = f"column {column!r}" if column else "the table"
        super().__init__(f"{where}{'' if row is None else f', row {row}'}: {problem}")


def column(frame: Any, name: str) -> Iterable[Any]:
    """Returns a column of a data frame, or of a mapping of columns.

    Raises:
        DataError: There is none of that name, or it isn't one column.
    """
    # Polars' frames iterate over columns, mappings and pandas' frames over names.
    keys = list(getattr(frame, "columns", frame))
    names = [str(key) for key in keys]
    if name not in names:
        close = difflib.get_close_matches(name, names, n=1)
        meant = f"did you mean {close[0]!r}? " if close else ""
        raise DataError(name, f"there is no such column; {meant}there are {_some(names)}")
    values = frame[keys[names.index(name)]]
    if names.count(name) > 1 or getattr(values, "ndim", 1) != 1:
        raise DataError(name, "there is more than one column in it; give each a name of its own")
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise DataError(name, "it is a single value; give a value for every row")
    return values


def _some(names: Sequence[str], most: int = 12) -> str:
    shown = ", ".join(map(repr, names[:most]))
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown


def numbers(name: str, values: Iterable[Any]) -> Floats:
    """Returns a column as floats; NaN where a cell is missing.

    Raises:
        DataError: A cell is neither a number nor missing.
    """
    if isinstance(values, np.ndarray) and values.dtype.kind in "fiu":
        floats: Floats = np.ma.filled(values.astype(np.float64), np.nan)
        return floats
    listed = list(values)
    try:
        return np.array([float(value) for value in listed], dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        return np.array([_number(name, v, i) for i, v in enumerate(listed, 1)], dtype=np.float64)


def _number(name: str, value: Any, row: int) -> float:
    if is_missing(value):
        return math.nan
    try:
        return float(value)
    except OverflowError:
        raise DataError(name, "the number is too large", row) from None
    except (TypeError, ValueError):
        raise DataError(name, f"{value!r} is not a number", row) from None


def is_missing(value: Any) -> bool:
    """Tells whether a cell holds nothing."""
    return value is None or str(value).strip().lower() in MISSING


def names_to_numbers(name: str, values: Iterable[Any]) -> tuple[npt.NDArray[np.int64], list[str]]:
    """Returns a column of names, such as seeds, as numbers from 0, and the name of each.

    Names that are whole numbers are ordered as such; "7" and 7.0 are one.

    Raises:
        DataError: A cell is missing.
    """
    texts = []
    for row, value in enumerate(values, 1):
        if is_missing(value):
            raise DataError(name, "the cell is empty; every row needs a value", row)
        texts.append(_plain(value))
    distinct = sorted(set(texts), key=_place)
    number = {text: i for i, text in enumerate(distinct)}
    return np.array([number[text] for text in texts], dtype=np.int64), distinct


def _plain(value: Any) -> str:
    text = str(value).strip()
    if isinstance(value, float | np.floating) or text.endswith(".0"):
        try:
            number = float(text)
        except ValueError:
            return text
        return str(int(number)) if number.is_integer() else text
    return text


def _place(text: str) -> tuple[float, str]:
    """Returns what names are ordered by: "7" and "07" are two, in an order that never varies."""
    try:
        return int(text), text
    except ValueError:
        return math.inf, text


def first(bad: npt.NDArray[np.bool_]) -> int | None:
    """Returns the first row that is marked, from 1; None where none is."""
    return int(bad.argmax()) + 1 if bad.any() else None


def level_of(value: float) -> float:
    """Returns a level as it is written: whole numbers as int."""
    return int(value) if float(value).is_integer() else float(value)
