"""Which files each job has made. Their content is elsewhere (`services.coordinator.artifacts`)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import sqlalchemy as sa

from services.coordinator.store import tables as t
from services.coordinator.store.attempts import check
from services.coordinator.store.bulk import among
from services.coordinator.store.log import Clock, LockedJob, job_id, lock_job
from tuner.errors import invalid
from tuner.jobs import Artifact
from tuner.record import Measurement
from tuner.wire.names import JobName

_A = t.artifacts.c
_MADE = sa.select(_A.sha256).where(among(_A.sha256, "digests"))
_SIZES = sa.select(_A.sha256, _A.size_bytes).where(
    _A.job_id == sa.bindparam("job"), among(_A.sha256, "digests")
)
_DIGESTS = re.compile(rb"@([0-9a-f]{64})")
"""The digests in a spec's bytes, which hold each as it is behind its length: 64, that is "@"."""


def attach(
    connection: sa.Connection,
    name: JobName,
    attempt: int,
    epoch: int,
    artifact: Artifact,
    clock: Clock,
) -> None:
    """Does Store.attach."""
    job = lock_job(connection, name, clock)
    check(connection, job, attempt, epoch)
    c = t.artifacts.c
    named = (c.job_id == job.id, c.name == artifact.name)
    values = {
        "sha256": artifact.sha256,
        "size_bytes": artifact.size_bytes,
        "create_time": job.now,
    }
    known = connection.execute(sa.select(c.sha256).where(*named)).scalar_one_or_none()
    if known is None:
        connection.execute(
            sa.insert(t.artifacts).values(job_id=job.id, name=artifact.name, **values)
        )
    elif known != artifact.sha256:
        connection.execute(sa.update(t.artifacts).where(*named).values(values))


def listed(
    connection: sa.Connection, name: JobName, after: str, limit: int | None
) -> list[Artifact]:
    """Does Reading.artifacts."""
    c = t.artifacts.c
    query = (
        sa.select(c.name, c.sha256, c.size_bytes, c.create_time)
        .where(c.job_id == job_id(connection, name), c.name > after)
        .order_by(c.name)
        .limit(limit)
    )
    return [Artifact(*row) for row in connection.execute(query)]


def find(connection: sa.Connection, name: JobName, called: str) -> Artifact | None:
    """Does Reading.find_artifact."""
    c = t.artifacts.c
    query = sa.select(c.name, c.sha256, c.size_bytes, c.create_time).where(
        c.job_id == job_id(connection, name), c.name == called
    )
    row = connection.execute(query).one_or_none()
    return None if row is None else Artifact(*row)


def has(connection: sa.Connection, name: JobName, sha256: str) -> bool:
    """Does Reading.has_artifact."""
    c = t.artifacts.c
    query = sa.select(c.name).where(c.job_id == job_id(connection, name), c.sha256 == sha256)
    return connection.execute(query.limit(1)).first() is not None


def referenced(connection: sa.Connection, digests: Iterable[str]) -> set[str]:
    """Does Reading.referenced."""
    wanted = set(digests)
    found = set(connection.execute(_MADE, {"digests": sorted(wanted)}).scalars())
    left = {digest.encode() for digest in wanted - found}
    if left:
        # What was uploaded stands in specs alone. Each is gone through once, however many are left.
        for spec in connection.execute(sa.select(t.jobs.c.spec)).scalars():
            found.update(digest.decode() for digest in left.intersection(_DIGESTS.findall(spec)))
    return found


def of_job(connection: sa.Connection, job: LockedJob) -> set[str]:
    """Returns the digests of the files that a job has made."""
    c = t.artifacts.c
    query = sa.select(c.sha256).where(c.job_id == job.id)
    return set(connection.execute(query).scalars())


def check_places(
    connection: sa.Connection, job: LockedJob, field: str, rows: Sequence[Measurement]
) -> None:
    """Passes rows whose predictions lie within files of the job.

    Raises:
        TunerError: INVALID_ARGUMENT where one's don't.
    """
    named = sorted({m.predictions.sha256 for m in rows if m.predictions is not None})
    if not named:
        return
    found = connection.execute(_SIZES, {"job": job.id, "digests": named})
    sizes = {row.sha256: row.size_bytes for row in found}
    for index, m in enumerate(rows):
        place = m.predictions
        if place is None:
            continue
        at = f"{field}[{index}].predictions"
        if place.sha256 not in sizes:
            problem = f"{place.sha256[:100]!r} is no file of {job.name}; attach it first"
            raise invalid(f"{at}.sha256", problem)
        size = sizes[place.sha256]
        if not (place.offset >= 0 and 0 < place.size_bytes <= size - place.offset):
            problem = f"{place.offset} and {place.size_bytes} don't lie within its {size} bytes"
            raise invalid(f"{at}.offset", problem)
