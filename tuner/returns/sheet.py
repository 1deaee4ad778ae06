"""Somebody's sweep, read and judged: rows to levels by replicates."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tuner.returns import words
from tuner.returns.bounds import Floats
from tuner.returns.columns import (
    DataError,
    column,
    first,
    level_of,
    names_to_numbers,
    numbers,
)

MOST_LEVELS = 500
"""Above this, it isn't a ladder of capacity; all pairs of levels are compared."""

LEAST_STEP = 1e-9
"""Levels that are no further apart, relative to themselves, are one with rounding."""

MOST_CELLS = 50_000_000
"""Levels times replicates that fit in memory."""


@dataclass(frozen=True)
class Sheet:
    """A table of scores.

    Attributes:
        levels: The levels that have a row, rising.
        replicates: Names of the replicates, rising; empty where there is no such column.
        values: (levels, replicates): NaN where a score is missing. Without a column of
            replicates a row is as long as its level has scores, sorted.
        failed: (levels, replicates): true where there is a row without a finite score.
        costs: Mean cost by level; NaN where none is known.
        capacities: What is doubled, by level; empty where that is the level.
        notes: What a reader should know of how it was read.
    """

    levels: tuple[float, ...]
    replicates: tuple[str, ...]
    values: Floats
    failed: npt.NDArray[np.bool_]
    costs: Floats
    capacities: tuple[float, ...] = ()
    notes: tuple[str, ...] = ()


def read_sheet(
    frame: Any,
    *,
    level: str,
    score: str,
    replicate: str | None = None,
    cost: str | None = None,
    per: str | None = None,
) -> Sheet:
    """Reads a data frame, or a mapping of columns. The order of rows makes no difference.

    A missing, NaN or infinite score is a replicate that failed. Rows that say the same
    of the same replicate count once, with the least cost that they name.

    Raises:
        DataError: A column is missing, a cell is wrong, or two rows contradict each other.
    """
    levels = numbers(level, column(frame, level))
    if len(levels) == 0:
        raise DataError("", "it has no rows")

    def beside(name: str | None) -> Floats:
        if not name:
            return np.full(len(levels), np.nan)
        values = numbers(name, column(frame, name))
        _judge_length(name, len(values), level, len(levels))
        return values

    scores, costs, sizes = beside(score), beside(cost), beside(per)
    distinct, place = _distinct(level, levels)
    if cost and (row := first(np.isinf(costs) | (costs < 0))):
        raise DataError(cost, f"{costs[row - 1]:g} is no cost; give a number from 0 up", row)
    if per and (row := first(~(np.isfinite(sizes) & (sizes > 0)))):
        raise DataError(per, "it can't be doubled; capacities are numbers above 0", row)
    notes: list[str] = []
    # By all that a row says, so that nothing depends on the order in which rows came.
    if replicate:
        numbered, names = names_to_numbers(replicate, column(frame, replicate))
        _judge_length(replicate, len(numbered), level, len(levels))
        order = np.lexsort((sizes, costs, scores, numbered, place))
        keep = _once(replicate, order, place, numbered, scores, notes)
        place, numbered = place[keep], numbered[keep]
    else:
        keep = np.lexsort((sizes, costs, scores, place))
        place, names = place[keep], []
        starts = np.searchsorted(place, np.arange(len(distinct)))
        numbered = np.arange(len(keep)) - starts[place]
    width = int(numbered.max()) + 1
    if len(distinct) * width > MOST_CELLS:
        raise DataError(
            replicate or level, f"{len(distinct)} levels by {width} replicates are too many"
        )
    values = np.full((len(distinct), width), np.nan)
    values[place, numbered] = scores[keep]
    failed = np.zeros(values.shape, dtype=bool)
    failed[place, numbered] = ~np.isfinite(scores[keep])
    values[failed] = np.nan
    return Sheet(
        tuple(map(level_of, distinct.tolist())),
        tuple(names),
        values,
        failed,
        _means(costs[keep], place, len(distinct)),
        _capacities(per, sizes[keep], distinct, place) if per else (),
        tuple(notes),
    )


def _judge_length(name: str, length: int, level: str, rows: int) -> None:
    if length != rows:
        raise DataError(name, f"it has {length} rows where {level!r} has {rows}")


def _distinct(name: str, levels: Floats) -> tuple[Floats, npt.NDArray[np.intp]]:
    """Returns the levels, rising, and each row's place among them."""
    _judge_levels(name, levels)
    distinct, place = np.unique(levels, return_inverse=True)
    if len(distinct) > MOST_LEVELS:
        raise DataError(
            name,
            f"it has {len(distinct)} different levels; give at most {MOST_LEVELS}, or name the "
            "column that holds the capacity",
        )
    for below, above in itertools.pairwise(distinct.tolist()):
        if not below < above / (1 + LEAST_STEP):
            raise DataError(name, f"{below!r} and {above!r} are too close to be two levels")
    return distinct, place


def _judge_levels(name: str, levels: Floats) -> None:
    if row := first(~np.isfinite(levels)):
        raise DataError(name, "the cell is empty or not finite; every row needs a level", row)
    if row := first(levels <= 0):
        raise DataError(
            name, f"{levels[row - 1]:g} can't be doubled; levels are numbers above 0", row
        )


def _once(
    name: str,
    order: npt.NDArray[np.intp],
    place: npt.NDArray[np.intp],
    numbered: npt.NDArray[np.int64],
    scores: Floats,
    notes: list[str],
) -> npt.NDArray[np.intp]:
    """Returns the rows to read of those in order: the first of each level and replicate."""
    same = np.zeros(len(order), dtype=bool)
    before, after = order[:-1], order[1:]
    same[1:] = (place[before] == place[after]) & (numbered[before] == numbered[after])
    repeats, originals = order[same], order[np.flatnonzero(same) - 1]
    differ = ~_equal(scores[repeats], scores[originals])
    if differ.any():
        first_row, second_row = sorted(
            (int(repeats[differ.argmax()]) + 1, int(originals[differ.argmax()]) + 1)
        )
        raise DataError(
            name,
            f"rows {first_row} and {second_row} are the same level and replicate with different "
            "scores; keep one setting a level, for the best of several flatters it",
            second_row,
        )
    if same.any():
        notes.append(f"{words.count(int(same.sum()), 'row')} repeated another and count once")
    return order[~same]


def _equal(a: Floats, b: Floats) -> npt.NDArray[np.bool_]:
    equal: npt.NDArray[np.bool_] = (a == b) | (np.isnan(a) & np.isnan(b))
    return equal


def _means(values: Floats, place: npt.NDArray[np.intp], levels: int) -> Floats:
    """Returns the mean by level of what is known, NaN where nothing is."""
    known = np.isfinite(values)
    counts = np.bincount(place[known], minlength=levels)
    # Sorted, so that no sum depends on the order of rows.
    order = np.lexsort((values[known], place[known]))
    sums = np.bincount(place[known][order], values[known][order], minlength=levels)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def _capacities(
    name: str, values: Floats, levels: Floats, place: npt.NDArray[np.intp]
) -> tuple[float, ...]:
    means = _means(values, place, len(levels))
    if (np.diff(means) <= 0).any():
        at = int((np.diff(means) <= 0).argmax())
        raise DataError(
            name,
            f"it doesn't rise from level {level_of(levels[at])} to {level_of(levels[at + 1])}, so "
            "it can't be what is doubled",
        )
    return tuple(map(level_of, means.tolist()))
