"""A job's row and its log of events: what every writing transaction goes through."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from services.coordinator.store import tables as t
from services.coordinator.store.codec import pack, unpack
from services.coordinator.store.errors import NotFoundError
from tuner.jobs import Event, JobState, What
from tuner.wire.names import JobName

Clock = Callable[[], datetime]
"""Returns now, with its time zone."""


@dataclass(frozen=True)
class LockedJob:
    """A job that this transaction alone may write to.

    Attributes:
        id: Its key in the database.
        name: Its name.
        state: Where it stands.
        started: Whether it has a start_time.
        attempt: The last attempt's number.
        now: The time of everything that this transaction writes.
    """

    id: int
    name: JobName
    state: JobState
    started: bool
    attempt: int
    now: datetime


def lock_job(connection: sa.Connection, name: JobName, clock: Clock) -> LockedJob:
    """Locks the job until the transaction ends. Raises NotFoundError.

    The clock is read under the lock, so that times follow sequences. What else
    the transaction reads must be asked for in later statements: PostgreSQL
    waits for the lock, then re-reads the locked row but nothing joined to it.
    """
    c = t.jobs.c
    row = connection.execute(
        sa.select(c.id, c.state, c.start_time, c.attempt)
        .where(c.namespace == name.namespace, c.job == name.job)
        .with_for_update()
    ).one_or_none()
    if row is None:
        raise no_job(name)
    state = JobState(row.state)
    return LockedJob(row.id, name, state, row.start_time is not None, row.attempt, clock())


def job_id(connection: sa.Connection, name: JobName) -> int:
    """Returns the job's key. Raises NotFoundError."""
    c = t.jobs.c
    key: int | None = connection.execute(
        sa.select(c.id).where(c.namespace == name.namespace, c.job == name.job)
    ).scalar_one_or_none()
    if key is None:
        raise no_job(name)
    return key


def no_job(name: JobName) -> NotFoundError:
    """Returns the error for a job that isn't there."""
    return NotFoundError(f"there is no job {name}")


def append(
    connection: sa.Connection, job: LockedJob, whats: Sequence[What], billed: float = 0.0
) -> range:
    """Numbers and writes events, and adds to the job's bill.

    Returns:
        The events' sequence numbers, in their order.
    """
    if not whats:
        return range(0)
    c = t.jobs.c
    last = connection.execute(
        sa.update(t.jobs)
        .where(c.id == job.id)
        .values(
            last_sequence=c.last_sequence + len(whats),
            billed_device_seconds=c.billed_device_seconds + billed,
        )
        .returning(c.last_sequence)
    ).scalar_one()
    numbers = range(last - len(whats) + 1, last + 1)
    rows = []
    for sequence, what in zip(numbers, whats, strict=True):
        kind, payload = pack(what)
        rows.append(
            {
                "job_id": job.id,
                "sequence": sequence,
                "time": job.now,
                "kind": kind,
                "payload": payload,
            }
        )
    connection.execute(sa.insert(t.events), rows)
    return numbers


def read_events(connection: sa.Connection, name: JobName, after: int, limit: int) -> list[Event]:
    """Does Store.events."""
    c = t.events.c
    rows = connection.execute(
        sa.select(c.sequence, c.time, c.kind, c.payload)
        .where(c.job_id == job_id(connection, name), c.sequence > after)
        .order_by(c.sequence)
        .limit(limit)
    )
    return [Event(row.sequence, row.time, unpack(row.kind, row.payload)) for row in rows]
