"""Every pair of measured levels with its bounds, and every level's mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tuner.curve import Question
from tuner.record import Comparison
from tuner.returns.uncertainty import Uncertainty


@dataclass(frozen=True)
class Pair:
    """Two measured levels on what both were measured on.

    Attributes:
        comparison: The bounds of U_larger - U_smaller.
        gain: Mean paired difference; positive favours the larger level. Where they
            share no replicate, the difference of their means, which nothing bounds.
        gain_low: Lower bound of the gain, at the comparison's level.
        gain_high: Upper bound of the gain, at the comparison's level.
        doublings: log2 of the larger capacity over the smaller.
        toll: What the larger level must gain to be worth having (`Question.toll`).
        uncertainty: What is known of how far the gain may be off.
        equal: Whether all differences, at least two, are the same.
    """

    comparison: Comparison
    gain: float
    gain_low: float
    gain_high: float
    doublings: float
    toll: float
    uncertainty: Uncertainty
    equal: bool = False


@dataclass(frozen=True)
class Mean:
    """A level's mean score, its bounds and its standard error, in the metric's own units."""

    replicates: int
    mean: float
    low: float
    high: float
    error: float


@dataclass(frozen=True)
class Measured:
    """All that is measured of one search.

    Attributes:
        levels: The measured levels, rising.
        pairs: By smaller and larger level.
        means: By level.
        step: Smallest step between the replicates of a level that was seen; 0
            where no level's replicates differ.
        fits: Whether the bounds are of these single fits, and not of their levels.
    """

    levels: tuple[float, ...]
    pairs: Mapping[tuple[float, float], Pair]
    means: Mapping[float, Mean]
    step: float
    fits: bool = False


def pair_level(question: Question) -> float:
    """Returns the one-sided level of every comparison: alpha/(K-1) for K declared levels."""
    return question.alpha / max(len(question.levels) - 1, 1)


def gain_level(question: Question) -> float:
    """Returns the one-sided level of a gain's bounds: two-sided alpha/(K-1), so that all hold."""
    return pair_level(question) / 2


def mean_level(question: Question) -> float:
    """Returns the one-sided level of every mean: two-sided alpha/K, so that all K hold together."""
    return question.alpha / (2 * max(len(question.levels), 1))


def make_mean(question: Question, replicates: int, mean: float, uncertainty: Uncertainty) -> Mean:
    """Returns the mean with its bounds, two-sided at alpha/K."""
    width = uncertainty.half_width(mean_level(question))
    return Mean(replicates, mean, mean - width, mean + width, uncertainty.standard_error)


def make_pair(
    question: Question,
    levels: tuple[float, float],
    replicates: int,
    gain: float,
    uncertainty: Uncertainty,
    rounding: float,
    equal: bool = False,
) -> Pair:
    """Returns the pair with its bounds at alpha/(K-1).

    Args:
        question: What is asked.
        levels: The smaller and the larger one.
        replicates: Pairs that the gain rests on.
        gain: Mean paired difference; positive favours the larger level.
        uncertainty: How far it may be off.
        rounding: Numbers up to this are rounding: it must not decide where a bound
            lies exactly on zero.
        equal: Whether all differences, at least two, are the same.
    """
    smaller, larger = levels
    doublings, toll = question.doublings(smaller, larger), question.toll(smaller, larger)
    width = uncertainty.half_width(pair_level(question))
    gains = gain - width, gain, gain + width
    low, mid, high = (_snap(x - toll, rounding) for x in gains)
    least, gain, most = (_snap(x, rounding) for x in gains)
    comparison = Comparison(smaller, larger, replicates, mid, low, high)
    return Pair(comparison, gain, least, most, doublings, toll, uncertainty, equal)


def _snap(value: float, rounding: float) -> float:
    return 0.0 if abs(value) <= rounding else value
