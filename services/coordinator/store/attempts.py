"""Attempts of the runner: enrolment, lease and end."""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from services.coordinator.store import tables as t
from services.coordinator.store.errors import StaleError, WrongStateError
from services.coordinator.store.log import Clock, LockedJob, append, job_id, lock_job
from services.coordinator.store.rows import AttemptRow
from tuner.jobs import JobState, RunnerEnded, RunnerStarted
from tuner.wire.names import JobName

SUPERSEDED = "SUPERSEDED"
COMPROMISED = "COMPROMISED"

# Made once, for every write to the record asks it.
_LIVE = sa.select(t.runner_attempts).where(
    t.runner_attempts.c.job_id == sa.bindparam("job"), t.runner_attempts.c.end_time.is_(None)
)


def create(
    connection: sa.Connection, name: JobName, submission_id: str, code_hash: str, clock: Clock
) -> AttemptRow:
    """Does Store.create_attempt."""
    job = lock_job(connection, name, clock)
    if job.state.ended:
        raise WrongStateError(f"{name} has ended ({job.state}), so it takes no new attempt")
    if job.state is JobState.PAUSED:
        raise WrongStateError(f"{name} is paused; resume it before it takes a new attempt")
    number = job.attempt + 1
    end_live(connection, job, SUPERSEDED, f"attempt {number} has taken its place")
    last_sequence = connection.execute(
        sa.select(t.jobs.c.last_sequence).where(t.jobs.c.id == job.id)
    ).scalar_one()
    row = connection.execute(
        sa.insert(t.runner_attempts)
        .values(
            job_id=job.id,
            number=number,
            submission_id=submission_id.replace("{attempt}", str(number)),
            code_hash=code_hash,
            token_hash="",
            create_time=job.now,
            outcome="",
            reason="",
            from_sequence=last_sequence,
        )
        .returning(*t.runner_attempts.c)
    ).one()
    connection.execute(sa.update(t.jobs).where(t.jobs.c.id == job.id).values(attempt=number))
    return _attempt(name, row)


def live(connection: sa.Connection, name: JobName) -> AttemptRow | None:
    """Does Store.live_attempt."""
    row = _live(connection, job_id(connection, name))
    return None if row is None else _attempt(name, row)


def all_of(connection: sa.Connection, name: JobName) -> list[AttemptRow]:
    """Does Store.attempts."""
    c = t.runner_attempts.c
    query = sa.select(t.runner_attempts).where(c.job_id == job_id(connection, name))
    return [_attempt(name, row) for row in connection.execute(query.order_by(c.number))]


def check_code(connection: sa.Connection, name: JobName, code_hash: str) -> None:
    """Passes the code of a live attempt, exchanged or not. Raises as `enrol` does."""
    _with_code(connection, job_id(connection, name), name, code_hash)


def no_code(name: JobName) -> StaleError:
    """Returns the error for an enrolment code that is none."""
    return StaleError(f"no live attempt of {name} has that enrolment code")


def _with_code(connection: sa.Connection, job: int, name: JobName, code_hash: str) -> sa.Row[Any]:
    found = _live(connection, job)
    if found is None or not code_hash or not hmac.compare_digest(found.code_hash, code_hash):
        raise no_code(name)
    return found


def enrol(
    connection: sa.Connection, name: JobName, code_hash: str, token_hash: str, clock: Clock
) -> AttemptRow | None:
    """Does Store.enrol, but for raising.

    Returns:
        The attempt; None where it had been enrolled before and has now been
        ended, which must be committed before the caller is told.

    Raises:
        NotFoundError: There is no such job.
        StaleError: No live attempt has that code.
    """
    job = lock_job(connection, name, clock)
    found = _with_code(connection, job.id, name, code_hash)
    if found.token_hash:
        reason = "its enrolment code was used a second time, so it may have been stolen"
        end_live(connection, job, COMPROMISED, reason)
        return None
    row = connection.execute(
        sa.update(t.runner_attempts)
        .where(t.runner_attempts.c.epoch == found.epoch)
        .values(token_hash=token_hash, heartbeat_time=job.now)
        .returning(*t.runner_attempts.c)
    ).one()
    append(connection, job, [RunnerStarted(row.number, row.submission_id)])
    return _attempt(name, row)


def heartbeat(
    connection: sa.Connection,
    name: JobName,
    attempt: int,
    epoch: int,
    slots_busy: int,
    packets_waiting: int,
    held: Mapping[str, int],
    clock: Clock,
) -> AttemptRow:
    """Does Store.heartbeat."""
    job = lock_job(connection, name, clock)
    check(connection, job, attempt, epoch)
    row = connection.execute(
        sa.update(t.runner_attempts)
        .where(t.runner_attempts.c.epoch == epoch)
        .values(
            # Not the job's time, which stands still while the clock is behind it.
            heartbeat_time=clock(),
            slots_busy=slots_busy,
            packets_waiting=packets_waiting,
            held=json.dumps(dict(held)),
        )
        .returning(*t.runner_attempts.c)
    ).one()
    return _attempt(name, row)


def end(
    connection: sa.Connection,
    name: JobName,
    attempt: int,
    epoch: int,
    outcome: str,
    reason: str,
    clock: Clock,
) -> None:
    """Does Store.end_attempt."""
    job = lock_job(connection, name, clock)
    c = t.runner_attempts.c
    query = sa.select(c.end_time).where(c.job_id == job.id, c.number == attempt, c.epoch == epoch)
    row = connection.execute(query).one_or_none()
    if row is None:
        raise _stale(name, attempt, epoch)
    if row.end_time is None:
        end_live(connection, job, outcome, reason)


def check(connection: sa.Connection, job: LockedJob, attempt: int, epoch: int) -> None:
    """Passes the live attempt alone. Raises StaleError."""
    row = _live(connection, job.id)
    if row is None or (row.number, row.epoch) != (attempt, epoch):
        raise _stale(job.name, attempt, epoch)


def end_live(connection: sa.Connection, job: LockedJob, outcome: str, reason: str) -> None:
    """Ends the attempt that lives, if one does, with its event."""
    c = t.runner_attempts.c
    number = connection.execute(
        sa.update(t.runner_attempts)
        .where(c.job_id == job.id, c.end_time.is_(None))
        .values(end_time=job.now, outcome=outcome, reason=reason)
        .returning(c.number)
    ).scalar_one_or_none()
    if number is not None:
        append(connection, job, [RunnerEnded(number, outcome, reason)])


def _live(connection: sa.Connection, job: int) -> sa.Row[Any] | None:
    return connection.execute(_LIVE, {"job": job}).one_or_none()


def _stale(name: JobName, attempt: int, epoch: int) -> StaleError:
    return StaleError(
        f"attempt {attempt} with epoch {epoch} of {name} has been superseded or has ended"
    )


def _attempt(name: JobName, row: sa.Row[Any]) -> AttemptRow:
    return AttemptRow(
        job=name,
        number=row.number,
        epoch=row.epoch,
        submission_id=row.submission_id,
        code_hash="" if row.token_hash else row.code_hash,
        token_hash=row.token_hash,
        create_time=row.create_time,
        heartbeat_time=row.heartbeat_time,
        end_time=row.end_time,
        outcome=row.outcome,
        reason=row.reason,
        from_sequence=row.from_sequence,
        slots_busy=row.slots_busy,
        packets_waiting=row.packets_waiting,
        held=json.loads(row.held),
    )
