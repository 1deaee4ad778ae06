"""Attempts: one lives at a time, enrols once, and is stale for good once it has ended."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from services.coordinator.store.base import Store
from services.coordinator.store.conformance.making import MakeStore
from services.coordinator.store.conformance.samples import (
    Running,
    a_job,
    a_measurement,
    a_running_job,
    a_step,
    kinds_of,
    log_of,
)
from services.coordinator.store.errors import StaleError
from tuner.jobs import RunnerStarted


class AttemptsConformance:
    """Attempts: one lives at a time, and is stale for good once it has ended."""

    def test_an_attempt_begins_without_a_sign_of_life(self, store: Store) -> None:
        name = a_job(store)
        assert store.live_attempt(name) is None
        row = store.create_attempt(name, "job-x-{attempt}", "code")
        assert (row.job, row.number, row.submission_id) == (name, 1, "job-x-1")
        assert (row.code_hash, row.token_hash) == ("code", "")
        assert (row.heartbeat_time, row.end_time, row.outcome, row.reason) == (None, None, "", "")
        assert store.live_attempt(name) == row
        assert store.attempts(name) == [row]
        assert store.get_job(name).attempt == 1
        assert kinds_of(log_of(store, name)) == ["JobStateChanged"]

    def test_enrolling_exchanges_the_code_and_is_an_event(self, store: Store) -> None:
        name = a_job(store)
        made = store.create_attempt(name, "s{attempt}", "code")
        row = store.enrol(name, "code", "token")
        assert (row.number, row.epoch) == (made.number, made.epoch)
        assert (row.code_hash, row.token_hash) == ("", "token")
        assert row.heartbeat_time is not None
        assert store.live_attempt(name) == row
        assert log_of(store, name)[-1].what == RunnerStarted(1, "s1")

    @pytest.mark.parametrize("code", ["wrong", ""])
    def test_a_wrong_code_is_refused_and_harms_nobody(self, store: Store, code: str) -> None:
        name = a_job(store)
        with pytest.raises(StaleError, match="code"):
            store.enrol(name, code, "token")
        row = store.create_attempt(name, "s", "code")
        with pytest.raises(StaleError, match="code"):
            store.enrol(name, code, "token")
        assert store.live_attempt(name) == row

    def test_a_second_exchange_ends_the_attempt_as_compromised(self, store: Store) -> None:
        job = a_running_job(store)
        with pytest.raises(StaleError, match="used before"):
            store.enrol(job.name, "code", "thief")
        assert store.live_attempt(job.name) is None
        (row,) = store.attempts(job.name)
        assert row.outcome == "COMPROMISED"
        assert row.token_hash == "token"
        assert row.end_time is not None
        with pytest.raises(StaleError):
            store.heartbeat(*job.caller)
        with pytest.raises(StaleError):
            store.enrol(job.name, "code", "thief")
        assert kinds_of(log_of(store, job.name)).count("RunnerStarted") == 1

    def test_a_new_attempt_supersedes_the_living_one(self, store: Store) -> None:
        job = a_running_job(store)
        row = store.create_attempt(job.name, "s{attempt}", "code 2")
        assert (row.number, row.submission_id) == (2, "s2")
        assert row.epoch != job.epoch
        first, second = store.attempts(job.name)
        assert (first.outcome, second) == ("SUPERSEDED", row)
        assert first.end_time is not None
        assert store.get_job(job.name).attempt == 2
        for call in (
            lambda: store.heartbeat(*job.caller),
            lambda: store.commit_step(*job.caller, a_step()),
            lambda: store.record(*job.caller, [a_measurement(job.name)], []),
            lambda: store.enrol(job.name, "code", "token"),
            lambda: store.heartbeat(job.name, 2, job.epoch),
            lambda: store.heartbeat(job.name, 1, row.epoch),
        ):
            with pytest.raises(StaleError):
                call()
        assert store.live_attempt(job.name) == row

    def test_heartbeats_are_noted(self, make_store: MakeStore) -> None:
        now = [datetime(2026, 1, 1, tzinfo=UTC)]
        store = make_store(clock=lambda: now[0])
        job = a_running_job(store)
        now[0] += timedelta(seconds=5)
        row = store.heartbeat(*job.caller)
        assert row.heartbeat_time == now[0]
        assert store.live_attempt(job.name) == row
        store.close()

    def test_an_attempt_ends_once_and_its_first_end_stands(self, store: Store) -> None:
        job = a_running_job(store)
        store.end_attempt(*job.caller, "COMPLETED", "all done")
        rows = store.attempts(job.name)
        store.end_attempt(*job.caller, "CRASHED", "too late")
        assert store.attempts(job.name) == rows
        assert (rows[0].outcome, rows[0].reason) == ("COMPLETED", "all done")
        with pytest.raises(StaleError):
            store.heartbeat(*job.caller)
        for stale in (Running(job.name, 1, job.epoch + 1), Running(job.name, 2, job.epoch)):
            with pytest.raises(StaleError):
                store.end_attempt(*stale.caller, "LOST", "")

    def test_a_superseded_attempt_ends_without_harm_to_the_next(self, store: Store) -> None:
        job = a_running_job(store)
        row = store.create_attempt(job.name, "s", "code 2")
        store.end_attempt(*job.caller, "CRASHED", "late")
        assert store.live_attempt(job.name) == row
        assert store.attempts(job.name)[0].outcome == "SUPERSEDED"
