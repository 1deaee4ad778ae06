"""Where a curve bends, for the eye."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tuner.curve import Direction

ROUNDING = 1e-12
"""Difference of normalised values up to which a curve is straight."""


def knee(levels: Sequence[float], scores: Sequence[float], direction: Direction) -> float | None:
    """Returns the level at which the curve bends most, or None where it doesn't.

    Kneedle (Satopaa, Albrecht, Irwin and Raghavan 2011, "Finding a 'Kneedle' in a
    haystack"), without its smoothing: both axes are normalised to 0 to 1, scores so
    that 1 is best, and the knee is where the score is furthest above the level. It
    assumes that scores rise ever more slowly with the level and carry no noise.

    It is not a verdict. Normalising makes the answer depend on the range that was
    measured: on He et al.'s ResNet table it names 32 of depths up to 56, 44 of depths
    up to 110 and 110 of depths up to 1202. It knows neither noise nor a margin nor a
    cost, and names a level on a curve made of noise alone.

    Args:
        levels: Distinct, in any order; on a raw axis, not a logarithmic one.
        scores: One a level, in the metric's units.
        direction: Which way is better.

    Returns:
        The level, the smaller one of two that are equal; None below three levels, where
        all scores are equal, or where no level between the first and the last lies
        above them both, as on a straight line.

    Raises:
        ValueError: A number isn't finite, a level is there twice, the lengths differ, or
            the direction is neither "minimize" nor "maximize".
    """
    if direction not in ("minimize", "maximize"):
        raise ValueError(f"direction is {direction!r}; give 'minimize' or 'maximize'")
    if len(levels) != len(scores):
        raise ValueError(f"scores: there are {len(scores)} for {len(levels)} levels")
    if not all(map(math.isfinite, [*levels, *scores])):
        raise ValueError("levels and scores must be finite")
    if len(set(levels)) < len(levels):
        raise ValueError(f"levels: one is there twice in {list(levels)}")
    if len(levels) < 3 or min(scores) == max(scores):
        return None
    order = np.argsort(levels)
    x, y = np.asarray(levels, dtype=np.float64)[order], np.asarray(scores, dtype=np.float64)[order]
    if direction == "minimize":
        y = -y
    above = (y - y.min()) / (y.max() - y.min()) - (x - x[0]) / (x[-1] - x[0])
    best = float(above[1:-1].max())
    if best <= max(above[0], above[-1]) + ROUNDING:
        return None
    return float(x[int(np.argmax(above >= best - ROUNDING))])
