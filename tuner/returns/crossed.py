"""How far a mean may be off over replicates and the examples that they share."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import special

from tuner.returns.bounds import Floats, believed_spread
from tuner.returns.designs import (
    MOST_REPLICATES,
    POWER_QUANTILE,
    Design,
    Sequential,
)
from tuner.returns.uncertainty import OfReplicates, smallest

MOST_EXAMPLES = 10**9
"""Where the search for a sufficient number of examples ends."""


@dataclass(frozen=True)
class Crossed:
    """A mean over R replicates, all scored on the same m examples.

    Both vary: another seed and another test set would give another mean. By the
    random-effects analysis of variance of a crossed design,
    Var = s_R²/R + s_E²/m - s_RE²/(R·m), floored at the larger of the first two; its
    degrees of freedom are Satterthwaite's (1946, "An approximate distribution of
    estimates of variance components"), and its quantile never below Cochran's. Assumes
    that replicates and examples are drawn independently; examples that come in clusters
    must be handed in by cluster.

    With one replicate only the examples count: the bound is then of these two fits.
    A sequential design must survive the anytime-valid bound over replicates, too.

    Attributes:
        design: How the number of replicates came about.
        replicates: R.
        examples: m, or the number of clusters.
        by_replicate: s_R², variance of the replicates' means.
        by_example: s_E², variance of the examples' means; inf where nothing is known of it.
        residual: s_RE², residual variance.
        size: Examples to a unit: above 1 where the units are clusters.
        unit: What the variances are counted in, squared, so that they stay in range.
        step: Smallest step of a score, in that unit, for replicates whose means are equal.
    """

    design: Design
    replicates: int
    examples: int
    by_replicate: float
    by_example: float
    residual: float
    size: float = 1.0
    unit: float = 1.0
    step: float = 0.0

    @property
    def known(self) -> bool:
        """Whether there are examples to judge by."""
        return self.examples > 1 and math.isfinite(self.by_example)

    @property
    def standard_error(self) -> float:
        """Over replicates and examples; inf where unknown."""
        return math.sqrt(self.variance()[0]) * self.unit if self.known else math.inf

    def variance(self) -> tuple[float, float]:
        """Returns the variance of the mean, in the unit squared, and its degrees of freedom."""
        variance, degrees, _ = self._crossed()
        return float(variance), float(degrees)

    def _crossed(self) -> tuple[Floats, Floats, Floats]:
        return _crossed(
            self.replicates, self.examples, self.by_replicate, self.by_example, self.residual
        )

    def half_width(self, one_sided_level: float) -> float:
        """Returns the half-width over examples and replicates."""
        if not self.known:
            return math.inf
        variance, degrees, share = self._crossed()
        quantile = _quantile(one_sided_level, degrees, share, self.replicates, self.examples)
        half = float(quantile * np.sqrt(variance))
        seeds = self._over_replicates(self.replicates, self.by_replicate, one_sided_level)
        return max(half, seeds) * self.unit

    def _over_replicates(self, n: int, by_replicate: float, one_sided_level: float) -> float:
        """Returns the half-width over replicates that a sequential design asks for, in the unit."""
        if n < 2 or not isinstance(self.design, Sequential):
            return 0.0
        spread = believed_spread(n, math.sqrt(by_replicate), 0.0, self.step / self.examples)
        return OfReplicates(self.design, n, spread).half_width(one_sided_level)

    def replicates_needed(self, distance: float, one_sided_level: float) -> int | None:
        """Returns the smallest number of replicates, on as many examples as there are."""
        if self.replicates < 2:
            return None
        return self._needed(_REPLICATES, True, distance, one_sided_level)

    def examples_needed(self, distance: float, one_sided_level: float) -> int | None:
        """Returns the smallest number of examples, with as many replicates as there are."""
        units = self._needed(_EXAMPLES, False, distance, one_sided_level)
        return None if units is None else math.ceil(units * self.size)

    def _needed(
        self, sizes: Floats, of_replicates: bool, distance: float, one_sided_level: float
    ) -> int | None:
        """Returns the smallest size at which half-width and .84 standard errors fit.

        They needn't fall all the way: with more examples the degrees of freedom go
        over to the few replicates, and the quantile may rise faster than the variance
        falls. So the sizes are gone through upwards, large ones in steps of a few per cent.
        """
        if distance <= 0 or not self.known:
            return None

        def reach(n: Floats) -> Floats:
            if of_replicates:
                return self._reach(n, np.float64(self.examples), one_sided_level)
            return self._reach(np.float64(self.replicates), n, one_sided_level)

        fits = reach(sizes) <= distance / self.unit
        if not fits.any():
            return None
        i = int(fits.argmax())
        least, most = int(sizes[max(i - 1, 0)]), int(sizes[i])
        return smallest(
            lambda n: bool(reach(np.array([float(n)]))[0] > distance / self.unit), least, most
        )

    def _reach(
        self, replicates: Floats | np.float64, examples: Floats | np.float64, one_sided_level: float
    ) -> Floats:
        """Returns half-width and .84 standard errors, as expected with other numbers, in the unit.

        One of the two numbers is an array; only the other may be 1.
        """
        seeds = max(self.by_replicate - self.residual / self.examples, 0.0)
        cases = max(self.by_example - self.residual / self.replicates, 0.0)
        by_replicate = seeds + self.residual / examples
        by_example = cases + self.residual / replicates
        variance, degrees, share = _crossed(
            replicates, examples, by_replicate, by_example, self.residual
        )
        error = np.sqrt(variance)
        half = _quantile(one_sided_level, degrees, share, replicates, examples) * error
        if isinstance(self.design, Sequential):
            numbers = np.broadcast_arrays(replicates, by_replicate)
            pairs = zip(*(x.ravel().tolist() for x in numbers), strict=True)
            over = [self._over_replicates(int(n), v, one_sided_level) for n, v in pairs]
            half = np.maximum(half, over)
        reached: Floats = half + POWER_QUANTILE * error
        return reached


def _grid(all_to: int, most: int, ratio: float) -> Floats:
    """Returns the whole numbers from 2 to one number, and on to another in growing steps."""
    steps = math.ceil(math.log(most / all_to) / math.log(ratio))
    grown = np.round(np.geomspace(all_to, most, steps + 1))
    return np.unique(np.concatenate([np.arange(2.0, all_to), grown]))


_REPLICATES = _grid(128, MOST_REPLICATES, 1.02)
_EXAMPLES = _grid(64, MOST_EXAMPLES, 1.05)


def _crossed(
    replicates: int | Floats | np.float64,
    examples: int | Floats | np.float64,
    by_replicate: float | Floats,
    by_example: float | Floats,
    residual: float,
) -> tuple[Floats, Floats, Floats]:
    """Returns the crossed variance, Satterthwaite's degrees, and the seeds' share of it."""
    cases, case_degrees = np.asarray(by_example) / examples, np.asarray(examples) - 1.0
    if np.max(replicates) < 2:
        return cases, case_degrees, np.zeros_like(cases)
    seeds, seed_degrees = np.asarray(by_replicate) / replicates, np.asarray(replicates) - 1.0
    both = residual / (np.asarray(replicates, dtype=np.float64) * examples)
    larger = np.maximum(seeds, cases)
    variance = seeds + cases - both
    # In units of the larger one, so that no square leaves the range of floats.
    unit = np.where(larger > 0, larger, 1.0)
    spread = (seeds / unit) ** 2 / seed_degrees + (cases / unit) ** 2 / case_degrees
    spread = spread + (both / unit) ** 2 / (seed_degrees * case_degrees)
    degrees = (variance / unit) ** 2 / np.where(spread > 0, spread, 1.0)
    degrees = np.maximum(degrees, np.minimum(seed_degrees, case_degrees))
    of_larger = np.where(seeds >= cases, seed_degrees, case_degrees)
    variance, degrees = (
        np.maximum(variance, larger),
        np.where(variance <= larger, of_larger, degrees),
    )
    share = (seeds / unit) / np.where(larger > 0, (seeds + cases) / unit, 1.0)
    return variance, degrees, share


def _quantile(
    one_sided_level: float,
    degrees: Floats,
    share: Floats,
    replicates: int | Floats | np.float64,
    examples: int | Floats | np.float64,
) -> Floats:
    """Returns the wider of Satterthwaite's quantile and Cochran's.

    With two or three replicates Satterthwaite's degrees of freedom are too many where
    seeds bring most of the variance but not all of it: a 95 % interval covered 87 %.
    Cochran (1964, "Approximate significance levels of the Behrens-Fisher test") weights
    the quantiles of both sources by their share of the variance instead.
    """
    quantile = _upper(degrees, one_sided_level)
    if np.max(replicates) < 2:
        return quantile
    of_seeds = _upper(np.asarray(replicates) - 1.0, one_sided_level)
    of_cases = _upper(np.asarray(examples) - 1.0, one_sided_level)
    wider: Floats = np.maximum(quantile, share * of_seeds + (1 - share) * of_cases)
    return wider


def _upper(degrees: Floats, one_sided_level: float) -> Floats:
    """Returns Student's t that is exceeded with this chance, for all degrees of freedom."""
    return np.asarray(-special.stdtrit(degrees, one_sided_level), dtype=np.float64)
