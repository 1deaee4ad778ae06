"""The `tuner` command's entry point."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Annotated

import typer

from tuner import __version__
from tuner.cli import (
    access,
    analyze,
    cluster,
    db,
    export,
    get,
    jobs,
    lifecycle,
    queue,
    simulate,
    spot,
    submit,
)
from tuner.cli.exits import Commands

app = typer.Typer(
    cls=Commands,
    name="tuner",
    help="Measures how much capacity is enough, and what the next bit of it costs.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"tuner {__version__}")
        raise typer.Exit


@app.callback()
def _globals(
    address: Annotated[
        str | None,
        typer.Option(
            "--address",
            metavar="HOST:PORT[,...]",
            help="The coordinator; TUNER_ADDRESS, or the one of `tuner up`, where omitted.",
            show_default=False,
        ),
    ] = None,
    tls_ca: Annotated[
        Path | None,
        typer.Option(
            "--tls-ca",
            metavar="FILE",
            help="The authority that the coordinator is trusted by; TUNER_TLS_CA where omitted.",
            show_default=False,
        ),
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Measures how much capacity is enough, and what the next bit of it costs."""
    if tls_ca is not None:
        from tuner.tls import CA_VARIABLE

        # As if it had been set: whatever connects, connects so.
        os.environ[CA_VARIABLE] = str(tls_ca)


app.command("run")(submit.run)
app.command("submit")(submit.submit)
app.command("spot")(spot.spot)
app.command("validate")(submit.validate)
app.command("watch")(jobs.watch)
app.command("logs")(jobs.logs)
app.command("pause")(lifecycle.pause)
app.command("resume")(lifecycle.resume)
app.command("stop")(lifecycle.stop)
app.command("cancel")(lifecycle.cancel)
app.command("extend")(lifecycle.extend)
app.command("clone")(lifecycle.clone)
app.command("delete")(jobs.delete)
app.command("report")(jobs.report)
app.command("export")(export.export)
app.add_typer(get.app, name="get")
app.add_typer(db.app, name="db")
app.command("curves")(get.get_curves)
app.command("predictions")(jobs.predictions)
app.command("analyze")(analyze.analyze)
app.command("simulate")(simulate.simulate)
app.add_typer(access.app, name="token")
app.command("audit")(access.audit)
app.command("queue")(queue.queue)
app.add_typer(queue.app, name="quota")
app.command("learners")(cluster.learners)
app.command("status")(cluster.status)
app.command("up")(cluster.up)
app.command("down")(cluster.down)


def main() -> None:
    """Runs the command; never returns."""
    # A command that is asked to end tidies up as on Ctrl-C: `run` cancels its job and takes down
    # what it brought up.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    app()
