"""What a store over SQL proves beside the conformance suite: its statements and its text."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from services.coordinator.store import SqlStore
from services.coordinator.store.conformance.samples import a_measurement, a_running_job, a_try
from tuner.access import AuditEntry
from tuner.errors import Status, TunerError


def test_a_large_batch_takes_as_few_statements_as_a_small_one(store: SqlStore) -> None:
    job = a_running_job(store)
    counts = []
    engine = store._database._writers
    for size in (1, 64, 1200):
        rows = [a_measurement(job.name, 10_000 * size + i) for i in range(size)]
        count = [0]

        def counted(*_: object, count: list[int] = count) -> None:
            count[0] += 1

        sa.event.listen(engine, "before_cursor_execute", counted)
        store.record(*job.caller, rows, [a_try(size)])
        sa.event.remove(engine, "before_cursor_execute", counted)
        counts.append(count[0])
    assert counts[0] == counts[1] == counts[2] <= 10


def test_what_a_database_cant_hold_is_the_requests_fault(store: SqlStore, url: str) -> None:
    """PostgreSQL's text has no NUL; SQLite's has."""
    job = a_running_job(store)
    for call in (
        lambda: store.append_audit([AuditEntry("ada", "\0", "GetJob", "", "", "OK")]),
        lambda: store.has_artifact(job.name, "\0"),
        lambda: store.list_tokens(1, "\0"),
    ):
        if url.startswith("sqlite"):
            call()
            continue
        with pytest.raises(TunerError) as caught:
            call()
        assert caught.value.status is Status.INVALID_ARGUMENT
        assert "NUL" in str(caught.value)
