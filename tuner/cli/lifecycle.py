"""Commands that move a job: pause, resume, stop, cancel, extend, clone. Each says what it found."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

import typer

from tuner.cli.console import say
from tuner.cli.exits import SUCCEEDED
from tuner.cli.jobs import reference, watch_to_the_end
from tuner.cli.options import Address, Format, JobArgument, Namespace, Wait, connect
from tuner.errors import TunerError, invalid

if TYPE_CHECKING:
    from tuner.client import Job
    from tuner.jobs import JobState

_LEVELS = re.compile(r"(?:(?P<search>[^=]+)=)?(?P<levels>\d+(?:,\d+)*)")


def pause(
    ctx: typer.Context,
    job: JobArgument,
    namespace: Namespace = "default",
    address: Address = None,
) -> None:
    """Have a job finish what runs and free its slots, until `tuner resume`."""
    with connect(ctx, address, namespace) as client:
        found = client.get_job(job)
        state = found.pause().state
    said = reference(found)
    if state == "PAUSING":
        say(f"{said} is pausing: what runs is finished first. `tuner resume {said}` goes on.")
    elif state == "PAUSED":
        say(f"{said} is paused; `tuner resume {said}` goes on.")
    else:
        say(_nothing(found, state, "pause"))


def resume(
    ctx: typer.Context,
    job: JobArgument,
    wait: Wait = False,
    namespace: Namespace = "default",
    address: Address = None,
) -> None:
    """Have a paused job go on, or a failed or cancelled one, on its record."""
    with connect(ctx, address, namespace) as client:
        found = client.get_job(job)
        before = found.status
        state = found.resume().state
        if found.status.last_sequence == before.last_sequence:
            hint = " Extend it to have more." if state == "SUCCEEDED" else ""
            say(_nothing(found, state, "resume") + hint)
            return
        say(f"{reference(found)} goes on from its record; it is {_word(state)}.")
        _waited(found, wait, before.last_sequence)


def stop(
    ctx: typer.Context,
    job: JobArgument,
    wait: Wait = False,
    namespace: Namespace = "default",
    address: Address = None,
) -> None:
    """Have a job finish what runs and conclude with what is known."""
    with connect(ctx, address, namespace) as client:
        found = client.get_job(job)
        ended, last = found.state.ended, found.status.last_sequence
        state = found.stop().state
        if state == "STOPPING":
            say(f"{reference(found)} is stopping: what runs is finished, every search concluded.")
        elif state == "CANCELLED" and not ended:
            say(f"{reference(found)} is cancelled: it had not begun, so there is no conclusion.")
        else:
            say(_nothing(found, state, "stop"))
            return
        _waited(found, wait, last)


def cancel(
    ctx: typer.Context,
    job: JobArgument,
    wait: Wait = False,
    namespace: Namespace = "default",
    address: Address = None,
) -> None:
    """End a job within seconds. Every finished measurement is kept."""
    with connect(ctx, address, namespace) as client:
        found = client.get_job(job)
        ended, last = found.state.ended, found.status.last_sequence
        state = found.cancel().state
        if ended or state not in ("CANCELLING", "CANCELLED"):
            say(_nothing(found, state, "cancel"))
            return
        say(f"{reference(found)} is {_word(state)}; what was measured is kept.")
        _waited(found, wait, last)


def extend(
    ctx: typer.Context,
    job: JobArgument,
    replicates: Annotated[
        int | None,
        typer.Option(min=2, help="Most replicates of a level from now on.", show_default=False),
    ] = None,
    levels: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[SEARCH=]N,N",
            help="Levels in addition, of a search or of all along an axis. Can be repeated.",
            show_default=False,
        ),
    ] = None,
    device_hours: Annotated[
        float | None,
        typer.Option(help="Device-hours in addition to the budget.", show_default=False),
    ] = None,
    hours: Annotated[
        float | None, typer.Option(help="Hours by the clock in addition.", show_default=False)
    ] = None,
    trials: Annotated[
        int | None,
        typer.Option(help="Candidates that each search may try in addition.", show_default=False),
    ] = None,
    wait: Wait = False,
    namespace: Namespace = "default",
    address: Address = None,
) -> None:
    """Reopen a job that has ended or is paused with more, on its record.

    Nothing that was measured is measured again.
    """
    if not any((replicates, levels, device_hours, hours, trials)):
        options = "--replicates, --levels, --device-hours, --hours or --trials"
        raise invalid("extend", f"nothing is asked for; give {options}")
    wanted = _levels(levels or [])
    with connect(ctx, address, namespace) as client:
        found = client.get_job(job)
        last = found.status.last_sequence
        try:
            status = found.extend(
                replicates=replicates,
                levels=wanted.get("", wanted),
                device_hours=device_hours,
                hours=hours,
                trials=trials,
            )
        except TunerError as error:
            raise _as_options(error) from error
        say(f"{reference(found)} is extended and {_word(status.state)}; its record goes on.")
        _waited(found, wait, last)


def clone(
    ctx: typer.Context,
    job: JobArgument,
    name: Annotated[
        str | None, typer.Option(help="What people call the new job.", show_default=False)
    ] = None,
    margin: Annotated[
        float | None, typer.Option(help="Another margin.", show_default=False)
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Another seed.", show_default=False)
    ] = None,
    wait: Wait = False,
    output: Annotated[
        Format, typer.Option("--output", "-o", help="How to write the new job.")
    ] = Format.NAME,
    namespace: Namespace = "default",
    address: Address = None,
) -> None:
    """Submit a job's spec once more, as a job of its own, and print its id."""
    from tuner.cli.output import emit_one
    from tuner.cli.views import job_row, job_table

    with connect(ctx, address, namespace) as client:
        made = client.get_job(job).clone(name=name, margin=margin, seed=seed)
        row = job_row(made.status) | {"reference": reference(made)}
        emit_one(output, row, lambda: job_table(made.status), "reference")
        _waited(made, wait, 0)


def _waited(job: Job, wait: bool, after: int) -> None:
    """Follows the job to its end where that is wanted, and ends with its exit code."""
    if wait:
        code = watch_to_the_end(job, after)
        if code != SUCCEEDED:
            raise typer.Exit(code)


def _nothing(job: Job, state: JobState, verb: str) -> str:
    already = "already " if state.ended else ""
    return f"{reference(job)} is {already}{_word(state)}; there is nothing to {verb}."


def _word(state: JobState) -> str:
    return state.value.lower()


def _levels(texts: list[str]) -> dict[str, list[int]]:
    """Returns levels by search or axis, "" where none is named. Raises TunerError."""
    found: dict[str, list[int]] = {}
    for text in texts:
        match = _LEVELS.fullmatch(text.replace(" ", ""))
        if match is None:
            raise invalid("--levels", f"{text!r} is no list; write 64,128 or forest/trees=64,128")
        more = [int(level) for level in match["levels"].split(",")]
        found.setdefault(match["search"] or "", []).extend(more)
    if "" in found and len(found) > 1:
        raise invalid("--levels", "some name a search and some don't; write SEARCH=64,128 in each")
    return found


def _as_options(error: TunerError) -> TunerError:
    """Returns the error with its fields as the options are called."""
    return error.renamed(lambda field: "--" + field.replace("_", "-"))
