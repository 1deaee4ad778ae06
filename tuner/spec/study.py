"""Several jobs in one file: what they have in common, and what each says itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tuner.errors import Status, TunerError, Violation
from tuner.spec import file
from tuner.spec.job import JobSpec
from tuner.spec.own import Own

JOBS = "jobs"

MAX_JOBS = 64


def read_jobs(path: str | Path, own: Own | None = None) -> tuple[JobSpec, ...]:
    """Reads the jobs of a YAML or JSON file; paths in it are relative to its folder.

    A file is one job, or has `jobs`, a list of what each says itself; its other keys are what
    all of them have in common. A key of a job replaces the common one as a whole.

    Args:
        path: The file.
        own: As for `JobSpec.parse`.

    Returns:
        The specs in the file's order, at least one.

    Raises:
        TunerError: INVALID_ARGUMENT where it can't be read, or a job isn't valid: with every
            field at fault, such as `jobs[2].searches[0].axis`, or its own name where it is
            common to all and wrong in all.
    """
    path = Path(path)
    data = file.read(path)
    if JOBS not in data:
        return (JobSpec.beside(path, data, own),)
    common = {key: value for key, value in data.items() if key != JOBS}
    jobs = _judged(data[JOBS])
    specs: list[JobSpec] = []
    wrong: list[list[Violation]] = []
    for job in jobs:
        try:
            specs.append(JobSpec.beside(path, {**common, **job}, own))
            wrong.append([])
        except TunerError as error:
            if not error.violations:
                raise
            wrong.append(list(error.violations))
    if problems := _placed(jobs, wrong):
        raise _invalid(problems)
    return tuple(specs)


def _judged(jobs: object) -> Sequence[Mapping[str, Any]]:
    """Returns the list of jobs. Raises TunerError where it is none."""
    if not isinstance(jobs, list) or not 1 <= len(jobs) <= MAX_JOBS:
        problem = (
            f"must be a list of 1 to {MAX_JOBS} jobs, each a mapping of what it doesn't have in "
            "common with the others"
        )
        raise _invalid([Violation(JOBS, problem)])
    problems = [
        Violation(
            f"{JOBS}[{place}]", f"must be a mapping, such as {{dataset: digits}} (was {job!r})"
        )
        for place, job in enumerate(jobs)
        if not isinstance(job, dict)
    ]
    if problems:
        raise _invalid(problems)
    return jobs


def _placed(
    jobs: Sequence[Mapping[str, Any]], wrong: Sequence[Sequence[Violation]]
) -> list[Violation]:
    """Returns what is wrong, each named by its job, once where it is common to all."""
    found = []
    for place, violations in enumerate(wrong):
        for violation in violations:
            top = violation.field.partition(".")[0].partition("[")[0]
            common = all(top not in job for job in jobs)
            shared = common and all(violation in others for others in wrong)
            field = violation.field if shared else f"{JOBS}[{place}].{violation.field}"
            found.append(Violation(field, violation.problem))
    return list(dict.fromkeys(found))


def _invalid(problems: Sequence[Violation]) -> TunerError:
    return TunerError(
        Status.INVALID_ARGUMENT, "INVALID_SPEC", "the jobs of the file are not valid", problems
    )
