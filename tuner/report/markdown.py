"""A result as a report in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from tuner.curve import Curve, CurveLevel
from tuner.report import naming
from tuner.report.advice import advice
from tuner.report.objects import split_baselines
from tuner.report.specs import spec_as_yaml

if TYPE_CHECKING:
    from tuner.client.result import Result


def markdown(result: Result) -> str:
    """Returns the report: verdicts first, then every search's levels, bill, spec, what next."""
    job, spec = result.job, result.job.spec
    searched, baselines = split_baselines(result.curves, [s.key for s in spec.all_searches()])
    lines = [
        f"# {spec.name or job.id}: how much capacity is enough",
        "",
        f"Job `{job.name}` on `{naming.dataset_name(spec.dataset)}`: "
        f"**{result.state.value.lower()}**{f' ({job.reason})' if job.reason else ''}. "
        f"A doubling of capacity must gain at least {spec.margin:g} to be worth it; "
        f"at most {spec.alpha:.0%} of such verdicts may be wrong.",
        "",
        "## Verdicts",
        "",
        *_verdicts(searched),
    ]
    for curve in searched:
        lines += ["", *_search(curve)]
    for curve in baselines:
        lines += ["", *_baseline(curve)]
    lines += ["", "## Bill", "", *_bill(result, [*searched, *baselines])]
    following = advice(result)
    if following:
        lines += ["", "## What to try next", "", *(f"- {line}" for line in following)]
    lines += [
        "",
        "## How to reproduce",
        "",
        "Save this as `job.yaml` and type `tuner run job.yaml`. On the same image and kind of "
        "processor, the scores are the same bit for bit.",
        "",
        "```yaml",
        spec_as_yaml(spec).rstrip(),
        "```",
        "",
        "## How to read it",
        "",
        "- A level *is enough* when no larger measured level gains more than the margin for each "
        "doubling; every bound holds however often it was looked at.",
        "- Intervals are given these hyperparameters and this test set. They take the differences "
        "between replicates as independent and near Gaussian.",
        "- A verdict speaks of the measured levels only. *Inconclusive* is a finding, too: the "
        "measurements can't tell, and the report says what is missing.",
        "- Cost is what a level costs alone, in seconds of one device; the bill is all that was "
        "spent, tuning included.",
    ]
    return "\n".join(lines) + "\n"


def _verdicts(curves: Sequence[Curve]) -> list[str]:
    if not curves:
        return ["Nothing has been measured yet."]
    rows = []
    for curve in curves:
        best = naming.best(curve)
        shown = f"{naming.number(best.score)} at {best.level}" if best else "–"
        rows.append(
            (
                naming.title(curve),
                f"**{naming.plain_verdict(curve)}**",
                naming.sufficient(curve),
                f"{shown} ({curve.metric})",
                naming.seconds(sum(row.billed_device_seconds for row in curve.levels)),
            )
        )
    return _table(("search", "verdict", "enough", "best score", "spent"), rows)


def _search(curve: Curve) -> list[str]:
    better = "lower" if curve.direction == "minimize" else "higher"
    lines = [f"## {naming.title(curve)}", ""]
    verdict = curve.verdict
    if verdict is not None:
        lines += [f"**{verdict.outcome.value}**: {verdict.reason}", ""]
    if curve.state_reason and (verdict is None or verdict.reason not in curve.state_reason):
        lines += [f"It stopped because: {curve.state_reason}", ""]
    lines += [f"Judged on {curve.metric}; {better} is better.", ""]
    lines += _levels(curve)
    if curve.unmeasured:
        levels = ", ".join(map(str, curve.unmeasured))
        lines += ["", f"Never measured, and so never paid for: {curve.axis} {levels}."]
    if verdict is not None and verdict.missing:
        lines += ["", "What is missing:", "", *(f"- {line}" for line in verdict.missing)]
    if curve.notes:
        lines += ["", "Notes:", "", *(f"- {note}" for note in curve.notes)]
    settings = [(str(row.level), naming.setting(row)) for row in curve.levels if row.setting]
    if settings:
        lines += ["", "What was measured at each level, chosen by tuning there:", ""]
        lines += _table((curve.axis or "level", "hyperparameters"), settings)
    return lines


def _levels(curve: Curve) -> list[str]:
    if not curve.levels:
        return ["No level was measured."]
    header = (
        curve.axis or "level",
        curve.metric,
        "interval",
        "gain",
        "gain's interval",
        "least margin",
        "replicates",
        "cost",
        "parameters",
    )
    return _table(header, (_level(row) for row in curve.levels))


def _level(row: CurveLevel) -> tuple[str, ...]:
    gain = row.gain
    failed = f", {row.failed} failed" if row.failed else ""
    return (
        str(row.level),
        naming.number(row.score),
        naming.interval(row.low, row.high),
        naming.number(gain.estimate, plus=True) if gain else "–",
        naming.interval(gain.low, gain.high, plus=True) if gain else "–",
        naming.number(row.margin_supported),
        f"{row.replicates}{failed}",
        naming.seconds(row.standalone_device_seconds),
        naming.count(row.parameters),
    )


def _baseline(curve: Curve) -> list[str]:
    lines = [f"## Baseline: {curve.learner}", ""]
    best = naming.best(curve)
    if best is None:
        reason = f" ({curve.state_reason})" if curve.state_reason else ""
        return [*lines, f"It was not measured{reason}."]
    bounds = naming.interval(best.low, best.high)
    lines.append(
        f"{curve.metric} {naming.number(best.score)}, interval {bounds}, from {best.replicates} "
        f"replicates at {naming.seconds(best.standalone_device_seconds)} each. "
        "What costs more should be better than this."
    )
    return lines


def _bill(result: Result, curves: Sequence[Curve]) -> list[str]:
    rows = [
        (curve.search, naming.seconds(sum(row.billed_device_seconds for row in curve.levels)))
        for curve in curves
    ]
    rows.append(("**whole job**", f"**{naming.seconds(result.spent_device_seconds)}**"))
    return _table(("search", "device time"), rows)


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [
        _row(header),
        _row(["---"] * len(header)),
        *(_row(row) for row in rows),
    ]


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"
