"""A result as one object that JSON can hold. Its keys are stable."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tuner.curve import Curve, CurveLevel, Verdict
from tuner.report.naming import dataset_name

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
        "margin": spec.margin,
        "alpha": spec.alpha,
        "patience": spec.patience,
        "seed": spec.seed,
        "searches": [curve_to_dict(curve) for curve in searched],
        "baseline": curve_to_dict(baselines[0]) if baselines else None,
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
        "state": curve.state.value,
        "state_reason": curve.state_reason,
        "verdict": _verdict(curve.verdict),
        "levels": [_level(row) for row in curve.levels],
        "unmeasured": list(curve.unmeasured),
        "notes": list(curve.notes),
        "analysis_version": curve.analysis_version,
    }


def _verdict(verdict: Verdict | None) -> dict[str, Any] | None:
    if verdict is None:
        return None
    return {
        "outcome": verdict.outcome.value,
        "level": verdict.level,
        "reason": verdict.reason,
        "not_excluded": list(verdict.not_excluded),
        "missing": list(verdict.missing),
    }


def _level(row: CurveLevel) -> dict[str, Any]:
    gain = row.gain
    return {
        "level": row.level,
        "score": _finite(row.score),
        "low": _finite(row.low),
        "high": _finite(row.high),
        "replicates": row.replicates,
        "failed": row.failed,
        "gain": None
        if gain is None
        else {
            "estimate": _finite(gain.estimate),
            "low": _finite(gain.low),
            "high": _finite(gain.high),
            "per_doubling": _finite(gain.per_doubling),
        },
        "margin_supported": _finite(row.margin_supported),
        "cost_device_seconds": _finite(row.standalone_device_seconds),
        "billed_device_seconds": _finite(row.billed_device_seconds),
        "parameters": row.parameters,
        "hyperparameters": dict(row.setting),
    }


def _finite(number: float | None) -> float | None:
    return number if number is not None and math.isfinite(number) else None
