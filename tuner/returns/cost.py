"""What capacity costs: how cost grows, and what the steps around the sufficient level cost.

Cost against capacity is taken as a power, cost = scale · capacity^exponent, fitted
by least squares on the logarithms, as the growth of programs' running times is
measured (Goldsmith, Aiken and Wilkerson 2007, "Measuring empirical computational
complexity").

It assumes that a level's cost is off by a factor, about as large at every level
and near log-normal, independently of the others. A fixed overhead (starting up,
loading data) flattens the trend at small levels; a change of hardware or of batch
size along the ladder breaks it. Both pass for scatter about the line when levels
are few: the interval is then wide, and no warning that the form is wrong.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from scipy import special

from tuner.curve import Costs, CostStep, CostTrend, Question

GainOf = Callable[[float, float], float | None]
"""From a smaller and a larger measured level to the estimated gain; None where unknown."""


def cost_trend(
    capacities: Sequence[float], costs: Sequence[float | None], alpha: float, unit: str
) -> CostTrend | None:
    """Returns how cost grows with capacity.

    Assumptions and failure modes stand in this module's docstring. A level without
    a cost, or whose cost is zero (which has no logarithm), is left out.

    Args:
        capacities: Of the levels: positive and finite, in any order.
        costs: The mean cost at each; None where unknown.
        alpha: Chance that the exponent's two-sided t interval misses.
        unit: What cost is counted in, such as "device-seconds".

    Returns:
        None with fewer than two capacities that have a positive finite cost, or where
        they are so close together that the trend outgrows floating point.

    Raises:
        ValueError: A capacity isn't positive and finite, the lengths differ, or alpha
            is not between 0 and 1.
    """
    if not 0 < alpha < 1:
        raise ValueError(f"alpha is {alpha}; give a number between 0 and 1")
    if len(capacities) != len(costs):
        raise ValueError(f"{len(capacities)} capacities have {len(costs)} costs")
    for capacity in capacities:
        if not (math.isfinite(capacity) and capacity > 0):
            raise ValueError(f"a capacity is {capacity}; give positive finite numbers")
    # Sorted, so that no sum depends on the order in which levels came.
    known = sorted(
        (capacity, cost)
        for capacity, cost in zip(capacities, costs, strict=True)
        if cost is not None and 0 < cost < math.inf
    )
    x, y = np.log(np.array(known).reshape(-1, 2)).T
    if np.unique(x).size < 2:
        return None
    run, rise = x - x.mean(), y - y.mean()
    squares = float(np.square(run).sum())
    exponent = float((run * rise).sum()) / squares
    log_scale = float(y.mean()) - exponent * float(x.mean())
    if not abs(log_scale) < math.log(1e300):
        return None
    width = math.inf
    free = len(known) - 2
    if free:
        left = float(np.square(rise - exponent * run).sum())
        width = float(special.stdtrit(free, 1 - alpha / 2)) * math.sqrt(left / free / squares)
    return CostTrend(exponent, exponent - width, exponent + width, math.exp(log_scale), unit)


def costs_of(
    question: Question,
    measured: Mapping[float, float | None],
    gain: GainOf,
    sufficient: float | None,
    unit: str,
    declared: Sequence[float] | None = None,
) -> Costs:
    """Returns the trend, and the steps up to and up from the sufficient level.

    Args:
        question: What is asked: the declared ladder, its capacities and alpha.
        measured: By measured level, its mean cost; None where unknown.
        gain: The estimated gain between two measured levels.
        sufficient: The sufficient level; None where no verdict names one.
        unit: What cost is counted in.
        declared: The levels that there are steps to; the declared ladder where omitted.

    Returns:
        The step up to the sufficient level starts at the measured level below it, the
        step up from it ends at the next declared one. Where either end of a step has
        no cost, what it adds is the trend's; without a trend there is no step.

    Raises:
        ValueError: The sufficient level isn't measured, or a level isn't declared.
    """
    levels = sorted(measured)
    undeclared = sorted(set(levels) - set(question.levels))
    if undeclared:
        raise ValueError(f"level {undeclared[0]} is not on the declared ladder {question.levels}")
    known = {k: v for k, v in measured.items() if v is not None and math.isfinite(v)}
    trend = cost_trend(
        [question.capacity(level) for level in known], list(known.values()), question.alpha, unit
    )
    if sufficient is None:
        return Costs(trend)
    if sufficient not in measured:
        raise ValueError(f"the sufficient level {sufficient} has no row among the measured ones")
    below = max((level for level in levels if level < sufficient), default=None)
    steps = question.levels if declared is None else declared
    above = min((level for level in steps if level > sufficient), default=None)

    def step(smaller: float, larger: float) -> CostStep | None:
        gained = gain(smaller, larger) if larger in measured else None
        if smaller in known and larger in known:
            added = known[larger] - known[smaller]
            return CostStep(smaller, larger, gained, added, measured=True)
        priced = _by_trend(trend, question.capacity(smaller), question.capacity(larger))
        return None if priced is None else CostStep(smaller, larger, gained, priced, measured=False)

    return Costs(
        trend,
        last_worthwhile=None if below is None else step(below, sufficient),
        first_worthless=None if above is None else step(sufficient, above),
    )


def cost_ratio(below: float | None, above: float | None) -> float | None:
    """Returns a level's cost over that of the level below; None where either has none or zero."""
    return above / below if below and above else None


def gain_per_cost(
    gain: float, below: float | None, above: float | None, per: float = 1.0
) -> float | None:
    """Returns what a step gains for the cost that it adds.

    Args:
        gain: What it gains, in the metric's units; positive is better.
        below: The cost of the level that it starts from.
        above: The cost of the level that it leads to.
        per: How many units of cost the answer is for: 3600 makes a job's
            device-seconds into device-hours.

    Returns:
        None where either has no cost or zero, or where no cost is added.
    """
    if not below or not above or above <= below:
        return None
    return gain / (above - below) * per


def _by_trend(trend: CostTrend | None, smaller: float, larger: float) -> float | None:
    """Returns what the step adds by the trend; None where there is none, or no number for it."""
    if trend is None:
        return None
    try:
        added = trend.at(larger) - trend.at(smaller)
    except OverflowError:
        return None
    return added if math.isfinite(added) else None
