"""How a job ends, given how its last attempt ended. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

from services.coordinator.store.rows import AttemptRow, JobRow
from tuner.curve import SearchState
from tuner.jobs import JobState


class Ended(StrEnum):
    """How an attempt ended; the first four are a runner's word, the others the coordinator's."""

    COMPLETED = "COMPLETED"
    INVALID = "INVALID"
    CRASHED = "CRASHED"
    CANCELLED = "CANCELLED"
    # The driver ended without a word, or nobody knows it any more.
    LOST = "LOST"
    # No heartbeat for a whole lease.
    EXPIRED = "EXPIRED"
    # The driver ran and never enrolled.
    NOT_ENROLLED = "NOT_ENROLLED"
    # The cluster wouldn't start the driver.
    REFUSED = "REFUSED"
    # The job was cancelled, and the runner didn't end in time.
    STOPPED = "STOPPED"


LAST_WORDS = (Ended.COMPLETED, Ended.INVALID, Ended.CRASHED, Ended.CANCELLED)
"""What a runner says; its driver ends by itself after it."""


def unfinished(job: JobRow) -> list[str]:
    """Returns the keys of the searches that have neither concluded nor failed."""
    final = (SearchState.CONCLUDED, SearchState.FAILED)
    return [search.key for search in job.searches if search.state not in final]


def ending(job: JobRow, last: AttemptRow) -> tuple[JobState, str] | None:
    """Returns how the job ends, and why, once its last attempt has ended.

    A job of which any search that was asked for has concluded is a success,
    and says which have failed. The baseline's doesn't count: nobody asked.

    Returns:
        None where the job doesn't end with this attempt.
    """
    if last.outcome == Ended.INVALID:
        return JobState.FAILED, last.reason
    if last.outcome == Ended.CANCELLED:
        asked = job.reason if job.state is JobState.CANCELLING else last.reason
        return JobState.CANCELLED, asked or "cancelled"
    if last.outcome != Ended.COMPLETED or unfinished(job):
        return None
    wanted = {search.key for search in job.spec.searches}
    failed = [search for search in job.searches if search.state is SearchState.FAILED]
    reasons = "; ".join(f"{s.key}: {s.reason or 'no reason given'}" for s in failed)
    if all(key in {s.key for s in failed} for key in wanted):
        return JobState.FAILED, f"every search failed: {reasons}"
    if failed:
        return (
            JobState.SUCCEEDED,
            f"{len(failed)} of {len(job.searches)} searches failed: {reasons}",
        )
    return JobState.SUCCEEDED, ""


def fruitless(attempts: Sequence[AttemptRow], recorded: Sequence[datetime]) -> list[AttemptRow]:
    """Returns the last attempts in a row that recorded nothing new.

    An attempt that recorded a measurement has moved the job on, so what went
    wrong before it isn't held against the job any more.

    Args:
        attempts: Every attempt, oldest first.
        recorded: When each measurement was recorded, rising.
    """
    latest = recorded[-1] if recorded else None
    return [a for a in attempts if latest is None or a.create_time > latest]
