"""A result as a report in Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tuner.curve import Curve, CurveLevel
from tuner.report import compared, facts, naming, robustness, sentences
from tuner.report.advice import advice
from tuner.report.cells import listed, table
from tuner.report.objects import split_baselines
from tuner.report.specs import spec_as_yaml

if TYPE_CHECKING:
    from tuner.client.result import Result
    from tuner.spec import JobSpec


def markdown(result: Result) -> str:
    """Returns the report: verdicts first, then every search's levels, bill, spec, what next."""
    job, spec = result.job, result.job.spec
    searched, baselines = split_baselines(result.curves, [s.key for s in spec.all_searches()])
    lines = [
        f"# {spec.name or job.id}: how much capacity is enough",
        "",
        f"Job `{job.name}` on `{naming.dataset_name(spec.dataset)}`: "
        f"**{result.state.value.lower()}**{f' ({job.reason})' if job.reason else ''}. "
        f"{naming.bar(spec)}; "
        f"at most {spec.alpha:.0%} of such verdicts may be wrong.",
        "",
        *facts.section(job.dataset),
        "## Verdicts",
        "",
        *_verdicts(searched),
    ]
    lines += [*compared.learners(result), *compared.breaks(result)]
    for curve in searched:
        lines += ["", *section(curve)]
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
        f"- A level *is enough* when no larger measured level gains more than {_bar(spec)}; "
        "every bound holds however often it was looked at.",
        "- Intervals are given these hyperparameters and this test set. They take the differences "
        "between replicates as independent and near Gaussian.",
        "- Intervals hold on both sides and for all levels at once. A verdict asks for one side, "
        "so the bounds that it names (“at most”) are narrower: an interval may reach over the "
        f"{'margin' if spec.worth is None else 'price'} where the verdict's own bound does not.",
        "- A verdict speaks of the measured levels only. *Inconclusive* is a finding, too: the "
        "measurements can't tell, and the report says what is missing.",
        "- *Chance* is the posterior chance of a level to be the smallest that is enough; stopping "
        "there *forgoes at most* so much of what a larger measured level has.",
        *_least_margin(spec),
        "- Cost is what a level costs alone, in seconds of one device; the bill is all that was "
        "spent, tuning included.",
    ]
    return "\n".join(lines) + "\n"


def _bar(spec: JobSpec) -> str:
    if spec.worth is None:
        return "the margin for each doubling"
    return "the price of what it costs more, by the costs that each step of the search fixed"


def _least_margin(spec: JobSpec) -> list[str]:
    if spec.worth is not None:
        return []
    return [
        "- *Least margin* is the smallest with which the level would have been enough. It is there "
        "to explore: a margin chosen after looking has no error rate."
    ]


def _verdicts(curves: Sequence[Curve]) -> list[str]:
    if not curves:
        return ["Nothing has been measured yet."]
    rows = []
    for curve in curves:
        best = naming.best(curve)
        shown = f"{naming.number(best.score)} at {naming.level(best.level)}" if best else "–"
        rows.append(
            (
                naming.title(curve),
                f"**{naming.plain_verdict(curve)}**",
                naming.sufficient(curve),
                f"{shown} ({curve.metric})",
                naming.seconds(sum(row.billed_device_seconds for row in curve.levels)),
            )
        )
    return table(("search", "verdict", "enough", "best score", "spent"), rows, "llrrr")


def section(curve: Curve) -> list[str]:
    """Returns the lines of one curve: its verdict, levels, costs, what is missing, notes."""
    better = "lower" if curve.direction == "minimize" else "higher"
    lines = [f"## {naming.title(curve)}", ""]
    verdict = curve.verdict
    if verdict is not None:
        lines += [f"**{verdict.outcome.value}**: {verdict.reason}", ""]
    if curve.state_reason and (verdict is None or verdict.reason not in curve.state_reason):
        lines += [f"It stopped because: {curve.state_reason}", ""]
    lines += [f"Judged on {curve.metric}; {better} is better.", ""]
    lines += _levels(curve)
    if any(row.barred for row in curve.levels):
        lines += ["", "✗ breaks a limit of the job: it is shown, and neither judged nor chosen."]
    if curve.unmeasured:
        skipped = naming.levels(curve.unmeasured)
        lines += ["", f"Never measured, and so never paid for: {curve.axis} {skipped}."]
    if said := sentences.next_doubling(curve):
        lines += ["", f"**What the next doubling gains.** {said}"]
    said = " ".join(filter(None, [sentences.cost_trend(curve), *sentences.cost_steps(curve)]))
    if said:
        lines += ["", f"**What capacity costs.** {said}"]
    missing = verdict.missing if verdict is not None else ()
    lines += listed("What is missing:", missing)
    if said := sentences.needed(curve.needed, reason=not missing):
        lines += ["", said]
    lines += listed("Notes:", curve.notes)
    settings = [(naming.level(row.level), naming.setting(row)) for row in curve.levels]
    settings = [(level, setting) for level, setting in settings if setting]
    if settings:
        lines += ["", "What was measured at each level, chosen by tuning there:", ""]
        lines += table((curve.axis or "level", "hyperparameters"), settings, "rl")
    return lines


