"""`tuner export`: a chosen model, fitted once more on all training data and brought here."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tuner.cli.console import say
from tuner.cli.exits import INTERRUPTED
from tuner.cli.options import Address, JobArgument, Namespace, connect


def export(
    ctx: typer.Context,
    job: JobArgument,
    search: Annotated[
        str,
        typer.Argument(metavar="SEARCH", help="A search's key in it.", show_default=False),
    ],
    level: Annotated[
        int | None,
        typer.Option(
            min=1, help="The level; the one that is enough where omitted.", show_default=False
        ),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(
            "--output", "-o", metavar="DIR", help="An empty or new folder; models/JOB by default."
        ),
    ] = None,
    namespace: Namespace = "default",
    address: Address = None,
) -> None:
    """Fit the level that is enough on all training data, and save the model with a card.

    The fit is a job of its own on the cluster; its files are safetensors or skops, never pickle.
    """
    from tuner.client.export import check_folder

    with connect(ctx, address, namespace) as client:
        found = client.get_job(job)
        folder = check_folder(output or Path("models") / found.id)
        fitting = client.export(found, search, level)
        say(f"fitting {fitting.choice.title} on all training data, as job {fitting.job.id} ...")
        try:
            names = fitting.save(folder)
        except KeyboardInterrupt:
            fitting.job.cancel()
            say(f"\n{fitting.job.id} is cancelled; nothing is saved.")
            raise typer.Exit(INTERRUPTED) from None
    for name in names:
        typer.echo(str(folder / name))
