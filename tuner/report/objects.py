"""A result as one object that JSON can hold. Its keys are stable."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from tuner.curve import (
    Costs,
    CostStep,
    Curve,
    CurveLevel,
    Gain,
    LearnerComparison,
    Needed,
    NextDoubling,
    Verdict,
)
from tuner.record import Comparison
from tuner.report.facts import facts_to_dict
from tuner.report.naming import dataset_name, level
from tuner.report.plain import finite, whole
from tuner.report.ranking import rank, ranking_to_dict
from tuner.report.robustness import robustness_to_dict

if TYPE_CHECKING:
    from tuner.client.result import Result


def to_dict(result: Result) -> dict[str, Any]:
    """Returns the result: the job, its searches in the spec's order, the baseline, the bill.

    Bounds that are infinite, because too few replicates bound them, are None.
    """
    job, spec = result.job, result.job.spec
    searched, baselines = split_baselines(result.curves, [s.key for s in spec.all_searches()])
    return {
        "job": job.name,
        "name": spec.name,
        "state": result.state.value,
        "state_reason": job.reason,
        "dataset": dataset_name(spec.dataset),
        "data": facts_to_dict(job.dataset),
        "margin": spec.margin,
        "worth": None if spec.worth is None else spec.worth.model_dump(),
        "alpha": spec.alpha,
        "patience": spec.patience,
        "seed": spec.seed,
        "searches": [curve_to_dict(curve) for curve in searched],
        "baseline": curve_to_dict(baselines[0]) if baselines else None,
        "comparison": comparison_to_dict(result.comparison),
        "ranking": ranking_to_dict(rank(result)),
        "robustness": robustness_to_dict(result),
        "spent_device_seconds": result.spent_device_seconds,
        "create_time": job.create_time.isoformat() if job.create_time else None,
        "start_time": job.start_time.isoformat() if job.start_time else None,
        "end_time": job.end_time.isoformat() if job.end_time else None,
    }


def split_baselines(
    curves: Mapping[str, Curve], order: list[str]
) -> tuple[list[Curve], list[Curve]]:
    """Returns the searches and the baselines, each in the spec's order."""
    place = {key: index for index, key in enumerate(order)}
    known = sorted(curves.values(), key=lambda c: place.get(c.search, len(place)))
    return [c for c in known if not c.baseline], [c for c in known if c.baseline]


def curve_to_dict(curve: Curve) -> dict[str, Any]:
    """Returns one search of the object."""
    return {
        "key": curve.search,
        "learner": curve.learner,
        "axis": curve.axis,
        "metric": curve.metric,
        "direction": curve.direction,
        "margin": curve.margin,
        "price": curve.price or None,
        "worth": curve.worth or None,
        "alpha": curve.alpha,
        "design": curve.design,
        "per": curve.per,
        "state": curve.state.value,
        "state_reason": curve.state_reason,
        "verdict": _verdict(curve.verdict),
        "levels": [_level(row) for row in curve.levels],
        "gains": gains_to_list(curve.gains),
        "level_probabilities": probabilities_to_dict(curve.level_probabilities),
        "needed": needed_to_dict(curve.needed),
        "next_doubling": next_doubling_to_dict(curve.next_doubling),
        "costs": costs_to_dict(curve.costs),
        "knee": None if curve.knee is None else whole(curve.knee),
        "unmeasured": list(map(whole, curve.unmeasured)),
        "notes": list(curve.notes),
        "analysis_version": curve.analysis_version,
    }


def gains_to_list(gains: Iterable[Gain]) -> list[dict[str, Any]]:
    """Returns what every step between measured levels gains and costs, from the first up."""
    return [
        {
            "from": whole(gain.below),
            "to": whole(gain.level),
            "gain": finite(gain.estimate),
            "low": finite(gain.low),
            "high": finite(gain.high),
            "per_doubling": finite(gain.per_doubling),
            "cost_ratio": finite(gain.cost_ratio),
            "gain_per_cost": finite(gain.gain_per_cost),
        }
        for gain in gains
    ]


def comparisons_to_list(comparisons: Iterable[Comparison]) -> list[dict[str, Any]]:
    """Returns the bounds that a verdict rests on: of U at two levels, each one-sided."""
    return [
        {
            "smaller": whole(c.smaller),
            "larger": whole(c.larger),
            "replicates": c.replicates,
            "estimate": finite(c.estimate),
            "low": finite(c.low),
            "high": finite(c.high),
        }
        for c in comparisons
    ]


