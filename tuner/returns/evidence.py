"""What was measured, in the two shapes it comes in: scores, and scores of each example."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import numpy.typing as npt

from tuner.curve import Question
from tuner.returns.bounds import ROUNDING, Floats, believed_spread
from tuner.returns.designs import SEQUENTIAL, Design, Noise
from tuner.returns.pairs import Measured, Pair, make_mean, make_pair
from tuner.returns.table import Scores, moments, smallest_step, tabulate, unit_of
from tuner.returns.uncertainty import OfReplicates, Uncertainty, Unpaired

MOST_AT_ONCE = 4_000_000
"""Differences that are held in memory at once."""


@dataclass(frozen=True)
class Joint:
    """The means of all levels, and how they vary together.

    Attributes:
        levels: The measured levels, rising.
        replicates: What they share.
        means: (levels,), in the unit.
        factors: For each source of variation its factor (rows, levels), in the unit, and
            its degrees of freedom: standard normal weights (rows,) times the factor
            have the covariance of the means. It has the sign of the scores.
        equal: The same for levels whose differences are all the same (`equal_factor`);
            it has no sign. None where there are none.
        unit: In the metric's units; it keeps sums and squares in range.
    """

    levels: tuple[float, ...]
    replicates: int
    means: Floats
    factors: tuple[tuple[Floats, int], ...]
    equal: tuple[Floats, int] | None = None
    unit: float = 1.0


def equal_factor(alike: npt.NDArray[np.bool_], error: float) -> Floats | None:
    """Returns a factor for levels whose differences are all the same; None without such.

    Their bounds reckon with a step of the metric (`believed_spread`), so draws have to,
    too: each of those levels gets half of that variance to itself.

    Args:
        alike: (levels, levels): whether all differences of two levels are the same.
        error: The standard error that the bounds take for them.

    Returns:
        (levels, levels).
    """
    others = alike & ~np.eye(len(alike), dtype=bool)
    if not others.any() or error == 0:
        return None
    return np.diag(np.where(others.any(axis=1), error / math.sqrt(2), 0.0))


class Evidence(Protocol):
    """What a verdict can be taken of, and taken again without a part of it."""

    @property
    def design(self) -> Design:
        """How the number of replicates came about."""
        ...

    @property
    def levels(self) -> tuple[float, ...]:
        """The measured levels, rising."""
        ...

    @property
    def replicates(self) -> tuple[int, ...]:
        """The replicates, rising."""
        ...

    def measure(self, question: Question) -> Measured:
        """Returns the bounds of all pairs of measured levels and of all means."""
        ...

    def without_replicate(self, replicate: int) -> Evidence:
        """Returns the rest without one replicate of every level."""
        ...

    def without_level(self, level: float) -> Evidence:
        """Returns the rest without one level."""
        ...

    def joint(self) -> Joint | None:
        """Returns all means at once, over the replicates that all levels share.

        None where those are fewer than two, or nothing pairs them.
        """
        ...


@dataclass(frozen=True)
class Replicates:
    """Scores by level and replicate.

    Attributes:
        levels: The measured levels, rising.
        numbers: The replicates, rising: the columns.
        values: (levels, replicates): finite, or NaN where a replicate is missing. Where
            they aren't paired, the order within a row means nothing.
        design: How the number of replicates came about.
        paired: Whether replicate i is the same seed and split at every level.
    """

    levels: tuple[float, ...]
    numbers: tuple[int, ...]
    values: Floats
    design: Design = SEQUENTIAL
    paired: bool = True

    @classmethod
    def of(
        cls,
        question: Question,
        scores: Scores,
        design: Design = SEQUENTIAL,
        also: Iterable[int] = (),
    ) -> Replicates:
        """Takes paired scores by level and replicate. Raises as `tabulate` does."""
        return cls(*tabulate(question, scores, also), design)

    @property
    def replicates(self) -> tuple[int, ...]:
        """The replicates of any level, rising; a number for every score where unpaired."""
        if self.paired:
            return self.numbers
        return tuple(range(int((~np.isnan(self.values)).sum())))

    def measure(self, question: Question) -> Measured:
        """Returns the bounds of all pairs and means."""
        if not self.levels:
            return Measured((), {}, {}, 0.0)
        toll = _largest_toll(question, self.levels)
        largest = float(np.nanmax(np.abs(self.values)))
        unit = unit_of(max(largest, toll))
        values, rounding = self.values / unit, ROUNDING * max(largest, toll) / unit
        scaled = _Scaled(values, unit, rounding, smallest_step(values, rounding), *moments(values))
        by_level = {}
        for i, name in enumerate(self.levels):
            n, mean = int(scaled.counts[i]), float(scaled.means[i]) * unit
            spread = self._spread(n, float(scaled.deviations[i]), scaled)
            by_level[name] = make_mean(question, n, mean, OfReplicates(self.design, n, spread))
        pairs = self._pairs(question, scaled)
        return Measured(self.levels, pairs, by_level, scaled.step * unit)

    def _pairs(self, question: Question, scaled: _Scaled) -> dict[tuple[float, float], Pair]:
        """Returns all pairs; those that can't be paired rest on their means."""
        small, large = np.triu_indices(len(self.levels), 1)
        sign = -1.0 if question.direction == "minimize" else 1.0
        values, unit = scaled.values, scaled.unit
        of_means = sign * (scaled.means[large] - scaled.means[small])
        n, gains, deviations = _moments_of_differences(sign * values, small, large)
        gains = np.where(n > 0, gains, of_means) if self.paired else of_means
        pairs = {}
        for i, (k, j) in enumerate(zip(small.tolist(), large.tolist(), strict=True)):
            levels = self.levels[k], self.levels[j]
            uncertainty: Uncertainty
            if self.paired:
                number, deviation = int(n[i]), float(deviations[i])
                spread = self._spread(number, deviation, scaled, math.sqrt(2.0))
                uncertainty = OfReplicates(self.design, number, spread)
                alike = number >= 2 and deviation <= scaled.rounding
            else:
                both = int(scaled.counts[k]), int(scaled.counts[j])
                first, second = (
                    self._spread(count, float(scaled.deviations[row]), scaled)
                    for count, row in zip(both, (k, j), strict=True)
                )
                number, uncertainty, alike = min(both), Unpaired(both, (first, second)), False
            pairs[levels] = make_pair(
                question,
                levels,
                number,
                float(gains[i]) * unit,
                uncertainty,
                scaled.rounding * unit,
                alike and not isinstance(self.design, Noise),
            )
        return pairs

    def _spread(self, n: int, deviation: float, scaled: _Scaled, noises: float = 1.0) -> float:
        """Returns the standard deviation to reckon with; that of known noise, so many times."""
        if isinstance(self.design, Noise):
            return noises * self.design.deviation
        return believed_spread(n, deviation, scaled.rounding, scaled.step) * scaled.unit

    def without_replicate(self, replicate: int) -> Replicates:
        """Returns the scores of all others."""
        if not self.paired:
            rest = self.values.copy()
            rest[tuple(np.argwhere(~np.isnan(rest))[replicate])] = np.nan
            return self._of_levels(rest, self.numbers)
        keep = [i for i, number in enumerate(self.numbers) if number != replicate]
        return self._of_levels(self.values[:, keep], tuple(self.numbers[i] for i in keep))

    def _of_levels(self, values: Floats, numbers: tuple[int, ...]) -> Replicates:
        """Returns other values of the same levels, without those that have none left."""
        there: npt.NDArray[np.bool_] = np.any(~np.isnan(values), axis=1)
        levels = tuple(k for k, some in zip(self.levels, there, strict=True) if some)
        return replace(self, levels=levels, numbers=numbers, values=values[there])

    def without_level(self, level: float) -> Replicates:
        """Returns the scores of all other levels."""
        keep = [i for i, k in enumerate(self.levels) if k != level]
        return replace(self, levels=tuple(self.levels[i] for i in keep), values=self.values[keep])

    def joint(self) -> Joint | None:
        """Returns the means over the replicates that all levels have, and their factor."""
        if not self.paired or not self.levels:
            return None
        unit = unit_of(float(np.nanmax(np.abs(self.values))))
        rows = self.values[:, ~np.isnan(self.values).any(axis=0)] / unit
        n = rows.shape[1]
        if n < 2:
            return None
        means = rows.mean(axis=1)
        scale = self.design.scale(n)
        factor = (rows - means[:, None]).T * (scale / math.sqrt(n - 1))
        alike = _alike(rows)
        step = smallest_step(self.values / unit, ROUNDING)
        equal = equal_factor(alike, scale * step / math.sqrt(n))
        return Joint(
            self.levels,
            n,
            means,
            ((factor, n - 1),),
            None if equal is None else (equal, n - 1),
            unit,
        )


