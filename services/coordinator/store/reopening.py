"""Jobs that go on after all: resumed as they were, or extended with more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from services.coordinator.store import tables as t
from services.coordinator.store.codec import pack_spec, unpack_step
from services.coordinator.store.errors import AlreadyExistsError, WrongStateError
from services.coordinator.store.jobs import OPEN, UNSHARED, get, spec_of
from services.coordinator.store.log import Clock, LockedJob, append, lock_job
from services.coordinator.store.plan import stored
from services.coordinator.store.rows import Extend, JobRow
from tuner.curve import SearchState
from tuner.jobs import JobExtended, JobState, JobStateChanged, SearchStateChanged, What
from tuner.record import StepKind
from tuner.wire.names import JobName


def reopen(
    connection: sa.Connection,
    name: JobName,
    by: str,
    reason: str,
    expect: Sequence[JobState],
    extend: Extend | None,
    request: tuple[str, str] | None,
    clock: Clock,
) -> JobRow:
    """Does Store.reopen_job. The job's own event comes last, as in set_state."""
    job = lock_job(connection, name, clock)
    if request is not None and _known(connection, job, *request):
        return get(connection, name)
    if job.state not in expect:
        wanted = " or ".join(expect) or "no state at all"
        raise WrongStateError(f"{name} is {job.state}; to be reopened it must be {wanted}")
    whats: list[What] = []
    changes: dict[str, Any] = {
        "state": JobState.QUEUED,
        "reason": reason,
        "end_time": None,
        "to_notify": False,
    } | UNSHARED
    if extend is not None:
        spec, sentences = extend(spec_of(connection, job))
        whats.append(JobExtended(spec, by, tuple(sentences)))
        changes["spec"] = pack_spec(spec)
        changes["submitted"] = sa.func.coalesce(t.jobs.c.submitted, t.jobs.c.spec)
    opened = _reopen_searches(connection, job, everything=extend is not None)
    if job.state.ended and not opened:
        raise WrongStateError(
            f"every search of {name} has concluded, so there is nothing to go on with; extend it"
        )
    whats += opened
    numbers = append(connection, job, [*whats, JobStateChanged(JobState.QUEUED, reason)])
    changes["reopened"] = numbers[-1]
    connection.execute(sa.update(t.jobs).where(t.jobs.c.id == job.id).values(changes))
    if request is not None:
        connection.execute(
            sa.insert(t.requests).values(
                job_id=job.id, request_id=request[0], digest=request[1], create_time=job.now
            )
        )
    return get(connection, name)


def _reopen_searches(
    connection: sa.Connection, job: LockedJob, everything: bool
) -> list[SearchStateChanged]:
    """Opens the searches that the job's end closed; everything opens those that concluded, too."""
    c = t.searches.c
    query = sa.select(c.key, c.state, c.reason, c.steps).where(c.job_id == job.id)
    moved = []
    for row in connection.execute(query.order_by(c.position)).all():
        state = SearchState(row.state)
        if state in OPEN:
            continue
        concluded = state is SearchState.CONCLUDED or (
            state is SearchState.FAILED
            and _by_itself(connection, job, row.key, row.steps, row.reason)
        )
        if concluded and not everything:
            continue
        state = SearchState.RUNNING if row.steps else SearchState.PENDING
        moved.append(SearchStateChanged(row.key, state, ""))
        connection.execute(
            sa.update(t.searches)
            .where(c.job_id == job.id, c.key == row.key)
            .values(state=state, reason="")
        )
    return moved


def _by_itself(
    connection: sa.Connection, job: LockedJob, search: str, steps: int, reason: str
) -> bool:
    """Tells whether a failed search failed by its own conclusion, whose words it then carries."""
    if not steps:
        return False
    step = unpack_step(stored(connection, job, search, steps))
    return step.kind is StepKind.CONCLUDE and step.decision == reason


def _known(connection: sa.Connection, job: LockedJob, request_id: str, digest: str) -> bool:
    """Tells whether this request was carried out before. Raises AlreadyExistsError."""
    c = t.requests.c
    query = sa.select(c.digest).where(c.job_id == job.id, c.request_id == request_id)
    found = connection.execute(query).scalar_one_or_none()
    if found is not None and found != digest:
        raise AlreadyExistsError(
            f"the request id {request_id!r} was used for another request on {job.name}"
        )
    return found is not None
