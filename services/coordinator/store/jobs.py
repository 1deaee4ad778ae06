"""Jobs and their searches' states."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from services.coordinator.store import tables as t
from services.coordinator.store.accounts import check_job_quota
from services.coordinator.store.artifacts import of_job
from services.coordinator.store.attempts import check, end_live
from services.coordinator.store.bulk import among
from services.coordinator.store.codec import pack_facts, pack_spec, unpack_facts, unpack_spec
from services.coordinator.store.errors import AlreadyExistsError, DataChangedError, WrongStateError
from services.coordinator.store.log import Clock, LockedJob, append, lock_job, named, no_job
from services.coordinator.store.rows import JobRow
from tuner.curve import SearchState
from tuner.errors import invalid
from tuner.jobs import (
    DatasetFacts,
    JobState,
    JobStateChanged,
    SearchStateChanged,
    SearchStatus,
    What,
)
from tuner.spec import JobSpec
from tuner.wire.names import JobName

_S, _R = t.searches.c, t.runner_attempts.c
# Made once: every look at a job asks them.
_SEARCHES = (
    sa.select(_S.job_id, _S.key, _S.state, _S.reason)
    .where(among(_S.job_id, "jobs"))
    .order_by(_S.job_id, _S.position)
)
_HELD = sa.select(_R.job_id, _R.held).where(among(_R.job_id, "jobs"), _R.end_time.is_(None))

_KEY = re.compile(r"[0-9]{1,18}")

OPEN = (SearchState.PENDING, SearchState.RUNNING)
"""States of a search that may yet change by a step."""

UNSHARED = {"share": None, "share_reason": "", "place": 0, "avoid_nodes": "[]"}
"""What the scheduler has said of a job that comes to rest: nothing yet of what is next."""

_IDLE = (JobState.QUEUED, JobState.PAUSED)
"""States, beside ends, in which a job holds nothing."""


def create(
    connection: sa.Connection,
    name: JobName,
    spec: JobSpec,
    owner: str,
    request_id: str,
    clock: Clock,
) -> tuple[JobRow, bool]:
    """Does Store.create_job. An IntegrityError means that another one came between."""
    packed = pack_spec(spec)
    c = t.jobs.c
    if request_id:
        before = _first(connection, c.namespace == name.namespace, c.request_id == request_id)
        if before is not None:
            if _submitted(connection, before) != unpack_spec(packed):
                raise AlreadyExistsError(
                    f"the request id {request_id!r} was used for another spec, of {before.name}"
                )
            return before, False
    if _first(connection, *named(name)) is not None:
        raise AlreadyExistsError(f"there is a job {name} already, made by another request")
    check_job_quota(connection, name.namespace)
    now = clock()
    key = connection.execute(
        sa.insert(t.jobs)
        .values(
            namespace=name.namespace,
            job=name.job,
            request_id=request_id or None,
            spec=packed,
            state=JobState.PENDING,
            reason="",
            owner=owner,
            create_time=now,
            last_sequence=0,
            attempt=0,
            billed_device_seconds=0.0,
        )
        .returning(c.id)
    ).scalar_one()
    connection.execute(
        sa.insert(t.searches),
        [
            {
                "job_id": key,
                "key": search.key,
                "position": position,
                "state": SearchState.PENDING,
                "reason": "",
                "steps": 0,
            }
            for position, search in enumerate(spec.all_searches())
        ],
    )
    job = LockedJob(key, name, JobState.PENDING, False, 0, now)
    append(connection, job, [JobStateChanged(JobState.PENDING, "")])
    return get(connection, name), True


def get(connection: sa.Connection, name: JobName) -> JobRow:
    """Does Store.get_job."""
    row = _first(connection, *named(name))
    if row is None:
        raise no_job(name)
    return row


def page(
    connection: sa.Connection, namespace: str | set[str] | None, limit: int, before: str | None
) -> tuple[list[JobRow], str | None]:
    """Does Store.list_jobs."""
    c = t.jobs.c
    query = sa.select(t.jobs).order_by(c.id.desc()).limit(limit + 1)
    if namespace is not None:
        places = [namespace] if isinstance(namespace, str) else sorted(namespace)
        query = query.where(c.namespace.in_(places))
    if before is not None:
        if not _KEY.fullmatch(before):
            raise invalid("before", f"{before[:50]!r} is not a key that a page ended with")
        query = query.where(c.id < int(before))
    rows = connection.execute(query).all()
    following = str(rows[limit - 1].id) if len(rows) > limit else None
    return _with_searches(connection, rows[:limit]), following


def in_states(connection: sa.Connection, states: Sequence[JobState]) -> list[JobRow]:
    """Does Store.jobs_in."""
    c = t.jobs.c
    query = sa.select(t.jobs).where(c.state.in_(list(states))).order_by(c.id)
    return _with_searches(connection, connection.execute(query).all())


def set_state(
    connection: sa.Connection,
    name: JobName,
    state: JobState,
    reason: str,
    expect: Sequence[JobState],
    clock: Clock,
) -> JobRow:
    """Does Store.set_job_state. The job's own event comes last: readers stop at its end."""
    job = lock_job(connection, name, clock)
    if job.state not in expect or job.state.ended:
        wanted = " or ".join(expect) or "no state at all"
        raise WrongStateError(f"{name} is {job.state}; to become {state} it must be {wanted}")
    changes: dict[str, Any] = {"state": state, "reason": reason}
    whats: list[What] = []
    if state is JobState.RUNNING and not job.started:
        changes["start_time"] = job.now
    if state.ended or (state in _IDLE and job.state not in (state, JobState.PENDING)):
        changes |= UNSHARED
    if state.ended:
        changes["end_time"] = job.now
        changes["to_notify"] = spec_of(connection, job).notify.webhook is not None
        end_live(connection, job, state, reason or "the job has ended")
        whats += _end_searches(connection, job, state, reason)
    if state is JobState.PAUSED:
        end_live(connection, job, state, reason or "the job is paused")
    connection.execute(sa.update(t.jobs).where(t.jobs.c.id == job.id).values(changes))
    append(connection, job, [*whats, JobStateChanged(state, reason)])
    return get(connection, name)


