"""Options and arguments that several commands share."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from tuner.client import Client


class Format(StrEnum):
    """How data is written."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"
    CSV = "csv"
    NAME = "name"


class ReportFormat(StrEnum):
    """How a report is written."""

    MD = "md"
    JSON = "json"
    YAML = "yaml"
    TABLE = "table"
    HTML = "html"
    SVG = "svg"
    PNG = "png"


Address = Annotated[
    str | None,
    typer.Option(
        "--address",
        metavar="HOST:PORT[,...]",
        help="The coordinator; TUNER_ADDRESS, or the one of `tuner up`, where omitted.",
        show_default=False,
    ),
]

Output = Annotated[Format, typer.Option("--output", "-o", help="How to write it.")]

Namespace = Annotated[
    str, typer.Option("--namespace", "-n", help="Where a job that is named by its id is.")
]

JobArgument = Annotated[
    str, typer.Argument(metavar="JOB", help="A job's id, or its whole name.", show_default=False)
]

SpecFile = Annotated[
    str,
    typer.Argument(metavar="FILE", help="The job's spec, in YAML or JSON.", show_default=False),
]

Wait = Annotated[
    bool,
    typer.Option(
        "--wait", "--watch", "-w", help="Follow it to its end; the exit code tells how it ended."
    ),
]

Save = Annotated[
    str | None,
    typer.Option(
        "--save", metavar="DIR", help="Where to save the report; results/JOB where omitted."
    ),
]

Cpus = Annotated[
    int | None,
    typer.Option(min=1, help="Processor cores to offer; all where omitted.", show_default=False),
]

Gpus = Annotated[
    int | None,
    typer.Option(min=0, help="GPUs to offer; all found where omitted.", show_default=False),
]


def connect(ctx: typer.Context, address: str | None, namespace: str = "default") -> Client:
    """Returns a client of the coordinator that the command, the program or the machine names."""
    from tuner.client import Client

    return Client(chosen_address(ctx, address), namespace=namespace)


def chosen_address(ctx: typer.Context, address: str | None) -> str | None:
    """Returns the address given to the command, or before it; None where there is neither."""
    outer = ctx.find_root().params.get("address")
    return address or (str(outer) if outer else None)
