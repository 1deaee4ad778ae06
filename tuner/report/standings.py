"""How learners compare, and what breaks them, as tables for a terminal of 100 columns."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from tuner.report import naming
from tuner.report.compared import level
from tuner.report.ranking import Ranking
from tuner.report.robustness import Effect, enough

WIDTH = 100
"""Columns that a table may have."""

ABREAST = 6
"""So many conditions fit into a table that has little else."""


def ranking(ranked: Ranking) -> list[Table]:
    """Returns the ranking; more tables for conditions that don't fit beside the rest."""
    fitting = len(ranked.conditions)
    while fitting and _width(_ranking(ranked, ranked.conditions[:fitting])) > WIDTH:
        fitting -= 1
    rest = ranked.conditions[fitting:]
    more = [rest[i : i + ABREAST] for i in range(0, len(rest), ABREAST)]
    first = _ranking(ranked, ranked.conditions[:fitting])
    return [first, *(_under(ranked, names) for names in more)]


def _ranking(ranked: Ranking, conditions: Sequence[str]) -> Table:
    table = titled(f"Learners compared by {ranked.metric}")
    table.add_column("", no_wrap=True)
    table.add_column("search", no_wrap=True)
    for name in ("level", column(ranked.metric), "±", "cost", "×"):
        table.add_column(name, justify="right", no_wrap=True)
    for name in conditions:
        table.add_column(column(name), justify="right", no_wrap=True)
    for rank in ranked.ranks:
        table.add_row(
            rank.letters,
            f"{rank.search} ✓" if rank.good_enough else rank.search,
            level(rank),
            naming.number(rank.score),
            naming.half_width(rank.low, rank.high),
            naming.seconds(rank.cost),
            naming.times(rank.ratio),
            *(naming.number(rank.under[name], 3) for name in conditions),
            style="bold" if rank.good_enough else None,
        )
    return table


def _under(ranked: Ranking, conditions: Sequence[str]) -> Table:
    """Returns what further conditions leave of each search."""
    table = titled(f"{ranked.metric} under more conditions")
    table.add_column("search", no_wrap=True)
    for name in conditions:
        table.add_column(column(name), justify="right", no_wrap=True)
    for rank in ranked.ranks:
        cells = [naming.number(rank.under[name], 3) for name in conditions]
        if any(rank.under[name] is not None for name in conditions):
            table.add_row(rank.search, *cells, style="bold" if rank.good_enough else None)
    return table


def _width(table: Table) -> int:
    """Returns how many columns a table would take where there is room for all of it."""
    console = Console(width=10 * WIDTH)
    return Measurement.get(console, console.options, table).maximum


def breaks(found: Sequence[Effect]) -> Table:
    """Returns what conditions do, a row for each of every search."""
    table = titled("What breaks them")
    table.add_column("search", no_wrap=True)
    table.add_column("condition", no_wrap=True)
    for name in ("level", "clean", "under it", "±", "drop"):
        table.add_column(name, justify="right", no_wrap=True)
    for name in ("enough", "under it"):
        table.add_column(name, justify="right")
    before = ""
    for effect in found:
        after = effect.after
        table.add_row(
            effect.search if effect.search != before else "",
            effect.condition,
            naming.level(effect.level) if effect.clean.axis else "–",
            naming.number(effect.before.score, 3),
            naming.number(effect.score, 3),
            naming.half_width(after.low, after.high, 3) if after is not None else "–",
            naming.number(effect.drop, 3, plus=True),
            enough(effect.clean),
            enough(effect.under),
        )
        before = effect.search
    return table


def column(name: str) -> Text:
    """Returns a metric or condition as a narrow head: broken where its parts meet."""
    for mark in "_:":
        name = name.replace(mark, f"{mark}\n")
    return Text(name.replace("@", "\n@"))


def titled(title: str) -> Table:
    """Returns an empty table that takes little room."""
    return Table(
        box=box.SIMPLE_HEAD,
        title=title,
        title_style="bold",
        title_justify="left",
        padding=(0, 1, 0, 0),
    )
