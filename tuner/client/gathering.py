"""What a job has found, gathered into one result."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuner.catalog import CLEAN, under
from tuner.client.result import Result
from tuner.curve import LearnerComparison
from tuner.errors import Status, TunerError

if TYPE_CHECKING:
    from tuner.client.job import Job


def gathered(job: Job) -> Result:
    """Returns the job's curves and comparison, and those under each of its conditions.

    What isn't measured yet is there without scores. A condition takes two calls, for all
    searches together.
    """
    named = job.spec.all_conditions()
    # A condition behind nothing: that of each search's own metric, or of the job's.
    asked = {condition: under("", condition) for condition in ((CLEAN, *named) if named else ())}
    compared = {condition: job.compare(metric) for condition, metric in asked.items()}
    return Result(
        job.status,
        job.curves(),
        _comparison(job),
        {condition: job.curves(metric) for condition, metric in asked.items()},
        {condition: how for condition, how in compared.items() if how is not None},
    )


def _comparison(job: Job) -> LearnerComparison | None:
    try:
        return job.compare()
    except TunerError as error:
        if error.status is not Status.UNIMPLEMENTED:
            raise
        return None  # an older coordinator, whose curves are still worth having
