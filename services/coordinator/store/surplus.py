"""Surplus: results that ran ahead of the plan, kept apart until a step claims them.

No curve, trial or event tells of one. The runner records it as a measurement when a step
has claimed it; until then it only spares a later attempt the work.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from services.coordinator.store import tables as t
from services.coordinator.store.bulk import among, insert
from services.coordinator.store.codec import pack, unpack_measurement
from services.coordinator.store.log import LockedJob, job_id
from tuner.record import Measurement
from tuner.wire.names import JobName

_KNOWN = sa.select(t.surplus.c.id).where(
    t.surplus.c.job_id == sa.bindparam("job"), among(t.surplus.c.id, "ids")
)


def keep(connection: sa.Connection, job: LockedJob, rows: Sequence[Measurement]) -> None:
    """Keeps results in the caller's transaction; the first one of an id stays."""
    if not rows:
        return
    wanted = {row.id: row for row in reversed(rows)}
    for known in connection.execute(_KNOWN, {"job": job.id, "ids": list(wanted)}).scalars():
        del wanted[known]
    packed = [(job.id, key, pack(row)[1]) for key, row in wanted.items()]
    insert(connection, t.surplus, ("job_id", "id", "payload"), packed)


def unclaimed(connection: sa.Connection, name: JobName) -> list[Measurement]:
    """Does Reading.surplus."""
    c, m = t.surplus.c, t.measurements.c
    claimed = sa.exists().where(m.job_id == c.job_id, m.id == c.id)
    query = (
        sa.select(c.payload)
        .where(c.job_id == job_id(connection, name), sa.not_(claimed))
        .order_by(c.id)
    )
    return [unpack_measurement(data) for data in connection.execute(query).scalars()]
