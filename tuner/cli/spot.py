"""The `tuner spot` command: five minutes of every family before any long search."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tuner.cli.asked import parse_margin
from tuner.cli.console import data, say
from tuner.cli.exits import CANCELLED, code_of
from tuner.cli.jobs import reference, save_report, told
from tuner.cli.options import Address, Cpus, Save, chosen_address
from tuner.cli.session import coordinator, follow_or_cancel, say_addresses
from tuner.errors import Status, TunerError, invalid

if TYPE_CHECKING:
    from tuner.client import Client, Job, Result
    from tuner.spec import JobSpec
    from tuner.spot import Asked, Findings

ENDING_SECONDS = 35.0
"""Of the time there is, what goes to the job's start and last word, to the report, and to taking
services down; but never more than ENDING of it."""

ENDING = 0.25

LATE_SECONDS = 15.0
"""A job that is so long over its time is cancelled: it may still wait for a place to run."""

LEAST_SECONDS = 10.0
"""A job is given so much, however long its services took to start."""


class SpotFormat(StrEnum):
    """How a spot test is written."""

    TABLE = "table"
    MD = "md"
    JSON = "json"
    YAML = "yaml"


def spot(
    ctx: typer.Context,
    dataset: Annotated[
        str,
        typer.Argument(
            metavar="DATASET",
            help="As in a spec: csv:cells.csv?target=kind, images:FOLDER, digits.",
            show_default=False,
        ),
    ],
    task: Annotated[
        str, typer.Option("--task", help="What is predicted: classification or regression.")
    ] = "classification",
    metric: Annotated[
        str, typer.Option("--metric", help="What families are judged on.", show_default="error, r2")
    ] = "",
    margin: Annotated[
        str | None,
        typer.Option(
            "--margin", help="The least difference that matters: 0.01 or 1pp.", show_default="0.01"
        ),
    ] = None,
    minutes: Annotated[
        float, typer.Option("--minutes", help="How long it may take, start and end included.")
    ] = 5.0,
    families: Annotated[
        str,
        typer.Option(
            "--families",
            metavar="A,B",
            help="Only these, and the cheap baseline; all that fit where omitted.",
            show_default=False,
        ),
    ] = "",
    seed: Annotated[int, typer.Option(min=0, help="Everything random follows from it.")] = 0,
    output: Annotated[
        SpotFormat, typer.Option("--output", "-o", help="How to write what was found.")
    ] = SpotFormat.TABLE,
    save: Save = None,
    cpus: Cpus = None,
    address: Address = None,
) -> None:
    """Look at every family for five minutes: which are worth a real search, and which are not.

    It is a job like any other, and its record stays. What couldn't be measured in
    time is said, and the spec of the real search is saved beside the report.
    """
    from tuner.client.uploads import local_files
    from tuner.spot import check, plan

    start = time.monotonic()
    asked = _asked(dataset, task, metric, margin, minutes, families, seed)
    check(asked)
    local_files(plan(asked, 60 * minutes).dataset)
    with coordinator(chosen_address(ctx, address), cpus, None) as client:
        say_addresses(client)
        ending = min(ENDING_SECONDS, ENDING * 60 * minutes)
        left = max(60 * minutes - (time.monotonic() - start) - ending, LEAST_SECONDS)
        spec = plan(asked, left)
        job = client.submit(spec)
        say(
            f"job {reference(job)}: {len(spec.searches)} families, {left:.0f} s for all of them; "
            "Ctrl-C cancels it"
        )
        with _cancelled_after(client, job, left + LATE_SECONDS):
            follow_or_cancel(job)
        folder = Path(save) if save else Path("results") / job.id
        following = _tell(job, spec, folder, output)
    say(f"{told(job)}, after {time.monotonic() - start:.0f} s; the report is {folder / 'spot.md'}")
    if following:
        say(f"next: tuner run {folder / 'search.yaml'}")
    raise typer.Exit(code_of(job.state) if job.state.ended else CANCELLED)


def _asked(
    dataset: str,
    task: str,
    metric: str,
    margin: str | None,
    minutes: float,
    families: str,
    seed: int,
) -> Asked:
    """Returns what is asked, from the options' text. Raises TunerError."""
    from tuner.spot import Asked

    if task not in ("classification", "regression"):
        raise invalid("--task", f"can't be {task!r}; give classification or regression")
    return Asked(
        dataset=dataset,
        task="regression" if task == "regression" else "classification",
        metric=metric,
        margin=None if margin is None else parse_margin(margin),
        minutes=minutes,
        families=tuple(name.strip() for name in families.split(",") if name.strip()),
        seed=seed,
    )


@contextmanager
def _cancelled_after(client: Client, job: Job, seconds: float) -> Iterator[None]:
    """Cancels the job where it hasn't ended by then: it waits in a queue, or its runner is lost."""

    def cancel() -> None:
        say(f"{reference(job)} is late and is cancelled; what was measured is kept")
        try:
            client.get_job(job.id).cancel()
        except TunerError as error:
            # It may have ended in this very moment; that it hasn't is seen by who follows it.
            if error.status is not Status.FAILED_PRECONDITION:
                say(error.message)

    timer = threading.Timer(seconds, cancel)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _tell(job: Job, spec: JobSpec, folder: Path, output: SpotFormat) -> str | None:
    """Writes what was found, then saves it; returns the real search, None where there is none."""
    from tuner.spot import find, following_as_yaml

    result = job.snapshot()
    findings = find(spec, result.curves, job.measurements())
    following = following_as_yaml(findings, job.id, folder)
    _write(findings, result, following, output)
    _save(findings, result, following, folder)
    return following


def _save(findings: Findings, result: Result, following: str | None, folder: Path) -> None:
    """Writes the job's report, spot.md, spot.json and, where a family is worth it, search.yaml."""
    from tuner.cli.output import dump
    from tuner.spot import shown

    save_report(result, folder)
    told_of = (findings, result.job.id, result.job.dataset, following)
    texts = {
        "spot.md": shown.markdown(*told_of),
        "spot.json": dump(True, shown.to_dict(*told_of)),
        "search.yaml": following,
    }
    for name, text in texts.items():
        if text is not None:
            (folder / name).write_text(text, encoding="utf-8")


def _write(findings: Findings, result: Result, following: str | None, output: SpotFormat) -> None:
    from tuner.cli.output import dump, write
    from tuner.spot import shown

    told_of = (findings, result.job.id, result.job.dataset, following)
    if output is SpotFormat.TABLE:
        data().print(shown.table(findings, result.job.dataset))
    elif output is SpotFormat.MD:
        write(shown.markdown(*told_of))
    else:
        write(dump(output is SpotFormat.JSON, shown.to_dict(*told_of)))
