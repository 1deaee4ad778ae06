"""Whether a database is whole: the file, the references, and what the record promises."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from services.coordinator.store import tables as t
from services.coordinator.store.codec import MEASUREMENT, unpack
from services.coordinator.store.log import same_event
from services.coordinator.store.schema import newest, revision
from tuner.errors import TunerError
from tuner.jobs import JobState
from tuner.record import Measurement
from tuner.wire.names import JobName

BILL_TOLERANCE = 1e-6
"""By how much, in parts, a bill may differ from its parts': they are summed in another order."""

_RECORDED = (
    ("measurement", MEASUREMENT, t.measurements),
    ("plan step", "plan_step", t.plan_steps),
    ("try at a packet", "packet_attempt", t.packet_attempts),
)
"""What has an event, the kind of it, and the table that indexes it."""

_J, _E = t.jobs.c, t.events.c


def findings(connection: sa.Connection) -> Iterator[str]:
    """Yields what is wrong with a database, in sentences; nothing where all is well.

    Args:
        connection: A transaction that reads.

    Raises:
        SchemaError: The schema is newer than this code.
    """
    if connection.dialect.name == "sqlite":
        yield from _file(connection)
    found, head = revision(connection), newest()
    if found is None:
        yield "the database has no schema yet; a coordinator makes it, or `tuner db upgrade`"
    elif found != head:
        yield f"the schema is at revision {found}, and this version's is {head}; upgrade it first"
    else:
        yield from _events(connection)
        for what, kind, table in _RECORDED:
            yield from _indexed(connection, what, kind, table)
        yield from _plans(connection)
        yield from _attempts(connection)
        yield from _bills(connection)
        yield from _contents(connection)


def _file(connection: sa.Connection) -> Iterator[str]:
    for (said,) in connection.exec_driver_sql("PRAGMA integrity_check"):
        if said != "ok":
            yield f"the file is damaged: {said}"
    for table, row, parent, _ in connection.exec_driver_sql("PRAGMA foreign_key_check"):
        yield f"row {row} of {table} refers to a row of {parent} that isn't there"


def _events(connection: sa.Connection) -> Iterator[str]:
    last = sa.func.coalesce(sa.func.max(_E.sequence), 0)
    query = (
        sa.select(
            _J.namespace, _J.job, _J.last_sequence, sa.func.count(_E.sequence), last.label("last")
        )
        .join_from(t.jobs, t.events, _J.id == _E.job_id, isouter=True)
        .group_by(_J.id)
        .having((sa.func.count(_E.sequence) != _J.last_sequence) | (last != _J.last_sequence))
    )
    # Keys are unique and positive: as many as the last one's number is without a gap.
    for row in connection.execute(query):
        yield (
            f"{_name(row)}: has {row.count} events up to number {row.last}, "
            f"and its last is said to be {row.last_sequence}"
        )


def _indexed(connection: sa.Connection, what: str, kind: str, table: sa.Table) -> Iterator[str]:
    # As sets: looked up one by one, they would take the square of their number.
    told = sa.select(_E.job_id, _E.sequence).where(_E.kind == kind)
    kept = sa.select(table.c.job_id, table.c.sequence)
    for row in connection.execute(_named(sa.except_(kept, told))):
        yield f"{_name(row)}: a {what} has no event {row.sequence}"
    for row in connection.execute(_named(sa.except_(told, kept))):
        yield f"{_name(row)}: the {what} of event {row.sequence} isn't among its own"


def _named(rows: sa.CompoundSelect[Any]) -> sa.Select[Any]:
    """Returns the rows, of job_id and sequence, with their job's name."""
    found = rows.subquery()
    return (
        sa.select(_J.namespace, _J.job, found.c.sequence)
        .join_from(found, t.jobs, found.c.job_id == _J.id)
        .order_by(_J.id, found.c.sequence)
    )


def _plans(connection: sa.Connection) -> Iterator[str]:
    s, p = t.searches.c, t.plan_steps.c
    last = sa.func.coalesce(sa.func.max(p.number), 0)
    query = (
        sa.select(_J.namespace, _J.job, s.key, s.steps, sa.func.count(p.number), last.label("last"))
        .join_from(t.searches, t.jobs, s.job_id == _J.id)
        .join(t.plan_steps, sa.and_(p.job_id == s.job_id, p.search == s.key), isouter=True)
        .group_by(_J.id, s.job_id, s.key)
        .having((sa.func.count(p.number) != s.steps) | (last != s.steps))
    )
    for row in connection.execute(query):
        yield (
            f"{_name(row)}: {row.key} has {row.count} plan steps up to number {row.last}, "
            f"and is said to have {row.steps}"
        )


def _attempts(connection: sa.Connection) -> Iterator[str]:
    a = t.runner_attempts.c
    last = sa.func.coalesce(sa.func.max(a.number), 0)
    live = sa.func.count(a.epoch) - sa.func.count(a.end_time)
    query = (
        sa.select(
            _J.namespace, _J.job, _J.state, _J.attempt, last.label("last"), live.label("live")
        )
        .join_from(t.jobs, t.runner_attempts, _J.id == a.job_id, isouter=True)
        .group_by(_J.id)
    )
    for row in connection.execute(query):
        if row.last != row.attempt:
            yield f"{_name(row)}: its last attempt is {row.last}, and is said to be {row.attempt}"
        if row.live > 1:
            yield f"{_name(row)}: {row.live} attempts live at once"
        if row.live and JobState(row.state).ended:
            yield f"{_name(row)}: has ended ({row.state}), and an attempt of it lives"


def _bills(connection: sa.Connection) -> Iterator[str]:
    p = t.packet_attempts.c
    parts = sa.func.coalesce(sa.func.sum(p.billed_device_seconds), 0.0).label("parts")
    query = (
        sa.select(_J.namespace, _J.job, _J.billed_device_seconds.label("billed"), parts)
        .join_from(t.jobs, t.packet_attempts, _J.id == p.job_id, isouter=True)
        .group_by(_J.id)
    )
    for row in connection.execute(query):
        if abs(row.billed - row.parts) > BILL_TOLERANCE * max(abs(row.billed), abs(row.parts), 1):
            yield (
                f"{_name(row)}: {row.billed:g} device-seconds are billed, "
                f"and its tries at packets add up to {row.parts:g}"
            )


def _contents(connection: sa.Connection) -> Iterator[str]:
    """Reads every event, and compares a measurement's id with the one that it is found by."""
    m = t.measurements.c
    query = (
        sa.select(_J.namespace, _J.job, _E.sequence, _E.kind, _E.payload, m.id)
        .join_from(t.events, t.jobs, _E.job_id == _J.id)
        .join(t.measurements, same_event(t.measurements), isouter=True)
    )
    for row in connection.execution_options(yield_per=500).execute(query):
        try:
            what = unpack(row.kind, row.payload)
        except (ValueError, TunerError) as error:
            yield f"{_name(row)}: event {row.sequence} ({row.kind}) can't be read: {error}"
            continue
        if isinstance(what, Measurement) and row.id is not None and what.id != row.id:
            yield f"{_name(row)}: event {row.sequence} is of measurement {what.id}, not {row.id}"


def _name(row: Any) -> str:
    return str(JobName(row.namespace, row.job))
