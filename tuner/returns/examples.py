"""Scores of every test example, replicates crossed with examples.

All levels and replicates are scored on the same examples, so differences are paired
by both, and a verdict has to survive both: another seed and another test set.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import numpy.typing as npt

from tuner.curve import Question
from tuner.returns.bounds import ROUNDING, Floats
from tuner.returns.crossed import Crossed
from tuner.returns.designs import FIXED, Design, Sequential
from tuner.returns.evidence import Joint, equal_factor
from tuner.returns.pairs import Measured, make_mean, make_pair
from tuner.returns.table import unit_of


@dataclass(frozen=True)
class Examples:
    """What each replicate of each level scored on each example.

    Attributes:
        levels: The measured levels, rising.
        values: (levels, replicates, units): finite; a unit is an example, or a cluster
            of them (`clustered`), or a group of a jackknife.
        design: How the number of replicates came about.
        size: Examples to a unit.
        numbers: The replicates' numbers; their places where omitted.
        step: Smallest step of a score of a unit, where it is known; 0 where it is to be
            seen from the scores.
    """

    levels: tuple[float, ...]
    values: Floats
    design: Design = FIXED
    size: float = 1.0
    numbers: tuple[int, ...] = ()
    step: float = 0.0

    @property
    def replicates(self) -> tuple[int, ...]:
        """The replicates, by their place in the array they came in."""
        return self.numbers or tuple(range(self.values.shape[1]))

    def measure(self, question: Question) -> Measured:
        """Returns the bounds of all pairs and means over replicates and examples."""
        largest = float(np.abs(self.values).max(initial=0.0))
        unit = unit_of(largest)
        rounding = ROUNDING * largest
        scaled = self.values / unit
        parts = _Covariances.of(scaled)
        sign = -1.0 if question.direction == "minimize" else 1.0
        r = self.values.shape[1]
        of_means = [parts.of_mean(i) for i in range(len(self.levels))]
        of_pairs = {
            (i, j): parts.of_difference(i, j) for i, j in combinations(range(len(self.levels)), 2)
        }
        step = self.step / unit
        if not step and any(self._lacks(v) for v in (*of_means, *of_pairs.values())):
            step = _smallest_step(scaled)
        by_level = {}
        for i, name in enumerate(self.levels):
            mean = float(parts.means[i]) * unit
            uncertainty = self._uncertainty(of_means[i], step, unit)
            by_level[name] = make_mean(question, r, mean, uncertainty)
        pairs = {}
        for (i, j), variances in of_pairs.items():
            levels = self.levels[i], self.levels[j]
            pairs[levels] = make_pair(
                question,
                levels,
                r,
                sign * float(parts.means[j] - parts.means[i]) * unit,
                self._uncertainty(variances, step, unit),
                rounding,
                equal=max(variances) == 0.0,
            )
        step = step * unit / self.values.shape[2]
        return Measured(self.levels, pairs, by_level, step, fits=r == 1)

    def _lacks(self, variances: tuple[float, float, float]) -> bool:
        """Tells whether a step has to stand in for variances that are 0."""
        equal_replicates = self.values.shape[1] > 1 and variances[0] == 0.0
        return variances[1] == 0.0 or (equal_replicates and isinstance(self.design, Sequential))

    def _uncertainty(
        self, variances: tuple[float, float, float], step: float, unit: float
    ) -> Crossed:
        """Returns the crossed uncertainty; where no example differs, as if one had."""
        r, m = self.values.shape[1:]
        by_replicate, by_example, residual = variances
        if by_example == 0.0:
            # One example of m that is off by a step has variance step²/m. Where no step is
            # known, all scores are one number: that says nothing of another example.
            by_example = step**2 / m if step else math.inf
        return Crossed(self.design, r, m, by_replicate, by_example, residual, self.size, unit, step)

    def without_replicate(self, replicate: int) -> Examples:
        """Returns the scores of all others."""
        numbers = self.replicates
        keep = [i for i, number in enumerate(numbers) if number != replicate]
        return replace(self, values=self.values[:, keep], numbers=tuple(numbers[i] for i in keep))

    def without_level(self, level: float) -> Examples:
        """Returns the scores of all other levels."""
        keep = [i for i, k in enumerate(self.levels) if k != level]
        return replace(self, levels=tuple(self.levels[i] for i in keep), values=self.values[keep])

    def joint(self) -> Joint | None:
        """Returns the means, and one factor for replicates and one for examples.

        The two count what is in both twice, so draws of them spread a little too wide.
        """
        r, m = self.values.shape[1:]
        if r < 2 or m < 2:
            return None
        unit = unit_of(float(np.abs(self.values).max()))
        values = self.values / unit
        means = values.mean(axis=(1, 2))
        seeds = (values.mean(axis=2) - means[:, None]).T / math.sqrt(r * (r - 1))
        cases = (values.mean(axis=1) - means[:, None]).T / math.sqrt(m * (m - 1))
        both = np.concatenate([seeds, cases]).T
        alike = np.array([np.abs(both - row).max(axis=1) <= ROUNDING for row in both])
        step = 0.0
        if alike.sum() > len(means):
            step = self.step / unit or _smallest_step(values)
        equal = equal_factor(alike, step / m)
        return Joint(
            self.levels,
            r,
            means,
            ((seeds, r - 1), (cases, m - 1)),
            None if equal is None else (equal, m - 1),
            unit,
        )


def clustered(values: Floats, clusters: npt.NDArray[np.generic]) -> Floats:
    """Returns scores by cluster of examples, for examples that come in clusters.

    The linearised cluster totals of a ratio (Cochran 1977, "Sampling techniques",
    chapter 9A): unit g is the replicate's mean plus G/m times the sum of its examples'
    deviations from that. Their mean is the mean over examples, and their variance is
    that of the cluster-robust estimate. Assumes many clusters, none of which dominates.

    Args:
        values: (levels, replicates, examples).
        clusters: (examples,): what each example belongs to, such as a patient.

    Returns:
        (levels, replicates, clusters).

    Raises:
        ValueError: The number of clusters' names is not that of the examples, or they
            are all one.
    """
    m = values.shape[2]
    if clusters.shape != (m,):
        raise ValueError(f"groups: {clusters.shape} names for {m} examples; give one an example")
    try:
        names, index = np.unique(clusters, return_inverse=True)
    except TypeError:
        raise ValueError("groups: some are text and some are not; give all as text") from None
    if len(names) < 2:
        raise ValueError("groups: all examples are in one group; give at least two groups")
    # Each replicate's own, lest its luck count as the examples' where clusters differ in size.
    means = values.mean(axis=2, keepdims=True)
    order = np.argsort(index, kind="stable")
    starts = np.searchsorted(index[order], np.arange(len(names)))
    sums = np.add.reduceat((values - means)[:, :, order], starts, axis=2)
    totals: Floats = means + sums * (len(names) / m)
    return totals


@dataclass(frozen=True)
class _Covariances:
    """Means (levels,) and covariances (levels, levels) of a crossed table's three parts."""

    means: Floats
    by_replicate: Floats
    by_example: Floats
    residual: Floats

    @classmethod
    def of(cls, values: Floats) -> _Covariances:
        """Takes (levels, replicates, examples)."""
        k, r, m = values.shape
        rows, columns = values.mean(axis=2), values.mean(axis=1)
        means = rows.mean(axis=1)
        seeds, cases = rows - means[:, None], columns - means[:, None]
        rest = (values - rows[:, :, None] - cases[:, None, :]).reshape(k, -1)
        return cls(
            means,
            seeds @ seeds.T / max(r - 1, 1),
            cases @ cases.T / max(m - 1, 1),
            rest @ rest.T / max((r - 1) * (m - 1), 1),
        )

    def of_mean(self, i: int) -> tuple[float, float, float]:
        """Returns the three variances of a level."""
        parts = (self.by_replicate, self.by_example, self.residual)
        first, second, third = (_above_rounding(float(c[i, i])) for c in parts)
        return first, second, third

    def of_difference(self, i: int, j: int) -> tuple[float, float, float]:
        """Returns the three variances of a difference of two levels; rounding is 0."""
        parts = (self.by_replicate, self.by_example, self.residual)
        first, second, third = (_variance(c, i, j) for c in parts)
        return first, second, third


def _variance(c: Floats, i: int, j: int) -> float:
    total = float(c[i, i] + c[j, j])
    value = total - 2 * float(c[i, j])
    return _above_rounding(value, total)


def _above_rounding(variance: float, total: float = 0.0) -> float:
    """Returns a variance of scores up to about 1, or 0 where it is what rounding leaves."""
    return variance if variance > max(ROUNDING * total, ROUNDING**2) else 0.0


def _smallest_step(values: Floats) -> float:
    """Returns the smallest difference between two scores; 0 where all are equal."""
    gaps = np.diff(np.unique(values))
    gaps = gaps[gaps > ROUNDING]
    return float(gaps.min()) if gaps.size else 0.0