def to_notify(connection: sa.Connection, limit: int) -> list[JobRow]:
    """Does Store.jobs_to_notify."""
    c = t.jobs.c
    query = sa.select(t.jobs).where(c.to_notify).order_by(c.end_time.desc()).limit(limit)
    return _with_searches(connection, connection.execute(query).all())


def notified(connection: sa.Connection, name: JobName, sequence: int, clock: Clock) -> None:
    """Does Store.notified."""
    job = lock_job(connection, name, clock)
    c = t.jobs.c
    connection.execute(
        sa.update(t.jobs).where(c.id == job.id, c.last_sequence == sequence).values(to_notify=False)
    )


def describe(
    connection: sa.Connection,
    name: JobName,
    attempt: int,
    epoch: int,
    facts: DatasetFacts,
    clock: Clock,
) -> bool:
    """Does Store.describe_dataset."""
    job = lock_job(connection, name, clock)
    check(connection, job, attempt, epoch)
    row = t.jobs.c.id == job.id
    known = connection.execute(sa.select(t.jobs.c.dataset).where(row)).scalar_one()
    if known is None:
        connection.execute(sa.update(t.jobs).where(row).values(dataset=pack_facts(facts)))
        return False
    before = unpack_facts(known)
    if before.digest != facts.digest:
        raise DataChangedError(
            f"the data changed since the job began: its digest was {before.digest[:12]}... with "
            f"{before.examples} examples and is {facts.digest[:12]}... with {facts.examples}; "
            "put the old data back, or submit a new job"
        )
    return True


def delete(connection: sa.Connection, name: JobName, clock: Clock) -> set[str]:
    """Does Store.delete_job; the foreign keys take the record along."""
    job = lock_job(connection, name, clock)
    if not job.state.ended:
        raise WrongStateError(f"{name} is {job.state}; cancel it before you delete it")
    files = of_job(connection, job) | {f.sha256 for f in get(connection, name).spec.blobs()}
    connection.execute(sa.delete(t.jobs).where(t.jobs.c.id == job.id))
    return files


def _end_searches(
    connection: sa.Connection, job: LockedJob, state: JobState, reason: str
) -> list[SearchStateChanged]:
    ends = {JobState.CANCELLED: SearchState.CANCELLED, JobState.FAILED: SearchState.FAILED}
    end = ends.get(state)
    if end is None:
        return []
    c = t.searches.c
    unfinished = (c.job_id == job.id, c.state.in_(OPEN))
    keys = connection.execute(sa.select(c.key).where(*unfinished).order_by(c.position)).scalars()
    moved = [SearchStateChanged(key, end, reason) for key in keys]
    connection.execute(sa.update(t.searches).where(*unfinished).values(state=end, reason=reason))
    return moved


def spec_of(connection: sa.Connection, job: LockedJob) -> JobSpec:
    """Returns the job's spec as it is now."""
    query = sa.select(t.jobs.c.spec).where(t.jobs.c.id == job.id)
    return unpack_spec(connection.execute(query).scalar_one())


def _submitted(connection: sa.Connection, job: JobRow) -> JobSpec:
    """Returns the job's spec as it was submitted, before it was extended."""
    query = sa.select(t.jobs.c.submitted).where(*named(job.name))
    packed = connection.execute(query).scalar_one()
    return job.spec if packed is None else unpack_spec(packed)


def _first(connection: sa.Connection, *where: sa.ColumnElement[bool]) -> JobRow | None:
    rows = connection.execute(sa.select(t.jobs).where(*where)).all()
    found = _with_searches(connection, rows)
    return found[0] if found else None


def _with_searches(connection: sa.Connection, rows: Sequence[sa.Row[Any]]) -> list[JobRow]:
    """Returns the rows as jobs, with all their searches read at once."""
    if not rows:
        return []
    found: dict[int, list[SearchStatus]] = {row.id: [] for row in rows}
    for search in connection.execute(_SEARCHES, {"jobs": list(found)}):
        state = SearchState(search.state)
        found[search.job_id].append(SearchStatus(search.key, state, search.reason))
    held = _held(connection, [row.id for row in rows if not JobState(row.state).ended])
    return [_job(row, found[row.id], held.get(row.id, 0)) for row in rows]


def _held(connection: sa.Connection, keys: Sequence[int]) -> dict[int, int]:
    """Returns the slots that live attempts of these jobs last said they hold."""
    if not keys:
        return {}
    rows = connection.execute(_HELD, {"jobs": keys})
    return {row.job_id: sum(json.loads(row.held).values()) for row in rows}


def _job(row: sa.Row[Any], searches: Iterable[SearchStatus], held: int) -> JobRow:
    return JobRow(
        name=JobName(row.namespace, row.job),
        spec=unpack_spec(row.spec),
        state=JobState(row.state),
        reason=row.reason,
        owner=row.owner,
        create_time=row.create_time,
        start_time=row.start_time,
        end_time=row.end_time,
        last_sequence=row.last_sequence,
        attempt=row.attempt,
        billed_device_seconds=row.billed_device_seconds,
        searches=tuple(searches),
        dataset=None if row.dataset is None else unpack_facts(row.dataset),
        share=row.share,
        share_reason=row.share_reason,
        place=row.place,
        avoid_nodes=tuple(json.loads(row.avoid_nodes)),
        slots_held=held,
        reopened=row.reopened,
    )
