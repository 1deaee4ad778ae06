"""What to try next, from what a result says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuner import catalog
from tuner.curve import Curve, SearchState, VerdictOutcome
from tuner.report import naming
from tuner.report.objects import split_baselines
from tuner.spec import Fixed, Search
from tuner.spec.space import edge_of

if TYPE_CHECKING:
    from tuner.client.result import Result


def advice(result: Result) -> list[str]:
    """Returns sentences, the most useful first. Empty where there is nothing to say."""
    spec = result.job.spec
    searched, baselines = split_baselines(result.curves, [s.key for s in spec.all_searches()])
    lines = []
    for curve in searched:
        bar = "a larger `margin`" if spec.worth is None else "more gain in `worth`"
        lines += _for_curve(curve, spec.measuring.max_replicates, bar)
        lines += _edges(curve, spec.search(curve.search))
    for baseline in baselines:
        lines += _against_baseline(searched, baseline, spec.margin)
    return lines


def _for_curve(curve: Curve, max_replicates: int, bar: str) -> list[str]:
    if curve.state is SearchState.FAILED:
        return [f"{curve.search} failed ({curve.state_reason or 'no reason was given'}): mend it."]
    if curve.state is SearchState.CANCELLED:
        return [f"{curve.search} was cancelled: submit the spec again to finish it."]
    verdict = curve.verdict
    if verdict is None:
        return []
    measured = [row.level for row in curve.levels]
    match verdict.outcome:
        case VerdictOutcome.PLATEAUED | VerdictOutcome.DECLINING:
            return [_settled(curve, verdict.level)]
        case VerdictOutcome.RISING:
            top = naming.top(curve)
            if top is not None and top < measured[-1]:
                return [
                    f"{curve.search} still rises at {naming.level(top)}, the largest level within "
                    "the limits: loosen `limits`, or look for another learner."
                ]
            larger = None if top is None else _larger(curve, top)
            if larger is None:
                return [f"{curve.search} still rises at the top of what {curve.axis} can be."]
            return [f"{curve.search} still rises: add level {larger} to its `levels`."]
        case VerdictOutcome.INCONCLUSIVE:
            lacking = "; ".join(s.rstrip(".") for s in verdict.missing) or (
                f"raise `measuring.max_replicates` above {max_replicates}, or ask for {bar}"
            )
            return [f"{curve.search} is inconclusive. To settle it: {lacking}."]


def _settled(curve: Curve, level: float | None) -> str:
    smaller = [row.level for row in curve.levels if level is not None and row.level < level]
    said = "" if level is None else naming.level(level)
    if smaller and level is not None and level - smaller[-1] > 1:
        between = naming.level((smaller[-1] + level) // 2)
        return (
            f"{curve.search}: {said} is enough. Level {between}, between "
            f"{naming.level(smaller[-1])} and {said}, was not measured; it may do, too."
        )
    return f"{curve.search}: use {curve.axis} {said}."


def _edges(curve: Curve, search: Search) -> list[str]:
    """Says which hyperparameters won at an end of what was searched: better may lie beyond."""
    found: dict[tuple[str, bool], dict[float, float]] = {}
    limits = search.known.hyperparameters
    for row in curve.levels:
        values = dict(row.setting)
        for name, known in search.ranges(row.level).items():
            if row.score is None or isinstance(known, Fixed) or name not in values:
                continue
            end = edge_of(known, values[name])
            # What the catalog itself ends at can't be widened.
            if end is not None and end != edge_of(limits[name], end):
                upper = isinstance(known, catalog.Number) and end == known.high
                found.setdefault((name, upper), {})[row.level] = end
    lines = []
    for (name, _), ends in found.items():
        # A range that moves with capacity ends elsewhere at every level.
        shown = " or ".join(dict.fromkeys(f"{end:g}" for end in ends.values()))
        lines.append(
            f"{curve.search}: at {curve.axis} {naming.levels(list(ends))} the best {name} lies at "
            f"an end of what was searched, {shown}; widen `space.{name}`, for a better one may "
            "lie beyond."
        )
    return lines


def _larger(curve: Curve, top: float) -> int | None:
    axis = catalog.LEARNERS[curve.learner].axis(curve.axis) if _known(curve) else None
    return 2 * int(top) if axis is None or 2 * top <= axis.high else None


def _known(curve: Curve) -> bool:
    return curve.learner in catalog.LEARNERS


def _against_baseline(searched: list[Curve], baseline: Curve, margin: float) -> list[str]:
    cheap = naming.best(baseline)
    if cheap is None or cheap.score is None:
        return []
    sign = 1 if baseline.direction == "minimize" else -1
    lines = []
    for curve in searched:
        row = naming.best(curve)
        if curve.metric != baseline.metric or row is None or row.score is None:
            continue
        if sign * (cheap.score - row.score) < margin:
            lines.append(
                f"{curve.search} is not better than the baseline, {baseline.learner}, by the "
                f"margin of {margin:g}: look at the data before you look for more capacity."
            )
    return lines
