"""A result as tables for a terminal of 100 columns."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from tuner.curve import Curve, LearnerComparison, SearchState, VerdictOutcome
from tuner.report import naming, sentences
from tuner.report.objects import split_baselines

if TYPE_CHECKING:
    from tuner.client.result import Result

_STYLES = {
    VerdictOutcome.PLATEAUED: "bold green",
    VerdictOutcome.DECLINING: "bold green",
    VerdictOutcome.RISING: "bold yellow",
    VerdictOutcome.INCONCLUSIVE: "bold magenta",
}


def overview(result: Result) -> RenderableType:
    """Returns the verdicts, then a table of levels for every search."""
    order = [s.key for s in result.job.spec.all_searches()]
    searched, baselines = split_baselines(result.curves, order)
    parts: list[RenderableType] = [verdicts([*searched, *baselines])]
    if result.comparison is not None:
        parts += [Text(""), compared(result.comparison)]
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


def compared(comparison: LearnerComparison) -> RenderableType:
    """Returns how the learners compare, in a few lines."""
    lines = [comparison.reason, *sentences.alike(comparison)]
    return Group(Text("Learners compared", style="bold"), *_indented(lines))


def levels(curve: Curve) -> RenderableType:
    """Returns the levels of one search, and the reason of its verdict."""
    table = Table(
        box=box.SIMPLE_HEAD,
        title=naming.title(curve),
        title_style="bold",
        title_justify="left",
        padding=(0, 1, 0, 0),
    )
    chances = curve.level_probabilities
    costs = any(row.standalone_device_seconds is not None for row in curve.levels)
    sizes = any(row.parameters for row in curve.levels)
    names = [curve.axis or "level", curve.metric, "interval", "gain", "gain's interval", "runs"]
    for name, shown in (("chance", chances), ("cost", costs), ("params", sizes)):
        names += [name] if shown else []
    for name in names:
        table.add_column(name, justify="right", no_wrap=True)
    enough = curve.verdict.level if curve.verdict else None
    for row in curve.levels:
        gain = row.gain
        table.add_row(
            naming.level(row.level),
            naming.number(row.score),
            naming.interval(row.low, row.high),
            naming.number(gain.estimate, plus=True) if gain else "–",
            naming.interval(gain.low, gain.high, plus=True) if gain else "–",
            f"{row.replicates}+{row.failed}✗" if row.failed else str(row.replicates),
            *([naming.probability(chances.get(row.level))] if chances else []),
            *([naming.level_cost(curve, row)] if costs else []),
            *([naming.count(row.parameters)] if sizes else []),
            style="bold" if row.level == enough else None,
        )
    return Group(table, *_indented(_said(curve)))


def _said(curve: Curve) -> list[str]:
    """Returns what stands below the levels of a search, the reason of its verdict first."""
    said = [curve.verdict.reason] if curve.verdict and curve.verdict.reason else []
    if curve.state is SearchState.FAILED and curve.state_reason:
        said.append(curve.state_reason)
    said += [
        sentences.needed(curve.needed),
        *sentences.cost_steps(curve),
        sentences.next_doubling(curve),
    ]
    if curve.unmeasured:
        said.append(f"Never measured: {curve.axis} {naming.levels(curve.unmeasured)}.")
    return said


def _indented(lines: Iterable[str]) -> list[RenderableType]:
    return [Padding(Text(line), (0, 0, 0, 2)) for line in lines if line]


def style_of(curve: Curve) -> str:
    """Returns the colour of a search's verdict."""
    if curve.state is SearchState.FAILED:
        return "bold red"
    return _STYLES[curve.verdict.outcome] if curve.verdict else ""
