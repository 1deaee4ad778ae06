"""Plan steps: decisions, committed before anything of them is dispatched."""

from __future__ import annotations

import sqlalchemy as sa

from services.coordinator.store import tables as t
from services.coordinator.store.attempts import check
from services.coordinator.store.codec import pack, unpack_step
from services.coordinator.store.errors import AlreadyExistsError, NotFoundError, WrongStateError
from services.coordinator.store.log import (
    Clock,
    LockedJob,
    append,
    lock_job,
    read_payloads,
    same_event,
)
from tuner.curve import SearchState
from tuner.jobs import SearchStateChanged, What
from tuner.record import Conclusion, PlanStep, StepKind
from tuner.wire.names import JobName


def commit(
    connection: sa.Connection, name: JobName, attempt: int, epoch: int, step: PlanStep, clock: Clock
) -> bool:
    """Does Store.commit_step."""
    job = lock_job(connection, name, clock)
    check(connection, job, attempt, epoch)
    c = t.searches.c
    of_search = (c.job_id == job.id, c.key == step.search)
    search = connection.execute(sa.select(c.state, c.steps).where(*of_search)).one_or_none()
    if search is None:
        raise NotFoundError(f"{name} has no search {step.search!r}")
    if 1 <= step.number <= search.steps:
        if stored(connection, job, step.search, step.number) != pack(step)[1]:
            raise AlreadyExistsError(
                f"another step {step.number} of {step.search!r} was committed before"
            )
        return True
    state = SearchState(search.state)
    if state not in (SearchState.PENDING, SearchState.RUNNING):
        raise WrongStateError(f"the search {step.search!r} has ended ({state})")
    if step.number != search.steps + 1:
        raise WrongStateError(
            f"step {step.number} of {step.search!r} leaves a gap; "
            f"the next one's number is {search.steps + 1}"
        )
    whats: list[What] = [step]
    moved = _moved(state, step)
    if moved is not None:
        whats.append(moved)
    numbers = append(connection, job, whats)
    connection.execute(
        sa.insert(t.plan_steps).values(
            job_id=job.id, search=step.search, number=step.number, sequence=numbers[0]
        )
    )
    changes = {} if moved is None else {"state": moved.state, "reason": moved.reason}
    connection.execute(sa.update(t.searches).where(*of_search).values(steps=step.number, **changes))
    return False


def read(
    connection: sa.Connection, name: JobName, search: str | None, after: int, limit: int | None
) -> tuple[list[PlanStep], int]:
    """Does Reading.plan_page."""
    found, last = read_payloads(connection, t.plan_steps, name, search, after, limit)
    return [unpack_step(data) for data in found], last


def stored(connection: sa.Connection, job: LockedJob, search: str, number: int) -> bytes:
    """Returns the bytes of a step that is there."""
    s = t.plan_steps.c
    query = (
        sa.select(t.events.c.payload)
        .join_from(t.plan_steps, t.events, same_event(t.plan_steps))
        .where(s.job_id == job.id, s.search == search, s.number == number)
    )
    data: bytes = connection.execute(query).scalar_one()
    return data


def _moved(state: SearchState, step: PlanStep) -> SearchStateChanged | None:
    """Returns the search's move that the step brings, if any."""
    if step.kind is StepKind.CONCLUDE:
        failed = step.conclusion is Conclusion.FAILED
        end = SearchState.FAILED if failed else SearchState.CONCLUDED
        return SearchStateChanged(step.search, end, step.decision)
    if state is SearchState.PENDING:
        return SearchStateChanged(step.search, SearchState.RUNNING, "")
    return None
