"""From what was measured to the whole curve: one way for a job's search and for a table."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from tuner.curve import Costs, Curve, CurveLevel, Gain, Needed, NextDoubling, Question
from tuner.record import Setting
from tuner.returns import words
from tuner.returns.assessment import Assessment
from tuner.returns.cost import cost_ratio, costs_of, gain_per_cost
from tuner.returns.evidence import Evidence
from tuner.returns.extrapolation import next_doubling
from tuner.returns.limits import Needs, ceiling, judged, ladder
from tuner.returns.probabilities import level_probabilities

ANALYSIS_VERSION = "3"
"""Changes whenever the same record could give another curve or verdict."""


@dataclass(frozen=True)
class Facts:
    """What is known of a level beside its scores.

    Attributes:
        failed: Replicates that failed.
        cost: Mean cost of the level alone; None where unknown.
        billed: All that was spent at it.
        parameters: Fitted parameters, mean.
        setting: The hyperparameters that were measured.
        beside: What of the bill went to conditions and footprints.
        needs: What it takes to use its models; None where unknown.
    """

    failed: int = 0
    cost: float | None = None
    billed: float = 0.0
    parameters: int = 0
    setting: Setting = ()
    beside: float = 0.0
    needs: Needs | None = None


@dataclass(frozen=True)
class Pricing:
    """How costs are counted.

    Attributes:
        unit: What a cost is in, such as "device-seconds".
        per: How many of that make the unit of "gain per cost": 3600 for device-hours.
    """

    unit: str
    per: float = 1.0


def compose(
    question: Question,
    evidence: Evidence,
    look: Assessment,
    facts: Mapping[float, Facts],
    pricing: Pricing,
    *,
    notes: Iterable[str] = (),
    breaks: Sequence[float] = (),
    seed: int = 0,
) -> Curve:
    """Returns the curve of what was measured.

    Args:
        question: What is asked, with the levels that break a limit.
        evidence: What was measured.
        look: What it says.
        facts: Of every level that has a row, measured or not.
        pricing: How costs are counted.
        notes: What a reader should know, after the look's own notes.
        breaks: Levels from which on something else than capacity differs; only what
            is from the last one up is extrapolated.
        seed: Of the posterior draws.
    """
    barred = dict(question.barred)
    levels = tuple(
        replace(_level(level, facts[level], look, facts, pricing), barred=barred.get(level, ""))
        for level in sorted(facts)
    )
    return Curve(
        search=question.search,
        learner=question.learner,
        axis=question.axis,
        metric=question.metric,
        direction=question.direction,
        margin=question.margin,
        price=question.price,
        worth=words.rate(question) if question.price else "",
        levels=levels,
        verdict=look.verdict if question.axis else None,
        comparisons=look.comparisons,
        notes=(*look.notes, *notes),
        unmeasured=tuple(k for k in question.levels if k not in look.means),
        baseline=question.baseline,
        analysis_version=ANALYSIS_VERSION,
        design=evidence.design.name,
        alpha=question.alpha,
        per=question.per,
        level_probabilities=level_probabilities(question, _judged(question, evidence), seed=seed)
        if len(look.levels) > 1 and all(map(question.priced, look.levels))
        else None,
        needed=look.needed if question.axis else Needed(),
        next_doubling=_next(question, evidence, look, breaks),
        costs=_costs(question, look, facts, pricing),
    )


def _level(
    level: float,
    fact: Facts,
    look: Assessment,
    facts: Mapping[float, Facts],
    pricing: Pricing,
) -> CurveLevel:
    row = CurveLevel(
        level,
        0,
        fact.failed,
        billed_device_seconds=fact.billed,
        setting=fact.setting,
        robustness_device_seconds=fact.beside,
    )
    if fact.needs is not None:
        row = replace(row, **vars(fact.needs))
    if level not in look.means:
        return row
    low, high = look.intervals[level]
    gain = look.gains.get(level)
    return replace(
        row,
        replicates=look.replicates[level],
        score=look.means[level],
        low=low,
        high=high,
        gain=gain and _priced(gain, facts, pricing),
        margin_supported=look.margin_supported.get(level),
        forgone=look.forgone.get(level),
        standalone_device_seconds=fact.cost,
        parameters=fact.parameters,
    )


def _judged(question: Question, evidence: Evidence) -> Evidence:
    """Returns the evidence of the levels that aren't barred."""
    for level in set(evidence.levels) - set(judged(question, evidence.levels)):
        evidence = evidence.without_level(level)
    return evidence


def _priced(gain: Gain, facts: Mapping[float, Facts], pricing: Pricing) -> Gain:
    below, cost = facts[gain.below].cost, facts[gain.level].cost
    return replace(
        gain,
        cost_ratio=cost_ratio(below, cost),
        gain_per_cost=gain_per_cost(gain.estimate, below, cost, pricing.per),
    )


def _next(
    question: Question, evidence: Evidence, look: Assessment, breaks: Sequence[float]
) -> NextDoubling | None:
    start = max(breaks, default=0.0)
    levels = [level for level in look.levels if level >= start]
    if not question.axis or len(levels) < 2 or ceiling(question, look.levels) < math.inf:
        return None  # what lies a doubling above the limits can't be chosen
    return next_doubling(
        [question.capacity(level) for level in levels],
        [look.means[level] for level in levels],
        question.direction,
        question.alpha,
        [error if math.isfinite(error := look.errors[level]) else None for level in levels],
    )


def _costs(
    question: Question, look: Assessment, facts: Mapping[float, Facts], pricing: Pricing
) -> Costs:
    """Returns what capacity costs; the verdict's level, or the one that seems to suffice."""

    def gain(smaller: float, larger: float) -> float:
        pair = look.compare(smaller, larger)
        assert pair is not None  # both are measured
        return pair.estimate + question.toll(smaller, larger)

    if not question.axis:
        return Costs()
    measured = {level: facts[level].cost for level in look.levels}
    sufficient = look.verdict.level or look.estimated_sufficient
    declared = ladder(question, look.levels)
    return costs_of(question, measured, gain, sufficient, pricing.unit, declared)
