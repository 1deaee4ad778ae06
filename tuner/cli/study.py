"""Several jobs of one file: run one after the other, and summed up."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tuner.cli.console import data, say
from tuner.cli.exits import CANCELLED, FAILED, SUCCEEDED
from tuner.cli.options import ReportFormat
from tuner.errors import TunerError, invalid
from tuner.spec.study import JOBS

if TYPE_CHECKING:
    from tuner.client import Client, Result
    from tuner.spec import JobSpec

_TOLD_AT_ONCE = (ReportFormat.TABLE, ReportFormat.MD)
"""Formats in which each job's report is written as it ends; others are one object at the end."""

_OF_ONE_JOB = (ReportFormat.HTML, ReportFormat.SVG, ReportFormat.PNG)


def check_output(output: ReportFormat, jobs: int) -> None:
    """Judges whether the reports of so many jobs can be written so, before anything runs.

    Raises:
        TunerError: INVALID_ARGUMENT where that is a picture or a page of one job, and there
            are several.
    """
    if jobs > 1 and output in _OF_ONE_JOB:
        raise invalid(
            "--output",
            f"{output.value} is of one job, and the file holds {jobs}; take table, md, json or "
            "yaml, and each job's page from the folder that is saved",
        )


def check_all(client: Client, specs: Sequence[JobSpec]) -> None:
    """Has the coordinator judge all jobs before any of them is submitted.

    Raises:
        TunerError: It refuses one; fields at fault are named by its place in the file.
    """
    for place, spec in enumerate(specs):
        try:
            client.submit(spec, validate_only=True)
        except TunerError as error:
            raise of_job(error, place) from error


def of_job(error: TunerError, place: int) -> TunerError:
    """Returns an error about one job of several, its fields named by the job's place."""
    if error.violations:
        return error.renamed(lambda field: f"{JOBS}[{place}].{field}")
    return TunerError(error.status, error.reason, f"{JOBS}[{place}]: {error.message}")


def told_at_once(output: ReportFormat) -> bool:
    """Tells whether each job's report is written as it ends."""
    return output in _TOLD_AT_ONCE


def write_summary(results: Sequence[Result], output: ReportFormat) -> None:
    """Writes what the jobs say together; with their reports, where those are part of an object."""
    from tuner.cli.output import dump, write
    from tuner.report import summary, to_dict

    if output is ReportFormat.TABLE:
        data().print(summary.tables(results))
    elif output is ReportFormat.MD:
        write("\n" + summary.markdown(results))
    else:
        whole = {
            "jobs": [to_dict(result) for result in results],
            "summary": summary.summary_to_dict(results),
        }
        write(dump(output is ReportFormat.JSON, whole))


def save_summary(results: Sequence[Result], folder: Path) -> Path:
    """Writes summary.md and summary.json into the folder, which is made.

    Raises:
        TunerError: INVALID_ARGUMENT where they can't be written there.
    """
    from tuner.cli.jobs import save_texts
    from tuner.cli.output import dump
    from tuner.report import summary

    texts = {
        "summary.md": summary.markdown(results),
        "summary.json": dump(True, summary.summary_to_dict(results)),
    }
    return save_texts(texts, folder)


def worst(codes: Iterable[int]) -> int:
    """Returns the worst exit code: one that failed, then one that was cancelled."""
    seen = set(codes)
    return next((code for code in (FAILED, CANCELLED) if code in seen), SUCCEEDED)


def folder_of(spec: JobSpec, place: int) -> str:
    """Returns the name of the folder for one of several jobs: "1-xor"."""
    from tuner.report.naming import dataset_name

    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", spec.name or dataset_name(spec.dataset))
    return f"{place + 1}-{plain[:60]}".rstrip("-.")


def heading(spec: JobSpec, place: int, jobs: int) -> None:
    """Says which of several jobs comes now."""
    from tuner.report.naming import dataset_name

    say(f"\njob {place + 1} of {jobs}: {spec.name or dataset_name(spec.dataset)}")
