"""Commands that begin with a spec: run, submit, validate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tuner.cli import study
from tuner.cli.console import say
from tuner.cli.exits import CANCELLED, INTERRUPTED, code_of
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
from tuner.cli.session import coordinator, follow_or_cancel, say_addresses
from tuner.errors import TunerError, invalid

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from tuner.client import Client, Job, Result
    from tuner.spec import JobSpec


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
    """Submit a job and print its id; all of them, where the file holds several."""
    from tuner.cli.output import emit_list, emit_one
    from tuner.cli.views import job_row, job_table, jobs_table
    from tuner.client.own_code import entry_of
    from tuner.spec import read_jobs

    specs = read_jobs(file, entry_of)
    several = len(specs) > 1
    if several and job_id:
        raise invalid("--job-id", f"is of one job, and {file} holds {len(specs)}; leave it out")
    _check_data(specs)
    with connect(ctx, address) as client:
        if several:
            study.check_all(client, specs)
        jobs = [client.submit(spec, job_id=job_id) for spec in specs]
        rows = [job_row(job.status) | {"reference": reference(job)} for job in jobs]
        if several:
            emit_list(output, rows, lambda: jobs_table(rows), "reference")
        else:
            emit_one(output, rows[0], lambda: job_table(jobs[0].status), "reference")
        say_addresses(client)
        if watch:
            raise typer.Exit(_watch_all(jobs))
        said = reference(jobs[0])
        say("next:")
        say(f"  tuner watch {said}        follow it")
        say(f"  tuner get curves {said}   what it has found so far")
        say(f"  tuner report {said}       the report")
        say(f"  tuner cancel {said}       end it")


def _watch_all(jobs: Sequence[Job]) -> int:
    """Follows the jobs to their ends, one after the other, and returns the worst exit code."""
    codes = []
    for job in jobs:
        codes.append(watch_to_the_end(job))
        if codes[-1] == INTERRUPTED:
            return INTERRUPTED
    return study.worst(codes)


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

    A file of several jobs runs one after the other and ends with a summary. It uses
    the coordinator that is named or up. Where there is none, it brings up one for
    the time of the job. Ctrl-C cancels the job, and those after it.
    """
    from tuner.client.own_code import entry_of
    from tuner.spec import read_jobs

    check_writable(output)
    specs = read_jobs(file, entry_of)
    study.check_output(output, len(specs))
    _check_data(specs)
    folder = Path(save) if save else None
    with coordinator(chosen_address(ctx, address), cpus, gpus) as client:
        say_addresses(client)
        if len(specs) > 1:
            folder = folder or Path("results") / Path(file).stem
            study.check_all(client, specs)
            ended = _run_all(client, specs, folder, output)
        else:
            ended = [_run_one(client, specs[0], folder)]
    if len(specs) > 1:
        study.write_summary([one.result for one in ended], output)
        say(f"the summary is {folder / 'summary.md'}, the reports are beside it" if folder else "")
    else:
        _show(ended[0], output)
    raise typer.Exit(study.worst(one.code for one in ended))


@dataclass(frozen=True)
class _Ended:
    """A job that was followed to its end, or until somebody pressed Ctrl-C."""

    job: Job
    result: Result
    folder: Path
    interrupted: bool

    @property
    def code(self) -> int:
        """The exit code of a command that waited for it."""
        return code_of(self.result.state) if self.result.state.ended else CANCELLED


def _run_one(client: Client, spec: JobSpec, folder: Path | None) -> _Ended:
    """Runs a job to its end and saves its report, in results/JOB where no folder is named."""
    job = client.submit(spec)
    say(f"job {reference(job)}: {_counted(spec)}; Ctrl-C cancels it")
    interrupted = follow_or_cancel(job)
    result = job.snapshot()
    return _Ended(job, result, save_report(result, folder or Path("results") / job.id), interrupted)


