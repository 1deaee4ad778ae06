"""`tuner simulate`: search policies on tables of results, on virtual workers, with no service."""

from __future__ import annotations

import os
import re
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tuner.cli.asked import parse_margin
from tuner.cli.console import data
from tuner.errors import invalid
from tuner.installed import require

if TYPE_CHECKING:
    from rich.table import Table

    from tuner.search.simulation import Row


class SimulationFormat(StrEnum):
    """How a comparison is written."""

    TABLE = "table"
    JSON = "json"


class SpreadName(StrEnum):
    """Where the scatter of drawn replicates comes from."""

    POOLED = "pooled"
    BEST = "best"
    PAIRED = "paired"


class SamplerName(StrEnum):
    """What tunes within a level."""

    TPE = "tpe"
    GP = "gp"
    CMAES = "cmaes"
    GENETIC = "genetic"
    RANDOM = "random"


_WORLD = "The world"
_QUESTION = "The question"
_EFFORT = "Tuning and measuring"


def simulate(
    table: Annotated[
        str,
        typer.Option(
            help="hpobench/australian, blood_transfusion, car or credit_g; or simulated/"
            "plateau_early, plateau_late, rising, declining or noisy.",
            show_default=False,
            rich_help_panel=_WORLD,
        ),
    ],
    policy: Annotated[
        list[str] | None,
        typer.Option(
            help="climb, sweep, sweep-fixed, bisection, grid, optuna-levels, tpe, gp, or your own "
            "as module:Class; may be repeated. Climb and sweep where omitted.",
            show_default=False,
        ),
    ] = None,
    axis: Annotated[
        str | None,
        typer.Option(
            help="The axis of the table; each of them where omitted.",
            show_default=False,
            rich_help_panel=_WORLD,
        ),
    ] = None,
    levels: Annotated[
        str | None,
        typer.Option(
            metavar="16,64,256",
            help="Levels of the table to search; all where omitted.",
            show_default=False,
            rich_help_panel=_WORLD,
        ),
    ] = None,
    spread: Annotated[
        SpreadName,
        typer.Option(
            help="HPOBench: replicates scatter as all of the table does, as its best tenth "
            "does, or as that does with what seeds share told apart.",
            rich_help_panel=_WORLD,
        ),
    ] = SpreadName.POOLED,
    raw: Annotated[
        bool,
        typer.Option(
            "--raw",
            help="HPOBench: measuring replays the five seeds in place of draws.",
            rich_help_panel=_WORLD,
        ),
    ] = False,
    margin: Annotated[
        str,
        typer.Option(
            help="The least gain per doubling that is worth having; 1pp is .01.",
            rich_help_panel=_QUESTION,
        ),
    ] = "1pp",
    patience: Annotated[
        int,
        typer.Option(
            min=1,
            help="Larger levels that must be measured to call a plateau.",
            rich_help_panel=_QUESTION,
        ),
    ] = 2,
    trials: Annotated[
        int, typer.Option(min=1, help="Candidates tried a level.", rich_help_panel=_EFFORT)
    ] = 8,
    sampler: Annotated[
        SamplerName, typer.Option(help="What proposes them.", rich_help_panel=_EFFORT)
    ] = SamplerName.TPE,
    replicates: Annotated[
        str,
        typer.Option(
            metavar="FEWEST:MOST",
            help="Replicates that measure a level's winner.",
            rich_help_panel=_EFFORT,
        ),
    ] = "4:20",
    workers: Annotated[int, typer.Option(min=1, help="Virtual workers.")] = 8,
    runs: Annotated[int, typer.Option(min=1, help="Runs of every policy.")] = 30,
    seed: Annotated[int, typer.Option(min=0, help="Everything random follows from it.")] = 0,
    processes: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Real processes to use, which change no figure; all cores where omitted.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        SimulationFormat, typer.Option("--output", "-o", help="How to write it.")
    ] = SimulationFormat.TABLE,
) -> None:
    """Run search policies against a table of results: how often right, and at what cost.

    tuner simulate --table hpobench/car --policy climb --policy grid --workers 8 --runs 30
    """
    require("a simulation needs", "pip install 'tuner[bench]'", "numpy", "scipy", "optuna")
    # Processes fill the cores; threads within them only get into each other's way. One's own
    # policies are found where the command is run.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.path.insert(0, str(Path.cwd()))
    from tuner.search.simulation import Setup, compare
    from tuner.search.simulation.hpobench import Spread
    from tuner.search.simulation.tables import axes
    from tuner.spec import Measuring, Tuning

    asked = parse_margin(margin)
    if not 0 < asked < 1:
        raise invalid("--margin", f"must be between 0 and 1, as shares are; {margin} is not")
    fewest, most = _range(replicates)
    setups = [
        Setup(
            policy=name,
            table=table,
            axis=one,
            margins=(asked,),
            patiences=(patience,),
            levels=() if levels is None else _levels(levels),
            spread=Spread(spread.value),
            raw=raw,
            workers=workers,
            tuning=Tuning(trials=trials, sampler=sampler.value),
            measuring=Measuring(min_replicates=fewest, max_replicates=most),
        )
        for one in ([axis] if axis is not None else axes(table))
        for name in policy or ("climb", "sweep")
    ]
    found = [row for rows in compare(setups, runs, seed, _cores(processes)) for row in rows]
    if output is SimulationFormat.JSON:
        from tuner.cli.output import dump, write

        write(dump(True, [to_dict(row) for row in found]))
    else:
        data().print(_table(found))


def to_dict(row: Row) -> dict[str, Any]:
    """Returns a row under stable keys."""
    from tuner.search.simulation import Mark

    return {
        "policy": row.setup.policy,
        "table": row.setup.table,
        "axis": row.setup.axis,
        "margin": row.margin,
        "patience": row.patience,
        "runs": len(row.runs),
        "device_seconds": row.device_seconds,
        "wall_clock_seconds": row.wall_clock_seconds,
        **{mark.value: row.share(mark).estimate for mark in Mark},
        "levels": {str(level): count for level, count in row.levels.items()},
    }


def _table(rows: list[Row]) -> Table:
    from rich import box
    from rich.table import Table

    from tuner.search.simulation import Mark

    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("policy", no_wrap=True)
    table.add_column("axis", no_wrap=True)
    for name in ("device-seconds", "wall-clock", *(mark.value for mark in Mark)):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("levels")
    for row in rows:
        chosen = ", ".join(f"{level}: {count}" for level, count in row.levels.items() if count)
        table.add_row(
            row.setup.policy,
            row.setup.axis,
            f"{row.device_seconds:,.1f}",
            f"{row.wall_clock_seconds:,.1f}",
            *(f"{row.share(mark).estimate:.0%}" for mark in Mark),
            chosen or "none",
        )
    return table


def _range(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{1,3}):(\d{1,3})", text)
    fewest, most = (int(match[1]), int(match[2])) if match else (0, 0)
    if not 2 <= fewest <= most:
        raise invalid(
            "--replicates", f"{text!r} is no FEWEST:MOST, such as 4:20; the fewest is at least 2"
        )
    return fewest, most


def _levels(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise invalid("--levels", f"{text!r} is no ladder; give levels, such as 16,64") from None


def _cores(processes: int | None) -> int:
    return processes or len(os.sched_getaffinity(0))
