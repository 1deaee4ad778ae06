"""How a job goes on or ends, given how its last attempt ended. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from textwrap import shorten

from services.coordinator.store.rows import AttemptRow, JobRow
from tuner.curve import SearchState
from tuner.jobs import JobState


class Ended(StrEnum):
    """How an attempt ended; the first five are a runner's word, the others the coordinator's."""

    COMPLETED = "COMPLETED"
    INVALID = "INVALID"
    CRASHED = "CRASHED"
    CANCELLED = "CANCELLED"
    # It was told to pause, or its slots were wanted elsewhere.
    PAUSED = "PAUSED"
    # The driver ended without a word, or nobody knows it any more.
    LOST = "LOST"
    # No heartbeat for a whole lease.
    EXPIRED = "EXPIRED"
    # The driver ran and never enrolled.
    NOT_ENROLLED = "NOT_ENROLLED"
    # The cluster wouldn't start the driver.
    REFUSED = "REFUSED"
    # The job was cancelled and the runner didn't end in time, or paused before it began.
    STOPPED = "STOPPED"


LAST_WORDS = (Ended.COMPLETED, Ended.INVALID, Ended.CRASHED, Ended.CANCELLED, Ended.PAUSED)
"""What a runner says; its driver ends by itself after it."""

MAX_REASON = 400
"""Characters of an attempt's end in a job's reason; the attempt itself has all of them."""


def unfinished(job: JobRow) -> list[str]:
    """Returns the keys of the searches that have neither concluded nor failed."""
    final = (SearchState.CONCLUDED, SearchState.FAILED)
    return [search.key for search in job.searches if search.state not in final]


def ending(job: JobRow, last: AttemptRow) -> tuple[JobState, str] | None:
    """Returns where the job comes to rest, and why, once its last attempt has ended.

    A job of which any search that was asked for has concluded is a success,
    and says which have failed. The baseline's doesn't count: nobody asked.

    Args:
        job: The job.
        last: Its last attempt, made since it was last reopened.

    Returns:
        The end, or where it waits to be resumed; None where it is to go on at once.
    """
    if last.outcome == Ended.INVALID:
        return JobState.FAILED, last.reason
    if last.outcome == Ended.CANCELLED:
        why = job.reason if job.state is JobState.CANCELLING else last.reason
        return JobState.CANCELLED, why or "cancelled"
    if last.outcome == Ended.COMPLETED and not unfinished(job):
        return _completed(job)
    if job.state is JobState.PAUSING:
        # Nothing runs any more, whatever ended it.
        asked = last.outcome in (Ended.PAUSED, Ended.STOPPED)
        how = "" if asked else f"; its runner ended meanwhile ({told(last)})"
        return JobState.PAUSED, f"{job.reason or 'paused'}{how}"
    if job.state is JobState.RUNNING and last.outcome == Ended.PAUSED:
        return JobState.QUEUED, last.reason or "made way for others; goes on when its turn comes"
    return None


def _completed(job: JobRow) -> tuple[JobState, str]:
    wanted = {search.key for search in job.spec.searches}
    failed = [search for search in job.searches if search.state is SearchState.FAILED]
    reasons = "; ".join(f"{s.key}: {s.reason or 'no reason given'}" for s in failed)
    if all(key in {s.key for s in failed} for key in wanted):
        return JobState.FAILED, f"every search failed: {reasons}"
    told_of = []
    if job.state is JobState.STOPPING and job.reason:
        told_of.append(job.reason)
    if failed:
        told_of.append(f"{len(failed)} of {len(job.searches)} searches failed: {reasons}")
    return JobState.SUCCEEDED, "; ".join(told_of)


def told(attempt: AttemptRow) -> str:
    """Returns, in a line, how an attempt ended."""
    return shorten(f"{attempt.outcome}: {attempt.reason}".removesuffix(": "), MAX_REASON)


def fruitless(attempts: Sequence[AttemptRow], latest: int) -> list[AttemptRow]:
    """Returns the last attempts in a row that failed and recorded nothing new.

    An attempt that recorded a measurement has moved the job on, so what went
    wrong before it isn't held against the job any more. One that paused because
    it was told to has done nothing wrong.

    Args:
        attempts: Every attempt since the job was last reopened, oldest first.
        latest: The sequence number of the last measurement's event; 0 before the first.
    """
    return [a for a in attempts if a.from_sequence >= latest and a.outcome != Ended.PAUSED]
