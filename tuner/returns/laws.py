"""Four ways to predict the next rise of a curve from the levels up to it.

Each is a function of the levels' place on the axis, their scores and the length
of the next step, and answers how far the score rises over the last level:

- `last_value`: not at all;
- `log_linear`: along a line in log2 of capacity;
- `power`: as a - b·c^-p does;
- `exponential`: as a - b·exp(-c/tau) does.

The last two are among the laws that fit learning curves well on the average of
many data sets (Viering and Loog 2022, "The shape of learning curves: a review";
Domhan et al. 2015, "Speeding up automatic hyperparameter optimization of deep
neural networks by extrapolation of learning curves"), with an asymptote that a
law without one lacks.

They assume that the levels differ in capacity alone and that the curve goes on
as it went. None of them sees a step, a turn or a change of block type before it
is measured.

The two curved laws answer the fitted curve's own rise between the last level and
the next. The way from the score measured at the last level to the fitted curve
carries that score's noise: for power laws of eight levels with noise of .3 of
their first gain it was off by .22, their own rise by .05.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from tuner.returns.bounds import Floats

LINE_LEVELS = 3
"""Levels that the line goes by: the last, through which it goes, and two below."""

LAW_LEVELS = 4
"""Fewest levels that a law of three parameters is fitted to: one is left to contradict it."""

GRID = 65
"""Points of a round of the search for the parameter that isn't linear."""

ROUNDS = 5
"""Rounds of that search; each narrows it to a thirty-second."""

SLOWEST, FASTEST = 0.05, 8.0
"""Powers that are searched: one doubling leaves 97 % of what is missing, or less than 1 %."""

LONGEST = 4.0
"""Largest tau that is searched, in units of the largest capacity: almost a straight line in c."""

Law = Callable[[Floats, Floats, float], float | None]
"""From log2 of capacity (rising), scores (higher is better) and the next step in
doublings to the rise over the last level; None where the law can't be fitted."""


def last_value(x: Floats, y: Floats, step: float) -> float | None:
    """Returns 0: no further gain."""
    return 0.0


def log_linear(x: Floats, y: Floats, step: float) -> float | None:
    """Returns the rise of a line in log2 of capacity; None with fewer than two levels.

    The line goes through the last level and is fitted by least squares to the two
    below it. On curves that saturate, a line through all levels promises too much,
    and one through the last two carries nearly twice this one's noise.
    """
    if x.size < 2:
        return None
    run, rise = x[-LINE_LEVELS:-1] - x[-1], y[-LINE_LEVELS:-1] - y[-1]
    return float(run @ rise / (run @ run)) * step


def power(x: Floats, y: Floats, step: float) -> float | None:
    """Returns the rise of a - b·c^-p; None with fewer than four levels, or without a best p.

    Where the best p lies at an end of what is searched, the levels don't tell the
    three parameters: the curve is a line in log2 of capacity, or all of its rise is
    in its first step.
    """
    if x.size < LAW_LEVELS:
        return None
    run = (x - x[0]) * math.log(2)
    fit = _fit(lambda p: -np.expm1(-p * run), y, SLOWEST, FASTEST)
    if fit is None:
        return None
    p, b = fit
    left = math.exp(-p * run[-1])
    return b * left * -math.expm1(-p * step * math.log(2))


def exponential(x: Floats, y: Floats, step: float) -> float | None:
    """Returns the rise of a - b·exp(-c/tau); None as `power`."""
    if x.size < LAW_LEVELS:
        return None
    capacity = np.exp2(x - x[-1])
    run = capacity - capacity[0]
    # A shorter tau leaves nothing to gain above the first level.
    shortest = max(float(capacity[0]), 2.0**-60) / 2
    fit = _fit(lambda tau: -np.expm1(-run / tau), y, shortest, LONGEST)
    if fit is None:
        return None
    tau, b = fit
    left = math.exp(-run[-1] / tau)
    return b * left * -math.expm1(-(2.0**step - 1) / tau)


def _fit(
    basis: Callable[[Floats], Floats], y: Floats, low: float, high: float
) -> tuple[float, float] | None:
    """Returns the best parameter between low and high, and b, by variable projection.

    For a given parameter the rest is linear, and least squares gives it (Golub and
    Pereyra 1973, "The differentiation of pseudo-inverses and nonlinear least squares
    problems whose variables separate"). What is left is a search along one axis:
    over a grid in log space, then between the neighbours of its best point.

    Args:
        basis: From parameters, (grid, 1), to what b multiplies, (grid, levels).
        y: Scores, (levels,).
        low: Smallest parameter.
        high: Largest.

    Returns:
        None where the best point is an end.
    """
    # From the last score, so that equal ones differ by nothing, not even by rounding.
    deviation = y - y[-1]
    deviation = deviation - deviation.mean()
    ends = math.log(low), math.log(high)
    found = None
    for _ in range(ROUNDS):
        grid = np.linspace(*ends, GRID)
        columns = basis(np.exp(grid)[:, None])
        columns = columns - columns.mean(axis=1, keepdims=True)
        slopes = (columns * deviation).sum(axis=1) / np.square(columns).sum(axis=1)
        squares = np.square(deviation - slopes[:, None] * columns).sum(axis=1)
        i = int(squares.argmin())
        if i in (0, GRID - 1):
            # After the first round an end is best only where the rest is rounding.
            break
        found = math.exp(grid[i]), float(slopes[i])
        ends = float(grid[i - 1]), float(grid[i + 1])
    return found
