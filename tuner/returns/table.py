"""Scores as arrays, and the unit that keeps their squares in range."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import numpy as np

from tuner.curve import Question
from tuner.returns.bounds import Floats

Scores = Mapping[float, Mapping[int, float]]
"""Level to replicate to finite score; completed replicates only."""


def tabulate(
    question: Question, scores: Scores, also: Iterable[int] = ()
) -> tuple[tuple[float, ...], tuple[int, ...], Floats]:
    """Returns levels and replicates, rising, and their scores, NaN where one is missing.

    Levels without any score are not measured.

    Args:
        question: What is asked.
        scores: Level to replicate to score.
        also: Replicates to have a column for, such as those that failed.

    Raises:
        ValueError: A score isn't finite, or a level isn't declared.
    """
    levels = tuple(sorted(level for level, row in scores.items() if row))
    undeclared = sorted(set(levels) - set(question.levels))
    if undeclared:
        raise ValueError(
            f"scores: level {undeclared[0]} of {question.search!r} is not on the declared ladder "
            f"{question.levels}"
        )
    # Sorted, so that no sum depends on the order in which rows came.
    replicates = tuple(sorted({i for level in levels for i in scores[level]} | set(also)))
    column = {replicate: i for i, replicate in enumerate(replicates)}
    values = np.full((len(levels), len(replicates)), np.nan)
    for i, level in enumerate(levels):
        for replicate, score in scores[level].items():
            if not math.isfinite(score):
                raise ValueError(
                    f"scores[{level}][{replicate}] is {score}; leave out replicates that did not "
                    "complete with a finite score"
                )
            values[i, column[replicate]] = score
    return levels, replicates, values


def unit_of(largest: float) -> float:
    """Returns the power of two below a number, by which it can be divided exactly; 1 for 0."""
    return math.ldexp(1.0, math.frexp(largest)[1] - 1) if largest > 0 else 1.0


def moments(rows: Floats) -> tuple[Floats, Floats, Floats]:
    """Returns count, mean and standard deviation of each row's numbers, 0 where undefined."""
    there = ~np.isnan(rows)
    counts = there.sum(axis=1)
    means = np.where(there, rows, 0.0).sum(axis=1) / np.maximum(counts, 1)
    squares = np.where(there, rows - means[:, None], 0.0) ** 2
    deviations = np.sqrt(squares.sum(axis=1) / np.maximum(counts - 1, 1))
    return counts.astype(np.float64), means, deviations


def smallest_step(rows: Floats, rounding: float) -> float:
    """Returns the smallest step between the numbers of a row; 0 where none differ."""
    gaps = np.diff(np.sort(rows, axis=1), axis=1)
    gaps = gaps[gaps > rounding]
    return float(gaps.min()) if gaps.size else 0.0
