"""Trials: measurements by candidate, in the order in which candidates were first recorded."""

from __future__ import annotations

import sqlalchemy as sa

from services.coordinator.store import tables as t
from services.coordinator.store.bulk import among
from services.coordinator.store.codec import unpack_measurement
from services.coordinator.store.log import job_id, same_event
from tuner.record import Measurement
from tuner.wire.names import JobName

_M = t.measurements.c


def page(
    connection: sa.Connection, name: JobName, search: str | None, after: int, limit: int
) -> list[tuple[int, list[Measurement]]]:
    """Does Reading.trials: what it costs follows from the page alone, wherever it is."""
    key = job_id(connection, name)
    earlier = t.measurements.alias()
    known = sa.exists().where(
        earlier.c.job_id == _M.job_id,
        earlier.c.candidate == _M.candidate,
        earlier.c.sequence < _M.sequence,
    )
    firsts = (
        sa.select(_M.sequence, _M.candidate)
        .where(_M.job_id == key, _M.sequence > after, sa.not_(known))
        .order_by(_M.sequence)
        .limit(limit)
    )
    if search is not None:
        firsts = firsts.where(_M.search == search)
    found: dict[str, tuple[int, list[Measurement]]] = {
        row.candidate: (row.sequence, []) for row in connection.execute(firsts)
    }
    members = (
        sa.select(_M.candidate, _M.sequence, t.events.c.payload)
        .join_from(t.measurements, t.events, same_event(t.measurements))
        .where(_M.job_id == key, among(_M.candidate, "candidates"))
    )
    # Put in order here: for an order of its own SQLite would read the job's every row by sequence.
    rows = connection.execute(members, {"candidates": list(found)}).all()
    for row in sorted(rows, key=lambda row: row.sequence):
        found[row.candidate][1].append(unpack_measurement(row.payload))
    return list(found.values())
