"""A job's row and its log of events: what every writing transaction goes through."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa

from services.coordinator.store import tables as t
from services.coordinator.store.bulk import insert
from services.coordinator.store.codec import pack, unpack
from services.coordinator.store.errors import NotFoundError
from tuner.jobs import Event, JobState, What
from tuner.wire.names import JobName

Clock = Callable[[], datetime]
"""Returns now, with its time zone."""


def utc_now() -> datetime:
    """Returns what this machine's clock shows; the usual `Clock`."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class LockedJob:
    """A job that this transaction alone may write to.

    Attributes:
        id: Its key in the database.
        name: Its name.
        state: Where it stands.
        started: Whether it has a start_time.
        attempt: The last attempt's number.
        now: The time of everything that this transaction writes: the clock's, or the last
            event's where that is later, so that a clock set back turns no order round.
    """

    id: int
    name: JobName
    state: JobState
    started: bool
    attempt: int
    now: datetime


_C, _E = t.jobs.c, t.events.c
_NAMED = (_C.namespace == sa.bindparam("namespace"), _C.job == sa.bindparam("job"))
# Made once: of a short statement, most of the time goes into putting it together.
_LOCK = (
    sa.select(_C.id, _C.state, _C.start_time, _C.attempt, _C.last_time)
    .where(*_NAMED)
    .with_for_update()
)
_ID = sa.select(_C.id).where(*_NAMED)
_NUMBER = (
    sa.update(t.jobs)
    .where(_C.id == sa.bindparam("key"))
    .values(
        last_sequence=_C.last_sequence + sa.bindparam("count"),
        last_time=sa.bindparam("now"),
        billed_device_seconds=_C.billed_device_seconds + sa.bindparam("billed"),
    )
    .returning(_C.last_sequence)
)


def lock_job(connection: sa.Connection, name: JobName, clock: Clock) -> LockedJob:
    """Locks the job until the transaction ends. Raises NotFoundError.

    The clock is read under the lock, so that times follow sequences. What else
    the transaction reads must be asked for in later statements: PostgreSQL
    waits for the lock, then re-reads the locked row but nothing joined to it.
    """
    row = connection.execute(_LOCK, {"namespace": name.namespace, "job": name.job}).one_or_none()
    if row is None:
        raise no_job(name)
    now = clock() if row.last_time is None else max(clock(), row.last_time)
    state = JobState(row.state)
    return LockedJob(row.id, name, state, row.start_time is not None, row.attempt, now)


def job_id(connection: sa.Connection, name: JobName) -> int:
    """Returns the job's key. Raises NotFoundError."""
    key: int | None = connection.execute(
        _ID, {"namespace": name.namespace, "job": name.job}
    ).scalar_one_or_none()
    if key is None:
        raise no_job(name)
    return key


def named(name: JobName) -> tuple[sa.ColumnElement[bool], sa.ColumnElement[bool]]:
    """Returns what a query of jobs finds the one of that name by."""
    return _C.namespace == name.namespace, _C.job == name.job


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
    return append_packed(connection, job, [pack(what) for what in whats], billed)


def append_packed(
    connection: sa.Connection, job: LockedJob, packed: Sequence[tuple[str, bytes]], billed: float
) -> range:
    """Does `append` with each event's kind and bytes, as `codec.pack` gives them."""
    if not packed:
        return range(0)
    last = connection.execute(
        _NUMBER, {"key": job.id, "count": len(packed), "billed": billed, "now": job.now}
    ).scalar_one()
    numbers = range(last - len(packed) + 1, last + 1)
    rows = [
        (job.id, sequence, job.now, kind, payload)
        for sequence, (kind, payload) in zip(numbers, packed, strict=True)
    ]
    insert(connection, t.events, ("job_id", "sequence", "time", "kind", "payload"), rows)
    return numbers


def read_events(connection: sa.Connection, name: JobName, after: int, limit: int) -> list[Event]:
    """Does Reading.events."""
    rows = connection.execute(
        sa.select(_E.sequence, _E.time, _E.kind, _E.payload)
        .where(_E.job_id == job_id(connection, name), _E.sequence > after)
        .order_by(_E.sequence)
        .limit(limit)
    )
    return [Event(row.sequence, row.time, unpack(row.kind, row.payload)) for row in rows]


def same_event(table: sa.Table) -> sa.ColumnElement[bool]:
    """Returns what joins a table of the record to the events that hold its payloads."""
    return sa.and_(table.c.job_id == _E.job_id, table.c.sequence == _E.sequence)


def read_payloads(
    connection: sa.Connection,
    table: sa.Table,
    name: JobName,
    search: str | None,
    after: int,
    limit: int | None,
) -> tuple[list[bytes], int]:
    """Returns payloads of a table of the record, and the last one's position, or `after`.

    A position is the sequence of the row's event.
    """
    c = table.c
    query = (
        sa.select(c.sequence, _E.payload)
        .join_from(table, t.events, same_event(table))
        .where(c.job_id == job_id(connection, name), c.sequence > after)
        .order_by(c.sequence)
        .limit(limit)
    )
    if search is not None:
        query = query.where(c.search == search)
    rows = connection.execute(query).all()
    return [row.payload for row in rows], rows[-1].sequence if rows else after
