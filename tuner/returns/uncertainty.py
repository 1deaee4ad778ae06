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
    Sequential,
    fewest_replicates,
    replicates_needed,
    t_quantile,
)

MOST_EXAMPLES = 10**9
"""Where the search for a sufficient number of examples ends."""


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

        return _smallest(short, 2, MOST_REPLICATES)

    def examples_needed(self, distance: float, one_sided_level: float) -> int | None:
        """Returns None: a score says nothing of the examples behind it."""
        return None


def _welch(
    counts: tuple[int, int], spreads: tuple[float, float], one_sided_level: float
) -> tuple[float, float]:
    """Returns Welch's half-width and standard error."""
    parts = [s * s / n for n, s in zip(counts, spreads, strict=True)]
    variance = sum(parts)
    if variance == 0:
        return 0.0, 0.0
    degrees = variance**2 / sum(v * v / (n - 1) for n, v in zip(counts, parts, strict=True))
    error = math.sqrt(variance)
    return t_quantile(one_sided_level, degrees) * error, error


@dataclass(frozen=True)
class Crossed:
    """A mean over R replicates, all scored on the same m examples.

    Both vary: another seed and another test set would give another mean. By the
    random-effects analysis of variance of a crossed design,
    Var = s_R²/R + s_E²/m - s_RE²/(R·m), floored at the larger of the first two; its
    degrees of freedom are Satterthwaite's (1946, "An approximate distribution of
    estimates of variance components"). Assumes that replicates and examples are drawn
    independently; examples that come in clusters must be handed in by cluster.

    With one replicate only the examples count: the bound is then of these two fits.
    A sequential design must survive the anytime-valid bound over replicates, too.

    Attributes:
        design: How the number of replicates came about.
        replicates: R.
        examples: m, or the number of clusters.
        by_replicate: s_R², variance of the replicates' means.
        by_example: s_E², variance of the examples' means.
        residual: s_RE², residual variance.
        size: Examples to a unit: above 1 where the units are clusters.
    """

    design: Design
    replicates: int
    examples: int
    by_replicate: float
    by_example: float
    residual: float
    size: float = 1.0

    @property
    def known(self) -> bool:
        """Whether there are examples to judge by."""
        return self.examples > 1

    @property
    def standard_error(self) -> float:
        """Over replicates and examples."""
        return math.sqrt(self.variance()[0])

    def variance(self) -> tuple[float, float]:
        """Returns the variance of the mean and its degrees of freedom."""
        return _crossed(
            self.replicates, self.examples, self.by_replicate, self.by_example, self.residual
        )

    def half_width(self, one_sided_level: float) -> float:
        """Returns the half-width over examples and replicates."""
        if not self.known:
            return math.inf
        variance, degrees = self.variance()
        half = t_quantile(one_sided_level, degrees) * math.sqrt(variance)
        if self.replicates > 1 and isinstance(self.design, Sequential):
            seeds = OfReplicates(self.design, self.replicates, math.sqrt(self.by_replicate))
            half = max(half, seeds.half_width(one_sided_level))
        return half

    def replicates_needed(self, distance: float, one_sided_level: float) -> int | None:
        """Returns the smallest number of replicates, on as many examples as there are."""
        if self.replicates < 2:
            return None
        return self._needed(
            lambda n: (n, self.examples), MOST_REPLICATES, distance, one_sided_level
        )

    def examples_needed(self, distance: float, one_sided_level: float) -> int | None:
        """Returns the smallest number of examples, with as many replicates as there are."""
        units = self._needed(
            lambda m: (self.replicates, m), MOST_EXAMPLES, distance, one_sided_level
        )
        return None if units is None else math.ceil(units * self.size)

    def _needed(
        self,
        sizes: Callable[[int], tuple[int, int]],
        most: int,
        distance: float,
        one_sided_level: float,
    ) -> int | None:
        """Returns the smallest size at which half-width and .84 standard errors fit."""
        if distance <= 0:
            return None

        def short(size: int) -> bool:
            expected = self._resized(*sizes(size))
            clearance = POWER_QUANTILE * expected.standard_error
            return expected.half_width(one_sided_level) + clearance > distance

        return _smallest(short, 2, most)

    def _resized(self, replicates: int, examples: int) -> Crossed:
        """Returns what would be expected with other numbers of replicates and examples."""
        seeds = max(self.by_replicate - self.residual / self.examples, 0.0)
        cases = max(self.by_example - self.residual / self.replicates, 0.0)
        return Crossed(
            self.design,
            replicates,
            examples,
            seeds + self.residual / examples,
            cases + self.residual / replicates,
            self.residual,
        )


def _crossed(
    replicates: int, examples: int, by_replicate: float, by_example: float, residual: float
) -> tuple[float, float]:
    """Returns the crossed variance and Satterthwaite's degrees of freedom."""
    cases, case_degrees = by_example / examples, examples - 1.0
    if replicates < 2:
        return cases, case_degrees
    seeds, seed_degrees = by_replicate / replicates, replicates - 1.0
    both = residual / (replicates * examples)
    variance = seeds + cases - both
    if variance <= max(seeds, cases):
        return (seeds, seed_degrees) if seeds >= cases else (cases, case_degrees)
    spread = seeds**2 / seed_degrees + cases**2 / case_degrees
    spread += both**2 / (seed_degrees * case_degrees)
    return variance, max(variance**2 / spread, min(seed_degrees, case_degrees))


def _smallest(short: Callable[[int], bool], least: int, most: int) -> int | None:
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
