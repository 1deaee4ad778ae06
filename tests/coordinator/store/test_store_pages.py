"""Pages: the next one costs what the first one did, however much there is."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from services.coordinator.store import SqlStore
from services.coordinator.store.conformance.samples import (
    DEPTH,
    TREES,
    a_job,
    a_measurement,
    a_running_job,
    a_step,
    a_try,
)
from tuner.wire.names import JobName

LISTS: dict[str, Callable[[SqlStore, JobName], object]] = {
    "jobs of all": lambda store, _: store.list_jobs(None, 5, "1000000"),
    "jobs of a namespace": lambda store, _: store.list_jobs("default", 5),
    "further jobs": lambda store, _: store.list_jobs("default", 5, "1000000"),
    "jobs to notify": lambda store, _: store.jobs_to_notify(5),
    "events": lambda store, name: store.events(name, 3, 5),
    "measurements": lambda store, name: store.measurements(name, None, 3, 5),
    "measurements of a search": lambda store, name: store.measurements(name, TREES, 3, 5),
    "last measurement": lambda store, name: store.last_measurement_sequence(name),
    "plan steps": lambda store, name: store.plan_page(name, None, 3, 5),
    "plan steps of a search": lambda store, name: store.plan_page(name, TREES, 3, 5),
    "trials": lambda store, name: store.trials(name, None, 3, 5),
    "trials of a search": lambda store, name: store.trials(name, TREES, 3, 5),
    "artifacts": lambda store, name: store.artifacts(name, "a", 5),
    "audit": lambda store, _: store.audit_log(None, 5, 1_000_000),
    "audit of a namespace": lambda store, _: store.audit_log(["default", "other"], 5),
    "tokens": lambda store, _: store.list_tokens(5, "a"),
    "what a batch repeats": lambda store, name: store.record(
        name, 1, store.attempts(name)[0].epoch, [a_measurement(name)], [a_try()]
    ),
}

PLANNED = ("SELECT", "UPDATE")

# What of its plan would take longer with every row that there is.
GROWS = {
    "sqlite": ("SCAN ", "TEMP B-TREE"),
    "postgresql": ("Seq Scan", "Sort"),
}


# An index of SQLite's that is read for every row of a job.
WHOLE_JOB = re.compile(r"SEARCH (measurements|events).* \(job_id=\?\)")


def _statements(store: SqlStore, call: Callable[[], object]) -> list[tuple[str, Any]]:
    """What the call asks of the database."""
    found: list[tuple[str, Any]] = []

    def note(_connection: object, _cursor: object, statement: str, values: Any, *_: object) -> None:
        if statement.lstrip().upper().startswith(PLANNED):
            found.append((statement, values))

    engines = {store._database._readers, store._database._writers}
    for engine in engines:
        sa.event.listen(engine, "before_cursor_execute", note)
    try:
        call()
    finally:
        for engine in engines:
            sa.event.remove(engine, "before_cursor_execute", note)
    return found


def _plan(store: SqlStore, statement: str, values: Any) -> list[str]:
    with store._database.read() as connection:
        if connection.dialect.name == "postgresql":
            # So few rows would be read and sorted whole; with this, only where no index serves.
            for way in ("seqscan", "sort", "bitmapscan"):
                connection.exec_driver_sql(f"SET LOCAL enable_{way} = off")
            return [row[0] for row in connection.exec_driver_sql(f"EXPLAIN {statement}", values)]
        rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
        return [row[3] for row in rows if "json_each" not in row[3]]


def test_no_page_is_reached_by_reading_or_sorting_what_is_not_in_it(store: SqlStore) -> None:
    job = a_running_job(store)
    store.commit_step(*job.caller, a_step())
    store.record(*job.caller, [a_measurement(job.name, i) for i in range(9)], [a_try()])
    for what, call in LISTS.items():
        statements = _statements(store, lambda call=call: call(store, job.name))
        assert statements, what
        for statement, values in statements:
            _check_plan(store, what, statement, values)


def _check_plan(store: SqlStore, what: str, statement: str, values: Any) -> None:
    # SQLAlchemy writes one for SQLite that passes over nothing.
    assert "OFFSET" not in statement or values[-1] == 0
    plan = _plan(store, statement, values)
    assert plan
    if "ORDER BY" in statement and "LIMIT" not in statement:
        assert not any(map(WHOLE_JOB.fullmatch, plan)), (what, statement, plan)
        return  # What comes with a page's rows, such as a job's searches, put in order.
    for word in GROWS[store._database.url.get_backend_name()]:
        # An index of nothing but what is asked for is read from its start.
        grown = [line for line in plan if word in line and "ix_jobs_to_notify" not in line]
        assert not grown, (what, statement, plan)


def test_a_plan_that_reads_everything_is_noticed(store: SqlStore) -> None:
    a_job(store)
    words = GROWS[store._database.url.get_backend_name()]
    for statement in (
        "SELECT job FROM jobs WHERE owner = 'ada' LIMIT 1",
        "SELECT job FROM jobs ORDER BY owner LIMIT 1",
    ):
        plan = "\n".join(_plan(store, statement, ()))
        assert any(word in plan for word in words)


def test_steps_and_measurements_come_in_pages_that_meet(store: SqlStore) -> None:
    job = a_running_job(store)
    assert store.plan_page(job.name, None, 0, 3) == ([], 0)
    assert (store.measurement_count(job.name), store.last_measurement_sequence(job.name)) == (0, 0)
    for number in range(1, 6):
        store.commit_step(*job.caller, a_step(number))
        store.record(*job.caller, [a_measurement(job.name, number)], [a_try(number)])
        store.commit_step(*job.caller, a_step(number, DEPTH))
    for search in (None, TREES, DEPTH, "nothing"):
        pages, after = [], 0
        while page := store.plan_page(job.name, search, after, 3):
            if not page[0]:
                assert page[1] == after
                break
            pages += page[0]
            after = page[1]
        assert pages == store.plan(job.name, search)
    assert store.measurement_count(job.name) == 5
    last = store.last_measurement_sequence(job.name)
    assert store.measurements(job.name)[1] == last
    assert store.events(job.name, last - 1, 1)[0].what == store.measurements(job.name)[0][-1]
