"""The coordinator's pure rules: admission, leases, endings, portions, settings."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pydantic
import pytest
from coordinator_harness import a_spec
from hypothesis import given
from hypothesis import strategies as st

from services.coordinator.api.portions import MAX_BYTES, portions
from services.coordinator.endings import Ended, ending, fruitless
from services.coordinator.ray_client import used_resources
from services.coordinator.settings import Settings
from services.coordinator.store.rows import AttemptRow, JobRow
from services.coordinator.vigil import Lease
from tuner.curve import SearchState
from tuner.jobs import JobState, SearchStatus
from tuner.v1 import tuner_service_pb2 as pb
from tuner.wire.names import JobName

START = datetime(2026, 1, 1, tzinfo=UTC)


def a_job(number: int = 0, state: JobState = JobState.QUEUED, **changes: object) -> JobRow:
    row = JobRow(
        name=JobName("default", f"j{number}"),
        spec=a_spec(),
        state=state,
        reason="",
        owner="",
        create_time=START + timedelta(seconds=number),
        start_time=None,
        end_time=None,
        last_sequence=1,
        attempt=0,
        billed_device_seconds=0.0,
        searches=(SearchStatus("simulated/depth", SearchState.CONCLUDED),),
    )
    return replace(row, **changes)


def an_attempt(number: int, outcome: str = "", reason: str = "") -> AttemptRow:
    created = START + timedelta(minutes=number)
    return AttemptRow(
        job=JobName("default", "j0"),
        number=number,
        epoch=number,
        submission_id="s",
        code_hash="",
        token_hash="t",
        create_time=created,
        heartbeat_time=None,
        end_time=None,
        outcome=outcome,
        reason=reason,
        from_sequence=10 * number,
    )


def test_a_lease_ends_only_after_a_whole_one_in_silence() -> None:
    lease = Lease(10, now=0)
    assert not any(lease.expired("a", now) for now in range(11))
    assert lease.expired("a", 11)
    assert not lease.expired("b", 12)
    assert not any(lease.expired("b", now) for now in range(13, 23))
    assert lease.expired("b", 23)


def test_a_coordinator_that_was_frozen_grants_a_whole_lease() -> None:
    lease = Lease(10, now=0)
    assert not lease.expired("a", 1)
    assert not lease.expired("a", 500)
    assert not any(lease.expired("a", now) for now in range(501, 511))
    assert lease.expired("a", 511)


def test_progress_forgives_what_came_before_it() -> None:
    attempts = [an_attempt(n, Ended.LOST) for n in (1, 2, 3, 4)]
    assert fruitless(attempts, 0) == attempts
    # The second's measurement came after the third had not begun.
    assert fruitless(attempts, 25) == attempts[2:]
    assert fruitless(attempts, 99) == []


def test_what_paused_as_it_was_told_has_not_failed() -> None:
    attempts = [an_attempt(n, Ended.PAUSED if n == 2 else Ended.CRASHED) for n in (1, 2, 3)]
    assert [a.number for a in fruitless(attempts, 0)] == [1, 3]


ENDING = [Ended.COMPLETED, Ended.INVALID, Ended.CANCELLED]


@pytest.mark.parametrize("outcome", Ended)
@pytest.mark.parametrize("state", [JobState.QUEUED, JobState.RUNNING, JobState.STOPPING])
def test_only_a_last_word_ends_a_job(outcome: Ended, state: JobState) -> None:
    end = ending(a_job(state=state, reason="stopped by ada"), an_attempt(1, outcome, "why"))
    expected: dict[Ended, tuple[JobState, str]] = {
        Ended.COMPLETED: (
            JobState.SUCCEEDED,
            "stopped by ada" if state is JobState.STOPPING else "",
        ),
        Ended.INVALID: (JobState.FAILED, "why"),
        Ended.CANCELLED: (JobState.CANCELLED, "why"),
    }
    if state is JobState.RUNNING:
        # It was told to make way: the slots were wanted elsewhere.
        expected[Ended.PAUSED] = (JobState.QUEUED, "why")
    assert end == expected.get(outcome)


@pytest.mark.parametrize("outcome", [o for o in Ended if o not in ENDING])
def test_a_job_that_pauses_is_paused_however_its_runner_ended(outcome: Ended) -> None:
    job = a_job(
        state=JobState.PAUSING,
        reason="paused by ada",
        searches=(SearchStatus("simulated/depth", SearchState.RUNNING),),
    )
    end = ending(job, an_attempt(1, outcome, "why"))
    asked = outcome in (Ended.PAUSED, Ended.STOPPED)
    lost = f"; its runner ended meanwhile ({outcome}: why)"
    assert end == (JobState.PAUSED, "paused by ada" + ("" if asked else lost))


def test_an_attempts_life_never_runs_backwards() -> None:
    attempt = an_attempt(1)
    assert attempt.seconds(START + timedelta(minutes=3)) == 120
    # A clock that jumped back an hour.
    assert attempt.seconds(START - timedelta(hours=1)) == 0
    assert replace(attempt, end_time=START + timedelta(minutes=2)).seconds(START) == 60


def test_a_completion_with_open_searches_is_none() -> None:
    job = a_job(searches=(SearchStatus("simulated/depth", SearchState.RUNNING),))
    assert ending(job, an_attempt(1, Ended.COMPLETED)) is None


@given(st.lists(st.integers(0, MAX_BYTES), max_size=30), st.integers(1, 10))
def test_portions_hold_everything_in_order_within_bounds(sizes: list[int], most: int) -> None:
    items = [pb.DeleteJobRequest(name="x" * min(size, MAX_BYTES)) for size in sizes]
    found = list(portions(items, most))
    assert [item for portion in found for item in portion] == items
    for portion in found:
        assert 1 <= len(portion) <= most
        assert sum(item.ByteSize() for item in portion) <= 2 * MAX_BYTES + 100


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNER_COORDINATOR_DATA_ROOTS", "/data:/more")
    monkeypatch.setenv("TUNER_COORDINATOR_STATE_DIR", "/var/tuner")
    settings = Settings()
    assert settings.data_roots == (Path("/data"), Path("/more"))
    assert settings.store_url == "sqlite:////var/tuner/coordinator.db"
    assert settings.artifacts_path == Path("/var/tuner/artifacts")
    assert settings.token_path == Path("/var/tuner/token")
    assert settings.dashboard_for_people == settings.ray_dashboard


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"listen": "0.0.0.0:50551"}, "INSECURE"),
        ({"listen": "example.org:1"}, "INSECURE"),
        ({"listen": "127.0.0.1"}, "host:port"),
        ({"data_roots": "relative"}, "absolute"),
        ({"lease_seconds": 1, "heartbeat_seconds": 1}, "half"),
        ({"max_running_jobs": 0}, "greater"),
        ({"colour": "red"}, "Extra"),
    ],
)
def test_wrong_settings_are_refused(changes: dict[str, object], problem: str) -> None:
    with pytest.raises(pydantic.ValidationError, match=problem):
        Settings(**changes)


@pytest.mark.parametrize("listen", ["127.0.0.1:0", "localhost:1", "[::1]:1", "127.1.2.3:1"])
def test_loopback_needs_no_leave(listen: str) -> None:
    assert Settings(listen=listen).listen == listen
    assert Settings(listen="0.0.0.0:1", insecure=True).listen == "0.0.0.0:1"


def test_the_use_of_resources_is_read_where_it_is_told() -> None:
    answer = {"data": {"clusterStatus": {"loadMetricsReport": {"usage": {"CPU": [1.5, 8.0]}}}}}
    assert used_resources(answer) == {"CPU": 1.5}
    for silent in ({}, {"data": {"clusterStatus": None}}, {"data": {"clusterStatus": {}}}):
        assert used_resources(silent) is None
