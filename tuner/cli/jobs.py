"""Commands on a job that exists: watch, logs, delete, report."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tuner.cli.console import data, say
from tuner.cli.exits import INTERRUPTED, code_of
from tuner.cli.options import Address, JobArgument, Namespace, ReportFormat, connect
from tuner.errors import invalid

if TYPE_CHECKING:
    from tuner.client import Job, Result


def watch(
    ctx: typer.Context,
    job: JobArgument,
    after: Annotated[int, typer.Option(min=0, help="Only events after this sequence number.")] = 0,
    namespace: Namespace = "default",
    address: Address = None,
) -> None:
    """Follow a job until it has ended. Ctrl-C leaves it running."""
    with connect(ctx, address, namespace) as client:
        raise typer.Exit(watch_to_the_end(client.get_job(job), after))


def watch_to_the_end(job: Job, after: int = 0) -> int:
    """Follows the job, shows its verdicts at the end, and returns the exit code."""
    from tuner.cli.live import follow
    from tuner.report import table

    try:
        state = follow(job, after)
    except KeyboardInterrupt:
        said = reference(job)
        say(f"\n{said} goes on. `tuner watch {said}` follows it again,")
        say(f"`tuner cancel {said}` ends it, `tuner report {said}` tells what is known so far.")
        return INTERRUPTED
    data().print(table(job.result()))
    say(told(job))
    return code_of(state)


def logs(
    ctx: typer.Context,
    job: JobArgument,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on until the job has ended.")
    ] = False,
    namespace: Namespace = "default",
    address: Address = None,
) -> None:
    """Show the log of a job's driver, which tells the climb in plain lines."""
    with connect(ctx, address, namespace) as client:
        for line in client.get_job(job).logs(follow):
            typer.echo(line)


def predictions(
    ctx: typer.Context,
    job: JobArgument,
    search: Annotated[
        str,
        typer.Argument(metavar="SEARCH", help="A search, by its key.", show_default=False),
    ],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="FOLDER", help="Where to put the files."),
    ] = Path("predictions"),
    namespace: Namespace = "default",
    address: Address = None,
) -> None:
    """Save what a search's measurements predicted of every test example, as NumPy's files."""
    with connect(ctx, address, namespace) as client:
        try:
            files = client.get_job(job).save_predictions(search, output)
        except OSError as error:
            raise invalid(
                "--output", f"{output} can't be written ({error.strerror}); name another folder"
            ) from error
    say(f"{len(files)} files in {output}; predictions.csv tells which measurement each is of.")


def delete(
    ctx: typer.Context,
    job: JobArgument,
    namespace: Namespace = "default",
    address: Address = None,
) -> None:
    """Remove a job that has ended, with its record."""
    with connect(ctx, address, namespace) as client:
        found = client.get_job(job)
        found.delete()
    say(f"{reference(found)} is removed.")


def report(
    ctx: typer.Context,
    job: JobArgument,
    output: Annotated[
        ReportFormat, typer.Option("--output", "-o", help="How to write it.")
    ] = ReportFormat.MD,
    save: Annotated[
        str | None,
        typer.Option("--save", metavar="DIR", help="Save it there, too, as md, json and html."),
    ] = None,
    namespace: Namespace = "default",
    address: Address = None,
) -> None:
    """Write a job's report, as it stands.

    SVG and PNG are a picture of its curves; HTML is a page of both.
    """
    check_writable(output)
    with connect(ctx, address, namespace) as client:
        result = client.get_job(job).snapshot()
    write_report(result, output)
    if save:
        say(f"saved in {save_report(result, Path(save))}")


def check_writable(output: ReportFormat) -> None:
    """Judges whether a report can be written so, before anything is waited for.

    Raises:
        TunerError: INVALID_ARGUMENT where a PNG would go to a terminal;
            FAILED_PRECONDITION where what draws pictures is not installed.
    """
    from tuner.cli.output import check_picture

    check_picture(output)


def write_report(result: Result, output: ReportFormat) -> None:
    """Writes the report to stdout. Raises as `tuner.report.chart` does, for a picture."""
    from tuner.cli.output import dump, write
    from tuner.report import chart, markdown, table, to_dict
    from tuner.report.html import page

    if output is ReportFormat.TABLE:
        data().print(table(result))
    elif output is ReportFormat.MD:
        write(markdown(result))
    elif output is ReportFormat.HTML:
        write(page(result))
    elif output is ReportFormat.SVG:
        write(chart.svg(result))
    elif output is ReportFormat.PNG:
        typer.echo(chart.png(result), nl=False)
    else:
        write(dump(output is ReportFormat.JSON, to_dict(result)))


def save_report(result: Result, folder: Path) -> Path:
    """Writes report.md, report.json and report.html into the folder, which is made.

    The page is left out where what draws its picture is not installed.

    Raises:
        TunerError: INVALID_ARGUMENT where they can't be written there.
    """
    from tuner.cli.output import dump
    from tuner.report import chart, markdown, to_dict
    from tuner.report.html import page

    texts = {"report.md": markdown(result), "report.json": dump(True, to_dict(result))}
    if chart.can_draw():
        texts["report.html"] = page(result)
    return save_texts(texts, folder)


def save_texts(texts: Mapping[str, str], folder: Path) -> Path:
    """Writes files into the folder, which is made.

    Raises:
        TunerError: INVALID_ARGUMENT where they can't be written there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise invalid(
            "--save", f"{folder} can't be written ({error.strerror}); name another folder"
        ) from error
    return folder


def reference(job: Job) -> str:
    """Returns what to call the job in the next command: its id where that is enough."""
    return job.id if job.name.startswith("namespaces/default/") else job.name


def told(job: Job) -> str:
    """Returns where the job stands, and why where it isn't well."""
    status = job.status
    why = f" ({status.reason})" if status.reason and status.state.value != "SUCCEEDED" else ""
    return f"{reference(job)}: {status.state.value.lower()}{why}"
