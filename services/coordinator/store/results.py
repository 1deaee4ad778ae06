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
from services.coordinator.store.bulk import among, insert
from services.coordinator.store.codec import MEASUREMENT, pack, stamp, unpack_measurement
from services.coordinator.store.errors import NotFoundError
from services.coordinator.store.log import (
    Clock,
    LockedJob,
    append_packed,
    job_id,
    lock_job,
    read_payloads,
    same_event,
)
from services.coordinator.store.rows import Recorded
from tuner.errors import invalid
from tuner.record import (
    Measurement,
    PacketAttempt,
    PacketOutcome,
    candidate_id,
    record_digest,
)
from tuner.wire.names import JobName

_Try = tuple[str, int, int, str]
"""Packet, runner attempt, number, and the digest of a conflicting result or ""."""

_M, _P = t.measurements.c, t.packet_attempts.c
_JOB: sa.BindParameter[int] = sa.bindparam("job")
_SEARCHES = sa.select(t.searches.c.key).where(t.searches.c.job_id == _JOB)
_FINAL = (
    sa.select(_M.id, t.events.c.payload)
    .join_from(t.measurements, t.events, same_event(t.measurements))
    .where(_M.job_id == _JOB, among(_M.id, "ids"))
)
_TRIES = sa.select(_P.packet, _P.runner_attempt, _P.number, _P.conflict).where(
    _P.job_id == _JOB, among(_P.packet, "packets")
)


def record(
    connection: sa.Connection,
    name: JobName,
    attempt: int,
    epoch: int,
    measurements: Sequence[Measurement],
    packet_attempts: Sequence[PacketAttempt],
    ahead: Sequence[Measurement],
    payloads: Sequence[bytes],
    clock: Clock,
) -> Recorded:
    """Does Store.record, in a number of statements that doesn't grow with the batch."""
    _check_rows(measurements, packet_attempts, ahead)
    job = lock_job(connection, name, clock)
    check(connection, job, attempt, epoch)
    _check_searches(connection, job, [*measurements, *ahead])
    check_places(connection, job, "measurements", measurements)
    check_places(connection, job, "surplus", ahead)
    known = _final(connection, job, [m.id for m in measurements])
    tries: dict[_Try, PacketAttempt] = {}
    for a in packet_attempts:
        tries.setdefault((a.packet, a.runner_attempt, a.number, ""), a)
    conflicts: dict[_Try, PacketAttempt] = {}
    fresh: list[Measurement] = []
    packed: list[tuple[str, bytes]] = []
    repeated, now = 0, stamp(job.now)
    for index, m in enumerate(measurements):
        final = known.get(m.id)
        if final is None:
            known[m.id] = m
            fresh.append(m)
            data = payloads[index] if payloads else pack(replace(m, record_time=None))[1]
            packed.append((MEASUREMENT, data + now))
        elif final.same_result(m):
            repeated += 1
        else:
            brought = tries.get((m.packet, attempt, m.packet_attempt, ""))
            key = (m.packet, attempt, m.packet_attempt, record_digest([m]))
            conflicts[key] = _conflict(job, final, m, brought, attempt)
    tries = _unseen(connection, job, conflicts | tries)
    packed += [pack(a) for a in tries.values()]
    billed = math.fsum(a.billed_device_seconds for a in tries.values())
    numbers = iter(append_packed(connection, job, packed, billed))
    _insert_measurements(connection, job, fresh, numbers)
    _insert_tries(connection, job, tries, numbers)
    surplus.keep(connection, job, ahead)
    return Recorded(len(fresh), repeated, len(measurements) - len(fresh) - repeated)


def read(
    connection: sa.Connection, name: JobName, search: str | None, after: int, limit: int | None
) -> tuple[list[Measurement], int]:
    """Does Reading.measurements."""
    found, last = read_payloads(connection, t.measurements, name, search, after, limit)
    return [unpack_measurement(data) for data in found], last


def last_sequence(connection: sa.Connection, name: JobName) -> int:
    """Does Reading.last_measurement_sequence."""
    query = sa.select(sa.func.max(_M.sequence)).where(_M.job_id == job_id(connection, name))
    return connection.execute(query).scalar_one() or 0


def count(connection: sa.Connection, name: JobName) -> int:
    """Does Reading.measurement_count."""
    query = sa.select(sa.func.count()).where(_M.job_id == job_id(connection, name))
    return connection.execute(query).scalar_one()


def billed_by_level(connection: sa.Connection, name: JobName) -> dict[tuple[str, int], float]:
    """Does Reading.billed_by_level."""
    query = (
        sa.select(_M.search, _M.level, sa.func.sum(_M.billed_device_seconds).label("billed"))
        .where(_M.job_id == job_id(connection, name))
        .group_by(_M.search, _M.level)
        .order_by(_M.search, _M.level)
    )
    return {(row.search, row.level): row.billed for row in connection.execute(query)}


def _check_rows(
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
            if "\0" in row.packet:
                raise invalid(f"{field}[{index}].packet", "has a NUL in it; no name may")


def _check_searches(
    connection: sa.Connection, job: LockedJob, measurements: Iterable[Measurement]
) -> None:
    named = {m.search for m in measurements}
    if not named:
        return
    known = set(connection.execute(_SEARCHES, {"job": job.id}).scalars())
    for search in sorted(named - known):
        raise NotFoundError(f"{job.name} has no search {search!r}")


def _final(connection: sa.Connection, job: LockedJob, ids: Sequence[str]) -> dict[str, Measurement]:
    """Returns the final rows that these ids already have."""
    if not ids:
        return {}
    rows = connection.execute(_FINAL, {"job": job.id, "ids": ids})
    return {row.id: unpack_measurement(row.payload) for row in rows}


def _unseen(
    connection: sa.Connection, job: LockedJob, tries: dict[_Try, PacketAttempt]
) -> dict[_Try, PacketAttempt]:
    """Returns the tries that aren't recorded yet, in their order."""
    if not tries:
        return {}
    packets = sorted({key[0] for key in tries})
    seen = set(map(tuple, connection.execute(_TRIES, {"job": job.id, "packets": packets})))
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
    columns = (
        "job_id", "id", "sequence", "search", "phase", "level", "replicate", "outcome",
        "billed_device_seconds", "candidate",
    )  # fmt: skip
    rows = [
        (
            job.id,
            m.id,
            next(numbers),
            m.search,
            m.phase.value,
            m.level,
            m.replicate,
            m.outcome.value,
            m.billed_device_seconds,
            candidate_id(m.search, m.level, m.setting),
        )
        for m in fresh
    ]
    insert(connection, t.measurements, columns, rows)


def _insert_tries(
    connection: sa.Connection,
    job: LockedJob,
    tries: dict[_Try, PacketAttempt],
    numbers: Iterator[int],
) -> None:
    columns = (
        "job_id", "packet", "runner_attempt", "number", "conflict", "sequence", "outcome",
        "billed_device_seconds", "lost_node", "lost_time",
    )  # fmt: skip
    rows = [
        (
            job.id,
            *key,
            next(numbers),
            a.outcome.value,
            a.billed_device_seconds,
            *(
                (a.node.replace("\0", "\ufffd"), job.now)
                if a.outcome is PacketOutcome.LOST
                else (None, None)
            ),
        )
        for key, a in tries.items()
    ]
    insert(connection, t.packet_attempts, columns, rows)
