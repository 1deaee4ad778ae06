"""From scores to bounds: every pair of measured levels, and every level's mean."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tuner.curve import Question
from tuner.record import Comparison
from tuner.returns.bounds import ROUNDING, Floats, believed_spread, half_width


@dataclass(frozen=True)
class Pair:
    """Two measured levels on the replicates that both have.

    Attributes:
        comparison: The bounds of U_larger - U_smaller.
        gain: Mean paired difference; positive favours the larger level. Where they
            share no replicate, the difference of their means, which nothing bounds.
        gain_low: Lower bound of the gain.
        gain_high: Upper bound of the gain.
        doublings: log2(larger / smaller).
        spread: Standard deviation that the bounds reckon with; inf where unknown.
        equal: Whether all differences, at least two, are the same.
    """

    comparison: Comparison
    gain: float
    gain_low: float
    gain_high: float
    doublings: float
    spread: float
    equal: bool


@dataclass(frozen=True)
class Mean:
    """A level's mean score and its bounds, in the metric's own units."""

    replicates: int
    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Measured:
    """All that is measured of one search.

    Attributes:
        levels: The measured levels, rising.
        pairs: By smaller and larger level.
        means: By level.
        step: Smallest step between the replicates of a level that was seen; 0
            where no level's replicates differ.
    """

    levels: tuple[int, ...]
    pairs: Mapping[tuple[int, int], Pair]
    means: Mapping[int, Mean]
    step: float


def pair_level(question: Question) -> float:
    """Returns the one-sided level of every comparison: alpha/(K-1) for K declared levels."""
    return question.alpha / max(len(question.levels) - 1, 1)


def measure_pairs(question: Question, scores: Mapping[int, Mapping[int, float]]) -> Measured:
    """Returns the bounds of all pairs of measured levels and of all means.

    A pair's bounds are one-sided at alpha/(K-1). A mean's are two-sided at
    alpha/K, so that all K hold together.

    Args:
        question: What is asked.
        scores: Level to replicate to finite score.

    Raises:
        ValueError: A score isn't finite, or a level isn't declared.
    """
    levels, values = _table(question, scores)
    if not levels:
        return Measured((), {}, {}, 0.0)
    # A power of two as unit keeps squares from over- and underflowing and changes no digit.
    unit = _unit(question, levels, values)
    values = values / unit
    price = question.margin / unit
    rounding = ROUNDING * max(float(np.nanmax(np.abs(values))), price * _doublings(levels))
    step = _smallest_step(values, rounding)

    counts, means, deviations = _moments(values)
    level = question.alpha / (2 * max(len(question.levels), 1))
    by_level = {}
    for i, name in enumerate(levels):
        n, mean = int(counts[i]), float(means[i])
        width = half_width(n, believed_spread(n, float(deviations[i]), rounding, step), level)
        by_level[name] = Mean(n, mean * unit, (mean - width) * unit, (mean + width) * unit)

    small, large = np.triu_indices(len(levels), 1)
    sign = -1.0 if question.direction == "minimize" else 1.0
    counts, gains, deviations = _moments(sign * (values[large] - values[small]))
    gains = np.where(counts > 0, gains, sign * (means[large] - means[small]))
    level = pair_level(question)
    pairs = {}
    for i, (k, j) in enumerate(zip(small.tolist(), large.tolist(), strict=True)):
        n, gain, deviation = int(counts[i]), float(gains[i]), float(deviations[i])
        doublings = math.log2(levels[j] / levels[k])
        spread = believed_spread(n, deviation, rounding, step)
        width = half_width(n, spread, level)
        # Rounding must not decide where a bound lies exactly on zero.
        low, mid, high = (
            _snap(x - price * doublings, rounding) * unit
            for x in (gain - width, gain, gain + width)
        )
        pairs[levels[k], levels[j]] = Pair(
            comparison=Comparison(levels[k], levels[j], n, mid, low, high),
            gain=_snap(gain, rounding) * unit,
            gain_low=_snap(gain - width, rounding) * unit,
            gain_high=_snap(gain + width, rounding) * unit,
            doublings=doublings,
            spread=spread * unit,
            equal=n >= 2 and deviation <= rounding,
        )
    return Measured(levels, pairs, by_level, step * unit)


def _table(
    question: Question, scores: Mapping[int, Mapping[int, float]]
) -> tuple[tuple[int, ...], Floats]:
    """Returns the measured levels and their scores, (levels, replicates), NaN where missing."""
    levels = tuple(sorted(level for level, row in scores.items() if row))
    undeclared = sorted(set(levels) - set(question.levels))
    if undeclared:
        raise ValueError(
            f"scores: level {undeclared[0]} of {question.search!r} is not on the declared ladder "
            f"{question.levels}"
        )
    # Sorted, so that no sum depends on the order in which rows came.
    replicates = sorted({replicate for level in levels for replicate in scores[level]})
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
    return levels, values


def _doublings(levels: tuple[int, ...]) -> float:
    """Returns the doublings from the first level to the last."""
    return math.log2(levels[-1] / levels[0])


def _unit(question: Question, levels: tuple[int, ...], values: Floats) -> float:
    """Returns the power of two below the largest number at play; 1 where all are 0."""
    largest = max(float(np.nanmax(np.abs(values))), question.margin * _doublings(levels))
    return math.ldexp(1.0, math.frexp(largest)[1] - 1) if largest > 0 else 1.0


def _smallest_step(values: Floats, rounding: float) -> float:
    """Returns the smallest step between replicates of one level; 0 where none differ."""
    gaps = np.diff(np.sort(values, axis=1), axis=1)
    gaps = gaps[gaps > rounding]
    return float(gaps.min()) if gaps.size else 0.0


def _moments(rows: Floats) -> tuple[Floats, Floats, Floats]:
    """Returns count, mean and standard deviation of each row's numbers, 0 where undefined."""
    there = ~np.isnan(rows)
    counts = there.sum(axis=1)
    means = np.where(there, rows, 0.0).sum(axis=1) / np.maximum(counts, 1)
    squares = np.where(there, rows - means[:, None], 0.0) ** 2
    deviations = np.sqrt(squares.sum(axis=1) / np.maximum(counts - 1, 1))
    return counts.astype(np.float64), means, deviations


def _snap(value: float, rounding: float) -> float:
    """Returns 0 for what is only rounding."""
    return 0.0 if abs(value) <= rounding else value
