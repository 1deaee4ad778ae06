"""`tuner analyze`: the verdict on anybody's sweep, with no service at all."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tuner.cli.asked import (
    parse_break,
    parse_condition,
    parse_ladder,
    parse_margin,
    parse_sizes,
    parse_worth,
)
from tuner.cli.console import data
from tuner.errors import TunerError, invalid
from tuner.installed import require

if TYPE_CHECKING:
    from tuner.curve import Curve


class AnalysisFormat(StrEnum):
    """How an analysis is written."""

    TABLE = "table"
    JSON = "json"
    MD = "md"
    SVG = "svg"
    PNG = "png"


class DesignName(StrEnum):
    """How the number of replicates came about."""

    FIXED = "fixed"
    SEQUENTIAL = "sequential"


_TABLE = "A table"
_COLUMNS = "Columns of the table"
_WHERE_FROM = "Where replicates and noise come from"
_QUESTION = "The question"


def analyze(
    table: Annotated[
        str | None,
        typer.Argument(
            metavar="[TABLE]",
            help="A CSV file with a header, one row a run; - for standard input.",
            show_default=False,
        ),
    ] = None,
    margin: Annotated[
        str | None,
        typer.Option(
            help="The least gain per doubling that is worth having, in the score's units; "
            "0.5pp is half a percentage point, .005.",
            show_default=False,
            rich_help_panel=_QUESTION,
        ),
    ] = None,
    worth: Annotated[
        str | None,
        typer.Option(
            metavar="GAIN=COST",
            help="Instead of a margin, a price: a gain and what it may cost, in the unit of the "
            "cost column; 1pp=40. Needs --cost.",
            show_default=False,
            rich_help_panel=_QUESTION,
        ),
    ] = None,
    minimize: Annotated[
        bool | None,
        typer.Option(
            "--minimize/--maximize",
            help="Which way a score is better.",
            show_default=False,
            rich_help_panel=_QUESTION,
        ),
    ] = None,
    level: Annotated[
        str | None,
        typer.Option(
            help="The capacity that was swept.", show_default=False, rich_help_panel=_COLUMNS
        ),
    ] = None,
    score: Annotated[
        str | None,
        typer.Option(help="The score of a run.", show_default=False, rich_help_panel=_COLUMNS),
    ] = None,
    replicate: Annotated[
        str | None,
        typer.Option(
            help="Which runs belong together: the seed or split.",
            show_default=False,
            rich_help_panel=_COLUMNS,
        ),
    ] = None,
    cost: Annotated[
        str | None,
        typer.Option(help="What a run costs.", show_default=False, rich_help_panel=_COLUMNS),
    ] = None,
    per: Annotated[
        str | None,
        typer.Option(
            help="What is doubled, where it isn't the level: parameters, say.",
            show_default=False,
            rich_help_panel=_COLUMNS,
        ),
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COLUMN=VALUE",
            help="Only rows with this; may be repeated.",
            show_default=False,
            rich_help_panel=_COLUMNS,
        ),
    ] = None,
    correct: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.npz",
            help="Instead of a table: one array of booleans a level, whether each test example "
            "was right; (examples,) or (replicates, examples).",
            show_default=False,
        ),
    ] = None,
    design: Annotated[
        DesignName | None,
        typer.Option(
            help="Whether the number of replicates was fixed, or looked at before going on.",
            show_default=False,
            rich_help_panel=_WHERE_FROM,
        ),
    ] = None,
    noise: Annotated[
        float | None,
        typer.Option(
            help="Standard deviation between runs of one level, for tables without replicates.",
            show_default=False,
            rich_help_panel=_WHERE_FROM,
        ),
    ] = None,
    noise_runs: Annotated[
        int | None,
        typer.Option(
            help="Runs that the noise was estimated from.",
            show_default=False,
            rich_help_panel=_WHERE_FROM,
        ),
    ] = None,
    resampled: Annotated[
        str | None,
        typer.Option(
            metavar="TEST:TRAIN",
            help="Replicates are splits of the same data, with so many test and training examples.",
            show_default=False,
            rich_help_panel=_WHERE_FROM,
        ),
    ] = None,
    ladder: Annotated[
        str | None,
        typer.Option(
            metavar="1,2,4",
            help="The levels that were meant to be measured, where some are not there.",
            show_default=False,
            rich_help_panel=_QUESTION,
        ),
    ] = None,
    change: Annotated[
        list[str] | None,
        typer.Option(
            "--break",
            metavar="34:50=WHAT",
            help="Something else changes between two levels; may be repeated.",
            show_default=False,
            rich_help_panel=_QUESTION,
        ),
    ] = None,
    alpha: Annotated[
        float,
        typer.Option(help="The share of verdicts that may be wrong.", rich_help_panel=_QUESTION),
    ] = 0.05,
    patience: Annotated[
        int,
        typer.Option(
            min=1,
            help="Larger levels that must be measured to call a plateau.",
            rich_help_panel=_QUESTION,
        ),
    ] = 2,
    knee: Annotated[
        bool, typer.Option("--knee", help="Show the knee too; for the eye, not the verdict.")
    ] = False,
    output: Annotated[
        AnalysisFormat, typer.Option("--output", "-o", help="How to write it.")
    ] = AnalysisFormat.TABLE,
) -> None:
    """Say how much capacity is enough in anybody's sweep: what doublings gain, and the verdict.

    tuner analyze sweep.csv --level depth --score error --minimize --margin 0.5 --replicate seed

    tuner analyze --correct predictions.npz --margin 0.5pp
    """
    from tuner.cli.output import check_picture

    require("an analysis needs", "pip install 'tuner[analyze]'", "numpy", "scipy")
    check_picture(output)
    if (table is None) == (correct is None):
        raise invalid("TABLE", "give a table, or predictions by --correct, and not both")
    if margin is None and worth is None:
        raise invalid("--margin", "say the least gain per doubling that is worth having")
    question: dict[str, Any] = {
        "margin": None if margin is None else parse_margin(margin),
        "worth": None if worth is None else parse_worth(worth),
        "alpha": alpha,
        "patience": patience,
        "breaks": [parse_break(text) for text in change or ()],
        "knee": knee,
    }
    if correct is not None:
        given = {
            "--level": level, "--score": score, "--replicate": replicate, "--cost": cost,
            "--worth": worth,
            "--per": per, "--where": where, "--noise": noise, "--noise-runs": noise_runs,
            "--resampled": resampled, "--ladder": ladder,
        }  # fmt: skip
        for option, value in given.items():
            if value is not None:
                raise invalid(option, "goes with a table, not with --correct")
        if minimize:
            raise invalid("--minimize", "being right is better; leave it out with --correct")
        curve = _of_predictions(correct, design, question)
    else:
        assert table is not None
        question["noise"], question["noise_runs"] = noise, noise_runs
        question["resampled"] = None if resampled is None else parse_sizes(resampled)
        question["ladder"] = None if ladder is None else parse_ladder(ladder)
        question["design"] = None if design is None else design.value
        columns = {"level": level, "score": score, "replicate": replicate, "cost": cost, "per": per}
        curve = _of_table(
            table, columns, minimize, dict(map(parse_condition, where or ())), question
        )
    _write(curve, output)


def _of_table(
    path: str,
    columns: dict[str, str | None],
    minimize: bool | None,
    where: dict[str, str],
    question: dict[str, Any],
) -> Curve:
    from tuner.cli.tablefile import read_table

    file = read_table(path).where(where)
    for name in ("level", "score"):
        if columns[name] is None:
            raise invalid(f"--{name}", f"say which column that is; {file.named()}")
    if minimize is None:
        raise invalid("--minimize", f"say whether {columns['score']} is better --minimize'd or not")
    from tuner.returns import DataError, analyze

    direction = "minimize" if minimize else "maximize"
    try:
        return analyze(file.columns, direction=direction, **columns, **question)  # type: ignore[arg-type]
    except DataError as error:
        line = "" if error.row is None else f", line {file.lines[error.row - 1]}"
        column = f"column {error.column!r}" if error.column else "the table"
        raise invalid(f"{file.name}, {column}{line}", error.problem) from error
    except ValueError as error:
        raise _bad_argument(error) from error


def _of_predictions(path: Path, design: DesignName | None, question: dict[str, Any]) -> Curve:
    from tuner.cli.tablefile import read_correct
    from tuner.returns import DataError, analyze_examples

    level, arrays, groups = read_correct(path)
    how: Any = "fixed" if design is None else design.value
    try:
        return analyze_examples(arrays, level=level, groups=groups, design=how, **question)
    except DataError as error:
        raise invalid(f"{path}, array of level {error.column}", error.problem) from error
    except ValueError as error:
        raise _bad_argument(error) from error


def _bad_argument(error: ValueError) -> TunerError:
    """Returns the error of an argument, whose name its text begins with."""
    name, _, problem = str(error).partition(" ")
    return invalid(f"--{name.rstrip(':').replace('_', '-')}", problem)


def _write(curve: Curve, output: AnalysisFormat) -> None:
    from tuner.cli.output import dump, write
    from tuner.report import analysis, chart

    if output is AnalysisFormat.JSON:
        write(dump(True, analysis.to_dict(curve)))
    elif output is AnalysisFormat.MD:
        write(analysis.markdown(curve))
    elif output is AnalysisFormat.SVG:
        write(chart.svg_of([curve]))
    elif output is AnalysisFormat.PNG:
        typer.echo(chart.png_of([curve]), nl=False)
    else:
        data().print(analysis.table(curve))
