"""A result as tables for a terminal of 100 columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from tuner.curve import Curve, CurveLevel, SearchState, VerdictOutcome
from tuner.report import naming, robustness, sentences, standings
from tuner.report.objects import split_baselines
from tuner.report.ranking import rank

if TYPE_CHECKING:
    from tuner.client.result import Result

_STYLES = {
    VerdictOutcome.PLATEAUED: "bold green",
    VerdictOutcome.DECLINING: "bold green",
    VerdictOutcome.RISING: "bold yellow",
    VerdictOutcome.INCONCLUSIVE: "bold magenta",
}


_USE = ("ms\nof 1", "ms of\n256", "size")
"""Heads of what it takes to use a model: to predict one example, 256 at once, to keep it."""


def overview(result: Result) -> RenderableType:
    """Returns the verdicts, then a table of levels for every search."""
    order = [s.key for s in result.job.spec.all_searches()]
    searched, baselines = split_baselines(result.curves, order)
    parts: list[RenderableType] = [verdicts([*searched, *baselines])]
    parts += compared(result)
    plain = [curve for curve in searched if not curve.axis and curve.levels]
    if len(plain) > 1:
        parts += [Text(""), without_axis(plain)]
        searched = [curve for curve in searched if curve not in plain]
    for curve in searched:
        parts += [Text(""), levels(curve)]
    return Group(*parts)


def verdicts(curves: Iterable[Curve]) -> Table:
    """Returns one row a search: what is enough, the best score, the bill."""
    table = Table(box=box.SIMPLE_HEAD, title="Verdicts", title_style="bold", title_justify="left")
    table.add_column("search", no_wrap=True)
    table.add_column("verdict")
    table.add_column("enough", justify="right")
    table.add_column("best score", justify="right", no_wrap=True)
    table.add_column("spent", justify="right", no_wrap=True)
    for curve in curves:
        best = naming.best(curve)
        score = f"{naming.number(best.score)} {curve.metric}" if best else "–"
        table.add_row(
            f"{curve.search} (baseline)" if curve.baseline else curve.search,
            Text(naming.plain_verdict(curve), style=style_of(curve)),
            naming.sufficient(curve),
            f"{score} at {naming.level(best.level)}" if best and curve.axis else score,
            naming.seconds(sum(row.billed_device_seconds for row in curve.levels)),
        )
    return table


def compared(result: Result) -> list[RenderableType]:
    """Returns the ranking, and what breaks the learners; nothing where neither is known."""
    parts: list[RenderableType] = []
    comparison, ranked = result.comparison, rank(result)
    if comparison is not None and ranked is not None:
        key = "Those that share a letter can't be told apart; ✓ is the cheapest good enough."
        lines = [key, f"{comparison.reason.rstrip('.')}."]
        if ranked.left_out:
            lines.append(f"Without a place, for want of scores: {', '.join(ranked.left_out)}.")
        parts += [Text(""), *standings.ranking(ranked), *_indented(lines)]
    if found := robustness.effects(result):
        data = naming.dataset_name(result.job.spec.dataset)
        most = result.job.spec.robustness.examples
        same = (
            f"Clean and under it: the same test examples, {most:,} at most, the same replicates; "
            "what is enough is judged on these alone."
        )
        lines = [same, *robustness.sentences(found, data)]
        parts += [Text(""), standings.breaks(found), *_indented(lines)]
    return parts


def levels(curve: Curve) -> RenderableType:
    """Returns the levels of one search, and the reason of its verdict."""
    table = standings.titled(naming.title(curve))
    used = any(row.latency_ms is not None for row in curve.levels)
    # What a model takes to use stands in place of what there is no more room for.
    chances = None if used else curve.level_probabilities
    costs = any(row.standalone_device_seconds is not None for row in curve.levels)
    sizes = any(row.parameters for row in curve.levels) and not used
    metric = standings.column(curve.metric)
    bounds = "±" if used else "interval"
    names = [curve.axis or "level", metric, bounds, "gain", "gain's interval", "runs"]
    for name, shown in (("chance", chances), ("cost", costs), ("params", sizes)):
        names += [name] if shown else []
    for name in (*names, *(_USE if used else ())):
        table.add_column(name, justify="right", no_wrap=True)
    enough = curve.verdict.level if curve.verdict else None
    for row in curve.levels:
        gain = row.gain
        table.add_row(
            naming.level(row.level) + (" ✗" if row.barred else ""),
            naming.number(row.score),
            (naming.half_width if used else naming.interval)(row.low, row.high),
            naming.number(gain.estimate, plus=True) if gain else "–",
            naming.interval(gain.low, gain.high, plus=True) if gain else "–",
            _runs(row),
            *([naming.probability(chances.get(row.level))] if chances else []),
            *([naming.level_cost(curve, row)] if costs else []),
            *([naming.count(row.parameters)] if sizes else []),
            *(_use(row) if used else []),
            style="dim" if row.barred else "bold" if row.level == enough else None,
        )
    return Group(table, *_indented(_said(curve)))


def without_axis(curves: Sequence[Curve]) -> RenderableType:
    """Returns searches that have no levels in one table, a row each."""
    table = standings.titled("Searches without an axis")
    rows = [row for curve in curves for row in curve.levels]
    used = any(row.latency_ms is not None for row in rows)
    table.add_column("search", no_wrap=True)
    names = ["score", "metric", "interval", "runs", "cost", "params"]
    for name in (*names, *(_USE if used else ())):
        table.add_column(name, justify="right", no_wrap=True)
    for curve in curves:
        for row in curve.levels:
            table.add_row(
                curve.search + (" ✗" if row.barred else ""),
                naming.number(row.score),
                curve.metric,
                naming.interval(row.low, row.high),
                _runs(row),
                naming.level_cost(curve, row),
                naming.count(row.parameters),
                *(_use(row) if used else []),
                style="dim" if row.barred else None,
            )
    said = [f"{curve.search}: {line}" for curve in curves for line in _said(curve) if line]
    return Group(table, *_indented(said))


def _runs(row: CurveLevel) -> str:
    return f"{row.replicates}+{row.failed}✗" if row.failed else str(row.replicates)


def _use(row: CurveLevel) -> list[str]:
    """Returns what it takes to use a level's model: milliseconds of 1 and 256, its size."""
    times = (row.latency_ms, row.batch_latency_ms)
    return [*map(naming.milliseconds, times), naming.size(row.model_bytes)]


def _said(curve: Curve) -> list[str]:
    """Returns what stands below the levels of a search, the reason of its verdict first."""
    said = [curve.verdict.reason] if curve.verdict and curve.verdict.reason else []
    if curve.state is SearchState.FAILED and curve.state_reason:
        said.append(curve.state_reason)
    said += [
        f"✗ {_named(curve, row)} is never chosen: {row.barred}."
        for row in curve.levels
        if row.barred
    ]
    said += [
        sentences.needed(curve.needed),
        *sentences.cost_steps(curve),
        sentences.next_doubling(curve),
    ]
    if curve.unmeasured:
        said.append(f"Never measured: {curve.axis} {naming.levels(curve.unmeasured)}.")
    return said


def _named(curve: Curve, row: CurveLevel) -> str:
    return f"{curve.axis} {naming.level(row.level)}" if curve.axis else curve.learner


def _indented(lines: Iterable[str]) -> list[RenderableType]:
    return [Padding(Text(line), (0, 0, 0, 2)) for line in lines if line]


def style_of(curve: Curve) -> str:
    """Returns the colour of a search's verdict."""
    if curve.state is SearchState.FAILED:
        return "bold red"
    return _STYLES[curve.verdict.outcome] if curve.verdict else ""