def _largest_toll(question: Question, levels: tuple[float, ...]) -> float:
    """Returns the most that one of the levels must gain over another, either way."""
    if len(levels) < 2:
        return 0.0
    tolls = [question.toll(levels[0], level) for level in levels]
    return max(tolls) - min(tolls)


def _moments_of_differences(
    values: Floats, small: npt.NDArray[np.intp], large: npt.NDArray[np.intp]
) -> tuple[Floats, Floats, Floats]:
    """Returns count, mean and deviation of values[large] - values[small], some at a time.

    All pairs of hundreds of levels by thousands of replicates don't fit in memory at once.
    """
    at_once = max(1, MOST_AT_ONCE // max(values.shape[1], 1))
    parts = [
        moments(values[large[i : i + at_once]] - values[small[i : i + at_once]])
        for i in range(0, max(len(small), 1), at_once)
    ]
    counts, means, deviations = (np.concatenate(part) for part in zip(*parts, strict=True))
    return counts, means, deviations


def _alike(rows: Floats) -> npt.NDArray[np.bool_]:
    """Returns (levels, levels): whether all differences of two levels are the same."""
    alike = np.eye(len(rows), dtype=bool)
    # The first two replicates rule out most.
    first = rows[:, 1] - rows[:, 0]
    for i, row in enumerate(rows):
        near = np.flatnonzero(np.abs(first - first[i]) <= ROUNDING * math.sqrt(2 * rows.shape[1]))
        if len(near) > 1:
            alike[i, near] = moments(rows[near] - row)[2] <= ROUNDING
    return alike


@dataclass(frozen=True)
class _Scaled:
    """Scores in a unit in which their squares stay in range, and their moments by level."""

    values: Floats
    unit: float
    rounding: float
    step: float
    counts: Floats
    means: Floats
    deviations: Floats
