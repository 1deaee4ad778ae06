"""Commands on the coordinator's database: upgrade, check, backup. They need no coordinator."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Annotated

import typer

from tuner.cli.exits import Commands

DATABASE_URL = "TUNER_COORDINATOR_DATABASE_URL"

app = typer.Typer(
    cls=Commands, help="Upgrade, check and back up the database.", no_args_is_help=True
)

Database = Annotated[
    str | None,
    typer.Option(
        "--database",
        metavar="URL",
        help=f"Its address; {DATABASE_URL}, or the one of `tuner up`, where omitted.",
        show_default=False,
    ),
]


@app.command("upgrade")
def upgrade(database: Database = None) -> None:
    """Bring the schema to this version's. Stop every coordinator first."""
    _run(database, "upgrade")


@app.command("check")
def check(database: Database = None) -> None:
    """Tell whether the database is whole, the record in it too; exits 1 where it isn't."""
    _run(database, "check")


@app.command("backup")
def backup(
    file: Annotated[str, typer.Argument(metavar="FILE", help="The copy.", show_default=False)],
    database: Database = None,
) -> None:
    """Copy the database to a file, beside a coordinator that runs."""
    _run(database, "backup", file)


def _run(database: str | None, *arguments: str) -> None:
    """Runs the services' part as they are run: in a process of its own."""
    from tuner.client.endpoint import state_home

    # By the environment, for an address may hold a password.
    environment = dict(os.environ)
    if database:
        environment[DATABASE_URL] = database
    environment.setdefault("TUNER_COORDINATOR_STATE_DIR", str(state_home()))
    command = [sys.executable, "-m", "services.coordinator.db", *arguments]
    raise typer.Exit(subprocess.run(command, env=environment, check=False).returncode)
