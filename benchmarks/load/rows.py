"""What is sent: jobs like those of people, and measurements like those of a runner."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from services.coordinator.store import tables as t
from services.coordinator.store.codec import pack
from services.coordinator.store.database import Database
from tuner.record import (
    Measurement,
    Outcome,
    PacketAttempt,
    PacketOutcome,
    Phase,
    candidate_id,
    make_setting,
    measurement_id,
)
from tuner.spec import JobSpec, Search
from tuner.v1 import runner_service_pb2 as rpb
from tuner.wire.names import JobName
from tuner.wire.record import measurement_to_wire, packet_attempt_to_wire

BATCH = 64
"""Most measurements of a call."""

PACKET = 8
"""Measurements that come of one packet, which has a row of its own beside theirs."""

_SEARCHES = ("cnn/depth", "forest/trees", "boosting/rounds")
_LEVELS = (1, 2, 4, 8, 16)
# A transaction of theirs keeps the server's own waiting.
_CHUNK = 2_000


def a_spec() -> JobSpec:
    """Returns a job of three searches."""
    return JobSpec(
        dataset="digits",
        margin=0.02,
        searches=[
            Search(learner, axis=axis, levels=list(_LEVELS))
            for learner, axis in (key.split("/") for key in _SEARCHES)
        ],
        baseline=None,
    )


def measurement(job: str, number: int) -> Measurement:
    """Returns the so-manieth measurement of a job; each number has an id of its own."""
    search, level = _SEARCHES[number % 3], _LEVELS[number % 5]
    setting = make_setting(
        {
            "learning_rate": 10 ** (-4 + 3 * (number // 4 % 9973) / 9973),
            "weight_decay": 10 ** (-6 + 4 * (number // 4 % 7919) / 7919),
            "batch_size": 32 << number % 4,
            "optimizer": "adam" if number % 2 else "sgd",
        }
    )
    error = 0.02 + (number * 7 % 1009) / 10_000
    scores = {"error": error, "brier": error / 3, "log_loss": 2.1 * error, "balanced_error": error}
    train = {"error": error / 2, "brier": error / 6, "log_loss": error}
    return Measurement(
        id=measurement_id(job, search, Phase.TUNING, level, setting, number),
        search=search,
        phase=Phase.TUNING,
        level=level,
        setting=setting,
        replicate=number,
        outcome=Outcome.COMPLETED,
        scores=scores,
        train_scores=train,
        parameters=9000 + number,
        standalone_device_seconds=1.5 + error,
        billed_device_seconds=0.5 + error,
        packet=f"{search}:1:{number // PACKET}",
        packet_attempt=1,
    )


def _try(job: str, number: int) -> PacketAttempt:
    begin = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=number)
    return PacketAttempt(
        packet=measurement(job, number).packet,
        number=1,
        runner_attempt=1,
        node="8d6b2c3f1a",
        device_type="cpu",
        start_time=begin,
        end_time=begin + timedelta(seconds=4),
        billed_device_seconds=4.0,
        outcome=PacketOutcome.COMPLETED,
    )


def requests(attempt: rpb.AttemptRef, first: int, count: int, batch: int) -> Iterator[bytes]:
    """Yields calls of RecordMeasurements as bytes, measurements numbered from the first on."""
    for start in range(first, first + count, batch):
        numbers = range(start, min(start + batch, first + count))
        yield rpb.RecordMeasurementsRequest(
            attempt=attempt,
            measurements=[measurement_to_wire(measurement(attempt.job, n)) for n in numbers],
            packet_attempts=[
                packet_attempt_to_wire(_try(attempt.job, n)) for n in numbers if n % PACKET == 0
            ],
        ).SerializeToString()


def fill(url: str, job: str, first: int, count: int) -> None:
    """Writes so many measurements of a job straight into the tables, as the store would."""
    database = Database(url)
    now = datetime.now(UTC)
    name = JobName.parse(job)
    for start in range(first, first + count, _CHUNK):
        rows = [measurement(job, n) for n in range(start, min(start + _CHUNK, first + count))]
        with database.write() as connection:
            c = t.jobs.c
            key, last = connection.execute(
                sa.update(t.jobs)
                .where(c.namespace == name.namespace, c.job == name.job)
                .values(last_sequence=c.last_sequence + len(rows))
                .returning(c.id, c.last_sequence)
            ).one()
            numbers = range(last - len(rows) + 1, last + 1)
            events, index = [], []
            for sequence, row in zip(numbers, rows, strict=True):
                kind, payload = pack(row)
                about = {"job_id": key, "sequence": sequence}
                events.append({**about, "time": now, "kind": kind, "payload": payload})
                index.append(
                    {
                        **about,
                        "id": row.id,
                        "search": row.search,
                        "phase": row.phase,
                        "level": row.level,
                        "replicate": row.replicate,
                        "outcome": row.outcome,
                        "candidate": candidate_id(row.search, row.level, row.setting),
                        "billed_device_seconds": row.billed_device_seconds,
                    }
                )
            connection.execute(sa.insert(t.events), events)
            connection.execute(sa.insert(t.measurements), index)
    database.close()


def recorded(url: str) -> int:
    """Returns how many measurements the database holds."""
    database = Database(url)
    with database.read() as connection:
        count: int = connection.execute(
            sa.select(sa.func.count()).select_from(t.measurements)
        ).scalar_one()
    database.close()
    return count
