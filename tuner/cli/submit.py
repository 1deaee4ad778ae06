"""Commands that begin with a spec: run, submit, validate."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tuner.cli.console import say
from tuner.cli.exits import CANCELLED, code_of
from tuner.cli.jobs import (
    check_writable,
    reference,
    save_report,
    told,
    watch_to_the_end,
    write_report,
)
from tuner.cli.options import (
    Address,
    Cpus,
    Format,
    Gpus,
    Output,
    ReportFormat,
    Save,
    SpecFile,
    chosen_address,
    connect,
)
from tuner.errors import TunerError

if TYPE_CHECKING:
    from rich.table import Table

    from tuner.client import Client, Job
    from tuner.spec import JobSpec

CANCEL_SECONDS = 20.0


def submit(
    ctx: typer.Context,
    file: SpecFile,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Follow it to its end.")] = False,
    job_id: Annotated[
        str | None, typer.Option("--job-id", help="The job's id; made up where omitted.")
    ] = None,
    output: Annotated[
        Format, typer.Option("--output", "-o", help="How to write the job.")
    ] = Format.NAME,
    address: Address = None,
) -> None:
    """Submit a job and print its id."""
    from tuner.cli.output import emit_one
    from tuner.cli.views import job_row, job_table
    from tuner.client.own_code import entry_of
    from tuner.spec import JobSpec

    spec = JobSpec.from_file(file, entry_of)
    with connect(ctx, address) as client:
        job = client.submit(spec, job_id=job_id)
        row = job_row(job.status) | {"reference": reference(job)}
        emit_one(output, row, lambda: job_table(job.status), "reference")
        _say_addresses(client)
        said = reference(job)
        if watch:
            raise typer.Exit(watch_to_the_end(job))
        say("next:")
        say(f"  tuner watch {said}        follow it")
        say(f"  tuner get curves {said}   what it has found so far")
        say(f"  tuner report {said}       the report")
        say(f"  tuner cancel {said}       end it")


def run(
    ctx: typer.Context,
    file: SpecFile,
    output: Annotated[
        ReportFormat, typer.Option("--output", "-o", help="How to write the result.")
    ] = ReportFormat.TABLE,
    save: Save = None,
    cpus: Cpus = None,
    gpus: Gpus = None,
    address: Address = None,
) -> None:
    """Run a job to its end, show its verdicts and save the report.

    It uses the coordinator that is named or up. Where there is none, it brings
    up one for the time of the job. Ctrl-C cancels the job.
    """
    from tuner.client.own_code import entry_of
    from tuner.report.advice import advice
    from tuner.spec import JobSpec

    check_writable(output)
    spec = JobSpec.from_file(file, entry_of)
    _check_data(spec)
    with _coordinator(chosen_address(ctx, address), cpus, gpus) as client:
        _say_addresses(client)
        job = client.submit(spec)
        say(f"job {reference(job)}: {_counted(spec)}; Ctrl-C cancels it")
        _follow_or_cancel(job)
        result = job.snapshot()
        folder = save_report(result, Path(save) if save else Path("results") / job.id)
    write_report(result, output)
    following = advice(result)
    if following:
        say("what to try next:")
        for line in following:
            say(f"  - {line}")
    say(f"{told(job)}; the report is {folder / 'report.md'}")
    raise typer.Exit(code_of(result.state) if result.state.ended else CANCELLED)


def validate(file: SpecFile, output: Output = Format.TABLE) -> None:
    """Judge a spec without submitting it, and show it with all its defaults."""
    from tuner.cli.output import emit_list, emit_one
    from tuner.client.own_code import entry_of
    from tuner.spec import JobSpec

    spec = JobSpec.from_file(file, entry_of)
    _check_data(spec)
    rows = [search.model_dump(mode="json") for search in spec.all_searches()]
    if output in (Format.JSON, Format.YAML):
        emit_one(output, spec.model_dump(mode="json"), lambda: "", "name")
    else:
        emit_list(output, rows, lambda: _searches_table(spec), "key")
    say(f"{file} is valid: {_counted(spec)}.")


def _check_data(spec: JobSpec) -> None:
    from tuner.client.uploads import local_files

    local_files(spec.dataset)


def _counted(spec: JobSpec) -> str:
    from tuner.report.naming import dataset_name

    number = len(spec.searches)
    searches = f"{number} search" + ("es" if number > 1 else "")
    bar = f"margin {spec.margin:g}"
    if spec.worth is not None:
        bar = f"worth {spec.worth.gain:g} for {spec.worth.device_hours:g} device-hours"
    return f"{searches} on {dataset_name(spec.dataset)}, {bar}"


@contextmanager
def _coordinator(address: str | None, cpus: int | None, gpus: int | None) -> Iterator[Client]:
    """Yields a client of the coordinator that is named or up, or of one for the time being."""
    from tuner.cli.embedded import running, services_for_a_while
    from tuner.client import Client

    if address or os.environ.get("TUNER_ADDRESS") or running():
        with Client(address) as client:
            yield client
        return
    with services_for_a_while(cpus, gpus, say) as services, Client(services.address) as client:
        yield client


def _follow_or_cancel(job: Job) -> None:
    """Follows the job to its end; Ctrl-C cancels it."""
    from tuner.cli.live import follow

    try:
        follow(job)
    except KeyboardInterrupt:
        say("\ncancelling; what was measured is kept")
        if not job.refresh().state.ended:
            job.cancel()
            _wait_a_while(job)


def _wait_a_while(job: Job) -> None:
    try:
        job.wait(CANCEL_SECONDS)
    except TunerError as error:
        if error.reason != "WAIT_TIMEOUT":
            raise
        say(error.message)


def _say_addresses(client: Client) -> None:
    status = client.cluster_status()
    say(f"coordinator    {client.endpoint.address}")
    say(f"Ray dashboard  {status.dashboard_address}")
    if status.problem:
        say(f"the cluster can't be reached: {status.problem}; the job waits for it")


def _searches_table(spec: JobSpec) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    for name in ("search", "levels", "metric", "tuned"):
        table.add_column(name)
    baseline = spec.baseline_search
    for search in spec.all_searches():
        tuned = [n for n, r in search.ranges().items() if type(r).__name__ != "Fixed"]
        table.add_row(
            f"{search.key} (baseline)" if search == baseline else search.key,
            " ".join(map(str, search.levels)),
            search.metric,
            ", ".join(tuned) or "nothing",
        )
    return table
