"""What a curve says beside its verdict, in sentences that every report shares."""

from __future__ import annotations

import math

from tuner.curve import CostStep, CostTrend, Curve, LearnerComparison, Needed
from tuner.report import naming


def next_doubling(curve: Curve) -> str:
    """Returns what one more doubling is expected to gain; empty where nothing can be said."""
    following = curve.next_doubling
    if following is None or not math.isfinite(following.gain):
        return ""
    where = naming.level(following.level)
    where = f"{where} {curve.per}" if curve.per else f"{curve.axis} {where}"
    bounds = naming.interval(following.low, following.high, plus=True)
    if bounds != "–":
        bounds = f"{1 - curve.alpha:.0%} interval {bounds}"
    else:
        bounds = "too few levels to bound it"
    if not following.beats_no_gain:
        return f"Nothing speaks for a further gain from doubling once more, to {where} ({bounds})."
    return (
        f"Doubling once more, to {where}, is expected to gain "
        f"{naming.number(following.gain, plus=True)} ({bounds}; {following.method})."
    )


def cost_trend(curve: Curve) -> str:
    """Returns how cost grows with capacity; empty where that isn't known."""
    trend = curve.costs.trend
    if trend is None:
        return ""
    capacity = curve.per or curve.axis
    bounds = naming.interval(trend.low, trend.high, digits=2)
    bounds = f", exponent's {1 - curve.alpha:.0%} interval {bounds}" if bounds != "–" else ""
    return (
        f"Doubling {capacity} multiplies the cost by {times(trend)} "
        f"(cost ∝ {capacity}^{trend.exponent:.2f}{bounds})."
    )


def times(trend: CostTrend) -> str:
    """Returns by what a doubling of capacity multiplies the cost."""
    return naming.rounded(2**trend.exponent)


def cost_steps(curve: Curve) -> list[str]:
    """Returns the step that was the last worth its cost, and the first that isn't."""
    costs = curve.costs
    unit = naming.cost_unit(curve)
    shown = curve.verdict is not None and curve.verdict.level is not None
    hedge = "" if shown else ", by the estimates"
    said = []
    if costs.last_worthwhile is not None:
        said.append(f"{_step(costs.last_worthwhile, unit)}: the last worth having{hedge}.")
    if costs.first_worthless is not None:
        said.append(f"{_step(costs.first_worthless, unit)}: the first not worth having{hedge}.")
    return said


def _step(step: CostStep, unit: str) -> str:
    steps = f"The step {naming.level(step.below)} → {naming.level(step.level)}"
    about = "" if step.measured else "about "
    # What takes longer by the clock may be the smaller one, where both are quick.
    cost = f"{about}{naming.cost(abs(step.cost), unit)} {'less' if step.cost < 0 else 'more'}"
    if step.gain is None:
        return f"{steps}, not measured, would take {cost}"
    return f"{steps} gained {naming.number(step.gain, plus=True)} for {cost}"


def needed(what: Needed, reason: bool = True) -> str:
    """Returns what would likely settle the verdict; empty where nothing is missing.

    Args:
        what: What is needed.
        reason: Whether to begin with what is missing; False where that is said already.
    """
    said = []
    if what.replicates is not None:
        low, high = what.replicates
        if low is None and high is None:
            said.append("no number of replicates would do")
        elif low is None or high is None:
            some = high if low is None else low
            said.append(
                f"{some} replicates in all, or no number of them, depending on whether larger "
                "levels gain as estimated or nothing"
            )
        else:
            several = str(low) if low == high else f"{low} to {high}"
            said.append(f"about {several} replicates in all at each level in question")
    if what.examples is not None:
        said.append(f"up to about {what.examples:,} test examples in all")
    why = what.reason if reason else ""
    if said:
        why = f"{why.rstrip('.')}. " if why else ""
        why += f"To settle it with a chance of .8: {'; or '.join(said)}."
    return why


def alike(comparison: LearnerComparison) -> list[str]:
    """Returns a sentence for every group of searches that can't be told apart."""
    return [
        f"{naming.conjoined(group)} can't be told apart."
        for group in comparison.groups
        if len(group) > 1
    ]