def _run_all(
    client: Client, specs: Sequence[JobSpec], folder: Path, output: ReportFormat
) -> list[_Ended]:
    """Runs jobs one after the other, each with a folder of its own, until one is interrupted."""
    ended: list[_Ended] = []
    for place, spec in enumerate(specs):
        study.heading(spec, place, len(specs))
        one = _run_one(client, spec, folder / study.folder_of(spec, place))
        ended.append(one)
        if study.told_at_once(output):
            _show(one, output)
        study.save_summary([e.result for e in ended], folder)
        if one.interrupted:
            break
    return ended


def _show(ended: _Ended, output: ReportFormat) -> None:
    """Writes a job's report, and says what to try next and where it is saved."""
    from tuner.report.advice import advice

    write_report(ended.result, output)
    following = advice(ended.result)
    if following:
        say("what to try next:")
        for line in following:
            say(f"  - {line}")
    say(f"{told(ended.job)}; the report is {ended.folder / 'report.md'}")


def validate(file: SpecFile, output: Output = Format.TABLE) -> None:
    """Judge a spec without submitting it, and show it with all its defaults."""
    from tuner.cli.output import emit_list, emit_one
    from tuner.client.own_code import entry_of
    from tuner.spec import read_jobs

    specs = read_jobs(file, entry_of)
    _check_data(specs)
    whole = [spec.model_dump(mode="json") for spec in specs]
    if output in (Format.JSON, Format.YAML):
        if len(specs) > 1:
            emit_list(output, whole, lambda: "", "name")
        else:
            emit_one(output, whole[0], lambda: "", "name")
    else:
        rows = [
            ({"job": spec.name} if len(specs) > 1 else {}) | search.model_dump(mode="json")
            for spec in specs
            for search in spec.all_searches()
        ]
        emit_list(output, rows, lambda: _searches_tables(specs), "key")
    said = "; ".join(map(_counted, specs))
    say(f"{file} is valid: {f'{len(specs)} jobs: ' if len(specs) > 1 else ''}{said}.")


def _check_data(specs: Sequence[JobSpec]) -> None:
    """Judges whether the files are there that the jobs name. Raises TunerError."""
    from tuner.client.uploads import local_files

    for place, spec in enumerate(specs):
        try:
            local_files(spec.dataset)
        except TunerError as error:
            raise (study.of_job(error, place) if len(specs) > 1 else error) from error


def _counted(spec: JobSpec) -> str:
    from tuner.report.naming import dataset_name

    number = len(spec.searches)
    searches = f"{number} search" + ("es" if number > 1 else "")
    bar = f"margin {spec.margin:g}"
    if spec.worth is not None:
        bar = f"worth {spec.worth.gain:g} for {spec.worth.device_hours:g} device-hours"
    kept = spec.limits.model_dump(exclude_none=True)
    limits = "".join(f", {name} at most {most:g}" for name, most in kept.items())
    return f"{searches} on {dataset_name(spec.dataset)}, {bar}{limits}"


def _searches_tables(specs: Sequence[JobSpec]) -> RenderableType:
    """Returns a table a job, with its name where there are several."""
    from rich.console import Group

    named = len(specs) > 1
    return Group(*(_searches_table(spec, spec.name if named else "") for spec in specs))


def _searches_table(spec: JobSpec, title: str) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, title=title or None, title_justify="left")
    disturbed = bool(spec.all_conditions())
    for name in ("search", "levels", "metric", "tuned", *(["measured under"] if disturbed else [])):
        table.add_column(name)
    baseline = spec.baseline_search
    for search in spec.all_searches():
        tuned = [n for n, r in search.ranges().items() if type(r).__name__ != "Fixed"]
        table.add_row(
            f"{search.key} (baseline)" if search == baseline else search.key,
            " ".join(map(str, search.levels)),
            search.metric,
            ", ".join(tuned) or "nothing",
            *([", ".join(c.name for c in spec.conditions(search.key)) or "–"] if disturbed else []),
        )
    return table
