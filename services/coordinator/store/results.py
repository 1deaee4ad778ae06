"""Measurements and packet attempts: appended in batches, each once."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import sqlalchemy as sa

from services.coordinator.store import surplus
from services.coordinator.store import tables as t
from services.coordinator.store.artifacts import check_places
from services.coordinator.store.attempts import check
from services.coordinator.store.codec import MEASUREMENT, unpack_measurement
from services.coordinator.store.errors import NotFoundError
from services.coordinator.store.log import Clock, LockedJob, append, job_id, lock_job
from services.coordinator.store.rows import Recorded
from tuner.errors import invalid
from tuner.record import Measurement, PacketAttempt, PacketOutcome, record_digest
from tuner.wire.names import JobName

_CHUNK = 500

_Try = tuple[str, int, int, str]
"""Packet, runner attempt, number, and the digest of a conflicting result or ""."""


def record(
    connection: sa.Connection,
    name: JobName,
    attempt: int,
    epoch: int,
    measurements: Sequence[Measurement],
    packet_attempts: Sequence[PacketAttempt],
    ahead: Sequence[Measurement],
    clock: Clock,
) -> Recorded:
    """Does Store.record, in a number of statements that doesn't grow with the batch."""
    _check_bills(measurements, packet_attempts, ahead)
    job = lock_job(connection, name, clock)
    check(connection, job, attempt, epoch)
    _check_searches(connection, job, [*measurements, *ahead])
    check_places(connection, job, "measurements", measurements)
    check_places(connection, job, "surplus", ahead)
    known = _final(connection, job, [m.id for m in measurements])
    fresh: list[Measurement] = []
    tries: dict[_Try, PacketAttempt] = {}
    for a in packet_attempts:
        tries.setdefault((a.packet, a.runner_attempt, a.number, ""), a)
    conflicts: dict[_Try, PacketAttempt] = {}
    repeated = 0
    for m in measurements:
        final = known.get(m.id)
        if final is None:
            known[m.id] = replace(m, record_time=job.now)
            fresh.append(known[m.id])
        elif final.same_result(m):
            repeated += 1
        else:
            brought = tries.get((m.packet, attempt, m.packet_attempt, ""))
            key = (m.packet, attempt, m.packet_attempt, record_digest([m]))
            conflicts[key] = _conflict(job, final, m, brought, attempt)
    tries = _unseen(connection, job, conflicts | tries)
    billed = math.fsum(a.billed_device_seconds for a in tries.values())
    numbers = iter(append(connection, job, [*fresh, *tries.values()], billed))
    _insert_measurements(connection, job, fresh, numbers)
    _insert_tries(connection, job, tries, numbers)
    surplus.keep(connection, job, ahead)
    return Recorded(len(fresh), repeated, len(measurements) - len(fresh) - repeated)


def read(
    connection: sa.Connection, name: JobName, search: str | None, after: int, limit: int | None
) -> tuple[list[Measurement], int]:
    """Does Store.measurements; a position is the sequence of the measurement's event."""
    m, e = t.measurements.c, t.events.c
    key = job_id(connection, name)
    if search is None:
        query = (
            sa.select(e.sequence, e.payload)
            .where(e.job_id == key, e.kind == MEASUREMENT, e.sequence > after)
            .order_by(e.sequence)
        )
    else:
        query = (
            sa.select(e.sequence, e.payload)
            .join_from(t.measurements, t.events, _same_event())
            .where(m.job_id == key, m.search == search, m.sequence > after)
            .order_by(m.sequence)
        )
    rows = connection.execute(query.limit(limit)).all()
    return [unpack_measurement(row.payload) for row in rows], rows[-1].sequence if rows else after


def last_sequence(connection: sa.Connection, name: JobName) -> int:
    """Does Store.last_measurement_sequence; the log's end seldom lacks one for long."""
    e = t.events.c
    query = (
        sa.select(e.sequence)
        .where(e.job_id == job_id(connection, name), e.kind == MEASUREMENT)
        .order_by(e.sequence.desc())
        .limit(1)
    )
    return connection.execute(query).scalar_one_or_none() or 0


def billed_by_level(connection: sa.Connection, name: JobName) -> dict[tuple[str, int], float]:
    """Does Store.billed_by_level."""
    m = t.measurements.c
    query = (
        sa.select(m.search, m.level, sa.func.sum(m.billed_device_seconds).label("billed"))
        .where(m.job_id == job_id(connection, name))
        .group_by(m.search, m.level)
        .order_by(m.search, m.level)
    )
    return {(row.search, row.level): row.billed for row in connection.execute(query)}


