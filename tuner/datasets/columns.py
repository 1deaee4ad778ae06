"""A table's columns: numbers, truth values, dates and text, with the cells that are missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tuner.datasets.base import DataError

MISSING = ("", "na", "n/a", "nan", "null", "none", "?")
"""What stands for a missing cell in a file of text, in small letters or capitals."""

_DATE = r"^\d{4}-\d{2}-\d{2}([ T]|$)"
_MICROSECONDS_A_SECOND = 1_000_000


@dataclass(frozen=True)
class Column:
    """A column as it stands in the file.

    Attributes:
        name: Its name.
        kind: What its cells are.
        cells: Shape (rows,), float64: the numbers; 0 or 1; seconds since 1970; or of text
            the places of the cells among `values`. NaN where a cell is missing.
        values: A text's different values, sorted; else none.
    """

    name: str
    kind: Literal["number", "boolean", "date", "text"]
    cells: npt.NDArray[np.float64]
    values: tuple[str, ...] = ()

    @property
    def missing(self) -> npt.NDArray[np.bool_]:
        """Shape (rows,): where a cell is missing."""
        return np.isnan(self.cells)

    def texts(self) -> npt.NDArray[np.str_]:
        """Returns a text's cells, which must all be there."""
        return np.array(self.values, dtype=np.str_)[self.cells.astype(np.int64)]


def from_text(
    name: str, cells: pa.ChunkedArray, missing: Sequence[str] = MISSING, *, text: bool = False
) -> Column:
    """Returns a column of a file that says nothing of types.

    Cells are numbers if all are; else true and false; else dates as in 2024-05-31, with a
    time of day or not; else text. Spaces around a cell don't count.

    Args:
        name: The column's name.
        cells: Text.
        missing: What stands for a missing cell, in small letters.
        text: Whether they are text whatever they look like.
    """
    values, places = _encoded(pc.utf8_trim_whitespace(cells))
    absent = pc.is_in(pc.utf8_lower(values), value_set=pa.array(missing, values.type))
    held = pc.filter(values, pc.invert(absent))
    kind, typed = _typed(held)
    if text or kind == "text":
        return _text(name, held, _renumbered(places, absent))
    # A place of -1, of no value at all, is the last one, which is missing.
    cells_of = np.full(len(values) + 1, np.nan)
    cells_of[np.flatnonzero(~absent.to_numpy(zero_copy_only=False))] = typed
    return Column(name, kind, cells_of[places])


def from_arrow(name: str, cells: pa.ChunkedArray, where: str) -> Column:
    """Returns a column of a file that says what its cells are.

    Raises:
        DataError: They are nothing that can be learnt from.
    """
    kind = cells.type
    numbered = pa.types.is_dictionary(kind)
    if numbered and not _is_text(kind.value_type):
        return from_arrow(name, cells.cast(kind.value_type), where)
    if numbered or _is_text(kind):
        values, places = _encoded(cells)
        return _text(name, values, np.where(places < 0, np.nan, places))
    if pa.types.is_null(kind):
        return Column(name, "number", np.full(len(cells), np.nan))
    if pa.types.is_boolean(kind):
        return Column(name, "boolean", _floats(cells.cast(pa.uint8())))
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        stamps = cells.cast(pa.timestamp("us", getattr(kind, "tz", None)), safe=False)
        return Column(name, "date", _floats(stamps.cast(pa.int64())) / _MICROSECONDS_A_SECOND)
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return Column(name, "number", _floats(cells.cast(pa.float64(), safe=False)))
    raise DataError(
        f"{where}: column {name!r} holds {kind}; numbers, truth values, dates and text are read: "
        f"convert it, or leave it out (drop={name})"
    )


def _typed(values: pa.Array) -> tuple[Literal["number", "boolean", "date", "text"], np.ndarray]:
    """Returns what the different values are, and them as float64 unless they are text."""
    try:
        return "number", _floats(values.cast(pa.float64()))
    except pa.ArrowInvalid:
        pass  # not all are numbers; the next kind is tried
    lower = pc.utf8_lower(values)
    if pc.all(pc.is_in(lower, value_set=pa.array(["true", "false"], lower.type))).as_py():
        return "boolean", _floats(pc.equal(lower, "true").cast(pa.uint8()))
    if pc.all(pc.match_substring_regex(values, _DATE)).as_py():
        try:
            stamps = values.cast(pa.timestamp("us")).cast(pa.int64())
            return "date", _floats(stamps) / _MICROSECONDS_A_SECOND
        except pa.ArrowInvalid:
            pass  # they begin as dates do, and are none
    return "text", np.empty(0)


def _text(name: str, values: pa.Array, places: npt.NDArray[np.float64]) -> Column:
    """Returns a column of text with its values sorted, and none that no cell has."""
    texts = values.to_pylist()
    used = np.unique(places[~np.isnan(places)]).astype(np.int64)
    order = sorted({texts[place] for place in used})
    number = {text: rank for rank, text in enumerate(order)}
    ranks = np.array([number.get(text, np.nan) for text in texts] + [np.nan], dtype=np.float64)
    cells = np.where(np.isnan(places), len(texts), places).astype(np.int64)
    return Column(name, "text", ranks[cells], tuple(order))


def _renumbered(places: npt.NDArray[np.int64], absent: pa.Array) -> npt.NDArray[np.float64]:
    """Returns the places among the values that are left where the absent ones are taken out."""
    gone = absent.to_numpy(zero_copy_only=False)
    left = np.append(np.where(gone, np.nan, np.cumsum(~gone) - 1.0), np.nan)
    renumbered: npt.NDArray[np.float64] = left[places]
    return renumbered


def _encoded(cells: pa.ChunkedArray) -> tuple[pa.Array, npt.NDArray[np.int64]]:
    """Returns the different values, and each cell's place among them, -1 where there is none."""
    if not len(cells):
        return pa.array([], pa.string()), np.empty(0, dtype=np.int64)
    # In one piece: to number each piece's values takes time that grows with its square.
    if not pa.types.is_dictionary(cells.type):
        cells = cells.cast(pa.large_string()).combine_chunks()
    whole = cells.unify_dictionaries() if isinstance(cells, pa.ChunkedArray) else cells
    encoded = whole.dictionary_encode()
    pieces = encoded.chunks if isinstance(encoded, pa.ChunkedArray) else [encoded]
    places = [pc.fill_null(piece.indices.cast(pa.int64()), -1) for piece in pieces]
    joined = [place.to_numpy(zero_copy_only=False) for place in places]
    return pieces[0].dictionary, np.concatenate(joined)


def _floats(cells: pa.Array | pa.ChunkedArray) -> npt.NDArray[np.float64]:
    return np.array(cells.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False))


def _is_text(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    )