def _levels(curve: Curve) -> list[str]:
    """Returns two tables: what was measured, and what it is worth."""
    if not curve.levels:
        return ["No level was measured."]
    axis = curve.axis or "level"
    measured = [
        (
            _marked(row),
            naming.number(row.score),
            naming.interval(row.low, row.high),
            naming.number(row.gain.estimate, plus=True) if row.gain else "–",
            naming.interval(row.gain.low, row.gain.high, plus=True) if row.gain else "–",
            naming.number(row.gain.per_doubling, plus=True) if row.gain else "–",
            f"{row.replicates}{f', {row.failed} failed' if row.failed else ''}",
        )
        for row in curve.levels
    ]
    chances = curve.level_probabilities or {}
    worth = [
        (
            naming.level(row.level),
            naming.probability(chances.get(row.level)),
            naming.number(row.forgone),
            naming.number(row.margin_supported),
            _cost(curve, row),
            naming.rounded(row.gain.gain_per_cost, plus=True) if row.gain else "–",
            naming.count(row.parameters),
        )
        for row in curve.levels
    ]
    gains = ("gain", "gain's interval", "per doubling")
    unit = naming.cost_unit(curve)
    per = "device-hour" if unit == naming.DEVICE_SECONDS else unit or "cost"
    worths = ("chance", "forgoes at most", "least margin", "cost", f"gain per {per}")
    return [
        *table((axis, curve.metric, "interval", *gains, "replicates"), measured, "rrrrrrr"),
        "",
        "What each level is worth, and what it costs alone (× that of the level below):",
        "",
        *table((axis, *worths, "parameters"), worth, "rrrrrrr"),
        *_footprints(curve),
    ]


def _footprints(curve: Curve) -> list[str]:
    """Returns what it takes to use the model of each level; nothing where it wasn't measured."""
    rows = [
        (
            naming.level(row.level),
            naming.milliseconds(row.latency_ms),
            naming.milliseconds(row.batch_latency_ms),
            naming.size(row.model_bytes),
            row.barred or "–",
        )
        for row in curve.levels
    ]
    if all(cell == "–" for row in rows for cell in row[1:]):
        return []
    header = (curve.axis or "level", "ms, 1 example", "ms, 256 examples", "size", "breaks a limit")
    return ["", "What it takes to use the model:", "", *table(header, rows, "rrrrl")]


def _marked(row: CurveLevel) -> str:
    """Returns a level; struck out by a mark where it breaks a limit."""
    return naming.level(row.level) + (" ✗" if row.barred else "")


def _cost(curve: Curve, row: CurveLevel) -> str:
    ratio = row.gain.cost_ratio if row.gain else None
    cost = naming.level_cost(curve, row)
    return cost if ratio is None else f"{cost} (×{naming.rounded(ratio)})"


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
    apart = [robustness.spent(curve) for curve in curves]
    rows = [
        (
            curve.search,
            naming.seconds(sum(row.billed_device_seconds for row in curve.levels)),
            naming.seconds(of_it) if of_it else "–",
        )
        for curve, of_it in zip(curves, apart, strict=True)
    ]
    total = f"**{naming.seconds(sum(apart))}**" if any(apart) else "–"
    rows.append(("**whole job**", f"**{naming.seconds(result.spent_device_seconds)}**", total))
    return table(("search", "device time", "of it for conditions and footprints"), rows, "lrr")
