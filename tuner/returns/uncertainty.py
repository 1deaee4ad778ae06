"""How far a mean may be off, and how much more measuring would mend it.

Each kind of evidence about a mean difference answers the same three questions, so
the rule and the verdict don't ask where a bound comes from.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from tuner.returns.bounds import EQUAL_PAIRS
from tuner.returns.designs import (
    MOST_REPLICATES,
    POWER_QUANTILE,
    Design,
    fewest_replicates,
    replicates_needed,
    t_quantile,
)


class Uncertainty(Protocol):
    """What is known of how far a mean may be off."""

    @property
    def known(self) -> bool:
        """Whether anything is known of the spread."""
        ...

    @property
    def standard_error(self) -> float:
        """The standard error of the mean; inf where unknown."""
        ...

    def half_width(self, one_sided_level: float) -> float:
        """Returns how far the bound lies from the mean; inf where nothing bounds it."""
        ...

    def replicates_needed(self, distance: float, one_sided_level: float) -> int | None:
        """Returns the replicates in all that would likely tell the mean from what is so far off.

        None where no number of them would.
        """
        ...

    def examples_needed(self, distance: float, one_sided_level: float) -> int | None:
        """Returns the examples in all that would, or None where they can't or aren't known."""
        ...


@dataclass(frozen=True)
class OfReplicates:
    """A mean of n values, one a replicate.

    Attributes:
        design: How their number came about.
        n: Values.
        spread: The standard deviation to reckon with; inf where unknown.
    """

    design: Design
    n: int
    spread: float

    @property
    def known(self) -> bool:
        """Whether anything is known of the spread."""
        return math.isfinite(self.spread)

    @property
    def standard_error(self) -> float:
        """The spread times the design's scale."""
        return self.design.scale(self.n) * self.spread if self.n else math.inf

    def half_width(self, one_sided_level: float) -> float:
        """Returns multiplier · scale · spread."""
        if self.n < 1 or not self.known:
            return math.inf
        multiplier = self.design.multiplier(self.n, one_sided_level)
        return math.inf if math.isinf(multiplier) else multiplier * self.standard_error

    def replicates_needed(self, distance: float, one_sided_level: float) -> int | None:
        """Returns the smallest number at which half-width and .84 standard errors fit."""
        if distance <= 0:
            return None
        if self.spread == 0:
            return max(EQUAL_PAIRS, fewest_replicates(self.design, one_sided_level))
        return replicates_needed(self.design, distance, self.spread, one_sided_level)

    def examples_needed(self, distance: float, one_sided_level: float) -> int | None:
        """Returns None: a score says nothing of the examples behind it."""
        return None


@dataclass(frozen=True)
class Unpaired:
    """A difference of two means whose values can't be paired.

    Welch 1947, "The generalization of Student's problem when several different
    population variances are involved": its degrees of freedom are Satterthwaite's.
    Assumes independent, near-Gaussian values and one look. What two levels share
    (a lucky split) doesn't cancel, so it is wider than a paired bound.

    Attributes:
        counts: Values of the smaller and of the larger level.
        spreads: Their standard deviations; inf where unknown.
    """

    counts: tuple[int, int]
    spreads: tuple[float, float]

    @property
    def known(self) -> bool:
        """Whether anything is known of both spreads."""
        return all(map(math.isfinite, self.spreads))

    @property
    def standard_error(self) -> float:
        """Of the difference of the two means."""
        return math.hypot(
            *(s / math.sqrt(n) for n, s in zip(self.counts, self.spreads, strict=True))
        )

    def half_width(self, one_sided_level: float) -> float:
        """Returns Welch's half-width."""
        if not self.known:
            return math.inf
        return _welch(self.counts, self.spreads, one_sided_level)[0]

    def replicates_needed(self, distance: float, one_sided_level: float) -> int | None:
        """Returns the smallest number, the same at both levels."""
        if distance <= 0 or not self.known:
            return None

        def short(n: int) -> bool:
            half, error = _welch((n, n), self.spreads, one_sided_level)
            return half + POWER_QUANTILE * error > distance

        return smallest(short, 2, MOST_REPLICATES)

    def examples_needed(self, distance: float, one_sided_level: float) -> int | None:
        """Returns None: a score says nothing of the examples behind it."""
        return None


def _welch(
    counts: tuple[int, int], spreads: tuple[float, float], one_sided_level: float
) -> tuple[float, float]:
    """Returns Welch's half-width and standard error."""
    # In units of the larger spread, so that no square leaves the range of floats.
    unit = max(spreads)
    if unit == 0:
        return 0.0, 0.0
    parts = [(s / unit) ** 2 / n for n, s in zip(counts, spreads, strict=True)]
    variance = sum(parts)
    degrees = variance**2 / sum(v * v / (n - 1) for n, v in zip(counts, parts, strict=True))
    error = math.sqrt(variance) * unit
    return t_quantile(one_sided_level, degrees) * error, error


def smallest(short: Callable[[int], bool], least: int, most: int) -> int | None:
    """Returns the smallest number that isn't short, for something that falls; None above most."""
    if short(most):
        return None
    while least < most:
        middle = (least + most) // 2
        if short(middle):
            least = middle + 1
        else:
            most = middle
    return least