def _check_bills(
    measurements: Sequence[Measurement],
    tries: Sequence[PacketAttempt],
    ahead: Sequence[Measurement],
) -> None:
    batches: tuple[tuple[str, Sequence[Measurement | PacketAttempt]], ...] = (
        ("measurements", measurements),
        ("packet_attempts", tries),
        ("surplus", ahead),
    )
    for field, rows in batches:
        for index, row in enumerate(rows):
            billed = row.billed_device_seconds
            if not math.isfinite(billed) or billed < 0:
                problem = f"{billed} can't be a bill; give a finite number of seconds, 0 or more"
                raise invalid(f"{field}[{index}].billed_device_seconds", problem)


def _check_searches(
    connection: sa.Connection, job: LockedJob, measurements: Iterable[Measurement]
) -> None:
    c = t.searches.c
    named = {m.search for m in measurements}
    if not named:
        return
    known = set(connection.execute(sa.select(c.key).where(c.job_id == job.id)).scalars())
    for search in sorted(named - known):
        raise NotFoundError(f"{job.name} has no search {search!r}")


def _final(connection: sa.Connection, job: LockedJob, ids: Sequence[str]) -> dict[str, Measurement]:
    """Returns the final rows that these ids already have."""
    m = t.measurements.c
    found: dict[str, Measurement] = {}
    for chunk in _chunks(ids):
        query = (
            sa.select(m.id, t.events.c.payload)
            .join_from(t.measurements, t.events, _same_event())
            .where(m.job_id == job.id, m.id.in_(chunk))
        )
        for row in connection.execute(query):
            found[row.id] = unpack_measurement(row.payload)
    return found


def _unseen(
    connection: sa.Connection, job: LockedJob, tries: dict[_Try, PacketAttempt]
) -> dict[_Try, PacketAttempt]:
    """Returns the tries that aren't recorded yet, in their order."""
    p = t.packet_attempts.c
    seen: set[_Try] = set()
    for chunk in _chunks(sorted({key[0] for key in tries})):
        query = sa.select(p.packet, p.runner_attempt, p.number, p.conflict).where(
            p.job_id == job.id, p.packet.in_(chunk)
        )
        seen.update(
            (row.packet, row.runner_attempt, row.number, row.conflict)
            for row in connection.execute(query)
        )
    return {key: a for key, a in tries.items() if key not in seen}


def _conflict(
    job: LockedJob, final: Measurement, m: Measurement, brought: PacketAttempt | None, attempt: int
) -> PacketAttempt:
    """Returns a differing result as a try; its packet's own try carries the bill."""
    error = f"measurement {m.id} is {_said(final)}, but this try said {_said(m)}"
    if brought is None:
        brought = PacketAttempt(
            packet=m.packet,
            number=m.packet_attempt,
            runner_attempt=attempt,
            node="",
            device_type="",
            start_time=job.now,
            end_time=job.now,
            billed_device_seconds=0.0,
            outcome=PacketOutcome.CONFLICT,
        )
    return replace(brought, billed_device_seconds=0.0, outcome=PacketOutcome.CONFLICT, error=error)


def _said(m: Measurement) -> str:
    scores = ", ".join(f"{name} {value!r}" for name, value in sorted(m.scores.items()))
    return f"{m.outcome} ({scores or 'no scores'})"


def _insert_measurements(
    connection: sa.Connection, job: LockedJob, fresh: Sequence[Measurement], numbers: Iterator[int]
) -> None:
    if not fresh:
        return
    connection.execute(
        sa.insert(t.measurements),
        [
            {
                "job_id": job.id,
                "id": m.id,
                "sequence": next(numbers),
                "search": m.search,
                "phase": m.phase,
                "level": m.level,
                "replicate": m.replicate,
                "outcome": m.outcome,
                "billed_device_seconds": m.billed_device_seconds,
            }
            for m in fresh
        ],
    )


def _insert_tries(
    connection: sa.Connection,
    job: LockedJob,
    tries: dict[_Try, PacketAttempt],
    numbers: Iterator[int],
) -> None:
    if not tries:
        return
    connection.execute(
        sa.insert(t.packet_attempts),
        [
            {
                "job_id": job.id,
                "packet": packet,
                "runner_attempt": runner_attempt,
                "number": number,
                "conflict": conflict,
                "sequence": next(numbers),
                "outcome": a.outcome,
                "billed_device_seconds": a.billed_device_seconds,
            }
            for (packet, runner_attempt, number, conflict), a in tries.items()
        ],
    )


def _chunks(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    """Yields the keys in parts: databases limit how many a statement may name."""
    for start in range(0, len(keys), _CHUNK):
        yield keys[start : start + _CHUNK]


def _same_event() -> sa.ColumnElement[bool]:
    m, e = t.measurements.c, t.events.c
    return sa.and_(m.job_id == e.job_id, m.sequence == e.sequence)
