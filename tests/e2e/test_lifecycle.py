"""Verbs on a job that runs, on the real stack: its record is that of one left alone."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.e2e.conftest import Stack
from tuner import Client, JobSpec
from tuner.client import Job
from tuner.jobs import JobState, RunnerEnded
from tuner.record import Conclusion, StepKind, record_digest

SPEC = JobSpec(
    dataset="digits",
    margin=0.02,
    baseline=None,
    searches=[
        {
            "learner": "simulated",
            "axis": "depth",
            "levels": (1, 2, 4, 8),
            "space": {"seconds": 0.5},
        },
        {"learner": "forest", "levels": (1, 4, 16)},
    ],
    tuning={"trials": 4, "generation": 2},
    measuring={"min_replicates": 4, "max_replicates": 4},
)
LIMIT = 240.0


def until(job: Job, *states: JobState) -> None:
    """Waits for one of the states."""
    end = time.monotonic() + LIMIT
    while job.refresh().state not in states:
        assert time.monotonic() < end, f"{job.state} after {LIMIT} s: {job.status.reason}"
        time.sleep(0.1)


def until_measured(job: Job, count: int) -> None:
    end = time.monotonic() + LIMIT
    while len(job.measurements()) < count:
        assert time.monotonic() < end
        time.sleep(0.1)


def ended(job: Job) -> list[str]:
    """Returns how the job's attempts have ended."""
    return [e.what.outcome for e in job.watch() if isinstance(e.what, RunnerEnded)]


def by_search(job: Job) -> list[object]:
    return sorted(job.plan(), key=lambda s: (s.search, s.number))


def test_a_stop_lets_what_runs_finish_and_concludes_on_what_is_known(client: Client):
    job = client.submit(SPEC)
    until_measured(job, 3)
    job.stop()
    assert job.wait(LIMIT) is JobState.SUCCEEDED
    assert "stopped by" in job.status.reason
    ends = {s.search: s for s in job.plan() if s.kind is StepKind.CONCLUDE}
    assert set(ends) == {"simulated/depth", "forest/trees"}
    assert Conclusion.STOPPED in {s.conclusion for s in ends.values()}
    stopped = [s for s in ends.values() if s.conclusion is Conclusion.STOPPED]
    assert all("stopped by" in s.decision for s in stopped)
    assert ended(job) == ["COMPLETED"]
    measured = len(job.measurements())
    assert sum(len(c.levels) for c in job.curves().values()) >= 0
    # Once it has ended it is a no-op.
    job.stop()
    assert job.state is JobState.SUCCEEDED
    assert len(job.measurements()) == measured


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_job_that_paused_and_was_extended_has_the_record_of_one_left_alone(client: Client):
    job = client.submit(SPEC, job_id="paused")
    assert job.wait(LIMIT) is JobState.SUCCEEDED
    job.extend(replicates=8, levels={"depth": [16]})
    assert job.wait(LIMIT) is JobState.SUCCEEDED
    undisturbed, steps = list(job.measurements()), by_search(job)
    assert any(16 in p.levels for s in steps for p in s.packets) or len(steps) > 2
    job.delete()

    job = client.submit(SPEC, job_id="paused")
    until_measured(job, 5)
    job.pause()
    until(job, JobState.PAUSED)
    assert "paused by" in job.status.reason
    there = len(job.measurements())
    time.sleep(2.0)
    assert len(job.measurements()) == there, "something runs on"
    job.resume()
    assert job.wait(LIMIT) is JobState.SUCCEEDED
    job.extend(replicates=8, levels={"depth": [16]})
    until_measured(job, len(undisturbed) - 2)
    if job.refresh().state is JobState.RUNNING:
        job.pause()
        until(job, JobState.PAUSED, JobState.SUCCEEDED)
        job.resume()
    assert job.wait(LIMIT) is JobState.SUCCEEDED
    again = list(job.measurements())
    assert Counter(m.id for m in again) == Counter(m.id for m in undisturbed)
    assert record_digest(again) == record_digest(undisturbed)
    assert by_search(job) == steps
    assert set(ended(job)) == {"PAUSED", "COMPLETED"}
    # Both conclusions stay, the earlier as a decision of its time.
    ends = Counter(s.search for s in job.plan() if s.kind is StepKind.CONCLUDE)
    assert set(ends.values()) == {2}
    curve = job.curves()["simulated/depth"]
    assert curve.verdict is not None
    assert str(curve.verdict.outcome) in by_search(job)[-1].decision


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_job_of_higher_priority_is_made_way_for_and_the_other_goes_on(client: Client):
    slow = {"learner": "simulated", "axis": "depth", "levels": (1, 2), "space": {"seconds": 2.0}}
    low = client.submit(
        JobSpec(
            dataset="digits",
            baseline=None,
            searches=[slow],
            tuning={"trials": 1},
            measuring={"min_replicates": 8, "max_replicates": 8},
        )
    )
    until_measured(low, 2)
    high = client.submit(SPEC.model_copy(update={"priority": 10}))
    assert high.wait(LIMIT) is JobState.SUCCEEDED
    assert low.wait(LIMIT) is JobState.SUCCEEDED
    assert {str(m.outcome) for m in low.measurements()} == {"COMPLETED"}
    assert set(ended(low)) <= {"PAUSED", "COMPLETED"}


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_runner_that_was_frozen_over_its_lease_exits_and_leaves_nothing_behind(
    client: Client, stack: Stack
):
    job = client.submit(SPEC)
    until_measured(job, 3)
    frozen = _runner(str(job.name))
    os.kill(frozen, signal.SIGSTOP)
    try:
        end = time.monotonic() + LIMIT
        while job.refresh().attempt < 2:
            assert time.monotonic() < end, "its lease never ends"
            time.sleep(0.5)
    finally:
        if Path(f"/proc/{frozen}").exists():
            os.kill(frozen, signal.SIGCONT)
    end = time.monotonic() + 60
    while Path(f"/proc/{frozen}").exists():
        assert time.monotonic() < end, "the old runner lives on"
        time.sleep(0.2)
    assert job.wait(LIMIT) is JobState.SUCCEEDED
    dashboard = client.cluster_status().dashboard_address
    end = time.monotonic() + 60
    while any(a["name"] == f"tuner slot of {job.id}" for a in stack.actors(dashboard)):
        assert time.monotonic() < end, "slots were left behind"
        time.sleep(1.0)


def _runner(job: str) -> int:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes().decode().split("\0")
                variables = (entry / "environ").read_bytes().decode(errors="replace")
            except OSError:
                continue
            if "services.runner" in command and job in variables:
                return int(entry.name)
    raise AssertionError(f"{job} has no runner")
