"""Rows that are kept: read from where they grew, within bounds, and never another job's."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from coordinator_harness import a_spec

from services.coordinator import rows_kept
from services.coordinator.rows_kept import RowsKept
from services.coordinator.store.rows import JobRow
from tuner.jobs import JobState
from tuner.wire.names import JobName

JOB = JobRow(
    name=JobName("default", "j"),
    spec=a_spec(),
    state=JobState.RUNNING,
    reason="",
    owner="",
    create_time=datetime(2026, 1, 1, tzinfo=UTC),
    start_time=None,
    end_time=None,
    last_sequence=1,
    attempt=0,
    billed_device_seconds=0.0,
    searches=(),
)


class Counting:
    """A store of numbers in the measurements' place, which tells what was read of it."""

    def __init__(self) -> None:
        self.rows: list[int] = []
        self.reads: list[int] = []

    def measurements(self, name: JobName, search: str, after: int) -> tuple[list[Any], int]:
        self.reads.append(len(self.rows) - after)
        return self.rows[after:], len(self.rows)


def test_a_grown_record_is_read_from_where_it_grew() -> None:
    store = Counting()
    kept = RowsKept(store)  # type: ignore[arg-type]
    store.rows += range(10)
    first = kept.of(JOB, "a")
    store.rows += range(10, 13)
    assert kept.of(JOB, "a") == list(range(13))
    assert (first, store.reads) == (list(range(10)), [10, 3])


def test_a_job_made_again_under_its_name_starts_anew() -> None:
    store = Counting()
    kept = RowsKept(store)  # type: ignore[arg-type]
    store.rows += range(10)
    kept.of(JOB, "a")
    store.rows[:] = [7]
    again = replace(JOB, create_time=JOB.create_time + timedelta(seconds=1))
    assert kept.of(again, "a") == [7]


def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows_kept, "MOST_ROWS", 15)
    store = Counting()
    kept = RowsKept(store)  # type: ignore[arg-type]
    store.rows += range(10)
    for search in ("a", "b", "b", "a"):
        assert kept.of(JOB, search) == list(range(10))
    assert store.reads == [10, 10, 0, 10]