def probabilities_to_dict(probabilities: Mapping[float, float] | None) -> dict[str, float] | None:
    """Returns each level's chance to be the smallest that suffices, by the level as text."""
    if probabilities is None:
        return None
    return {level(key): chance for key, chance in sorted(probabilities.items())}


def needed_to_dict(needed: Needed) -> dict[str, Any]:
    """Returns what would likely settle the verdict; an end that no number reaches is None."""
    return {
        "replicates": None if needed.replicates is None else list(needed.replicates),
        "examples": needed.examples,
        "reason": needed.reason,
    }


def next_doubling_to_dict(following: NextDoubling | None) -> dict[str, Any] | None:
    """Returns what one more doubling would gain; None where nothing can be said."""
    if following is None:
        return None
    return {
        "level": whole(following.level),
        "gain": finite(following.gain),
        "low": finite(following.low),
        "high": finite(following.high),
        "method": following.method,
        "beats_no_gain": following.beats_no_gain,
    }


def costs_to_dict(costs: Costs) -> dict[str, Any]:
    """Returns how cost grows, and the steps about the sufficient level."""
    trend = costs.trend
    return {
        "trend": None
        if trend is None
        else {
            "exponent": finite(trend.exponent),
            "low": finite(trend.low),
            "high": finite(trend.high),
            "scale": finite(trend.scale),
            "unit": trend.unit,
        },
        "last_worthwhile": _step(costs.last_worthwhile),
        "first_worthless": _step(costs.first_worthless),
    }


def comparison_to_dict(comparison: LearnerComparison | None) -> dict[str, Any] | None:
    """Returns how learners compare; None where no two can be compared."""
    if comparison is None:
        return None
    return {
        "metric": comparison.metric,
        "margin": comparison.margin,
        "contenders": [
            {
                "search": c.search,
                "level": whole(c.level),
                "shown": c.shown,
                "score": finite(c.score),
                "cost": finite(c.cost),
            }
            for c in comparison.contenders
        ],
        "differences": [
            {
                "better": d.better,
                "worse": d.worse,
                "replicates": d.replicates,
                "estimate": finite(d.estimate),
                "low": finite(d.low),
                "high": finite(d.high),
                "apart": d.apart,
                "practically_equal": finite(d.practically_equal),
                "practically_better": finite(d.practically_better),
            }
            for d in comparison.differences
        ],
        "groups": [list(group) for group in comparison.groups],
        "good_enough": comparison.good_enough,
        "reason": comparison.reason,
        "notes": list(comparison.notes),
    }


def _step(step: CostStep | None) -> dict[str, Any] | None:
    if step is None:
        return None
    return {
        "from": whole(step.below),
        "to": whole(step.level),
        "gain": finite(step.gain),
        "cost": finite(step.cost),
        "measured": step.measured,
    }


def _verdict(verdict: Verdict | None) -> dict[str, Any] | None:
    if verdict is None:
        return None
    return {
        "outcome": verdict.outcome.value,
        "level": None if verdict.level is None else whole(verdict.level),
        "reason": verdict.reason,
        "not_excluded": list(map(whole, verdict.not_excluded)),
        "missing": list(verdict.missing),
    }


def _level(row: CurveLevel) -> dict[str, Any]:
    gain = row.gain
    return {
        "level": whole(row.level),
        "score": finite(row.score),
        "low": finite(row.low),
        "high": finite(row.high),
        "replicates": row.replicates,
        "failed": row.failed,
        "gain": None
        if gain is None
        else {
            "estimate": finite(gain.estimate),
            "low": finite(gain.low),
            "high": finite(gain.high),
            "per_doubling": finite(gain.per_doubling),
        },
        "margin_supported": finite(row.margin_supported),
        "forgone": finite(row.forgone),
        "cost_device_seconds": finite(row.standalone_device_seconds),
        "billed_device_seconds": finite(row.billed_device_seconds),
        "robustness_device_seconds": finite(row.robustness_device_seconds),
        "parameters": row.parameters,
        "latency_ms": finite(row.latency_ms),
        "batch_latency_ms": finite(row.batch_latency_ms),
        "model_bytes": finite(row.model_bytes),
        "barred": row.barred,
        "hyperparameters": dict(row.setting),
    }
