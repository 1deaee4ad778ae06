"""Verbs on a job that runs, on the real stack: its record is that of one left alone."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.conftest import Stack, after_more, wait_until
from tuner import Client, JobSpec
from tuner.client import Job
from tuner.jobs import JobExtended, JobState, JobStateChanged, RunnerEnded
from tuner.record import Conclusion, StepKind, record_digest

SPEC = JobSpec(
    dataset="digits",
    margin=0.02,
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
SEARCHES = {"simulated/depth", "forest/trees", "perceptron"}
LIMIT = 240.0


def until(met: Callable[[], object], complaint: str, seconds: float = LIMIT) -> None:
    """Looks until the condition, of which nothing brings news, is met."""
    end = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < end, complaint
        time.sleep(0.2)


def becomes(job: Job, sequence: int, *states: JobState) -> int:
    """Waits for one of the states."""
    return wait_until(
        job, lambda what: isinstance(what, JobStateChanged) and what.state in states, sequence
    )


def ended(job: Job) -> list[str]:
    """Returns how the job's attempts have ended."""
    return [e.what.outcome for e in job.watch() if isinstance(e.what, RunnerEnded)]


def by_search(job: Job) -> list[object]:
    return sorted(job.plan(), key=lambda s: (s.search, s.number))


def test_a_stop_lets_what_runs_finish_and_concludes_on_what_is_known(client: Client):
    job = client.submit(SPEC)
    after_more(job, 0, 3)
    assert job.stop().state is JobState.STOPPING
    assert job.wait(LIMIT) is JobState.SUCCEEDED
    assert job.status.reason.startswith("stopped by ")
    ends = {s.search: s for s in job.plan() if s.kind is StepKind.CONCLUDE}
    assert set(ends) == SEARCHES
    assert Conclusion.STOPPED in {s.conclusion for s in ends.values()}
    stopped = [s for s in ends.values() if s.conclusion is Conclusion.STOPPED]
    assert all("stopped by" in s.decision for s in stopped)
    assert ended(job) == ["COMPLETED"]
    assert set(job.curves()) == SEARCHES
    measured = len(job.measurements())
    # Once it has ended it is a no-op.
    job.stop()
    assert job.state is JobState.SUCCEEDED
    assert len(job.measurements()) == measured


@pytest.mark.slow
def test_a_paused_job_that_is_stopped_has_a_runner_for_nothing_but_the_conclusion(client: Client):
    job = client.submit(SPEC)
    sequence = after_more(job, 0, 4)
    job.pause()
    becomes(job, sequence, JobState.PAUSED)
    job.stop()
    assert job.result().state == "SUCCEEDED"
    assert job.refresh().attempt == 2
    conclusions = {s.search: s.conclusion for s in job.plan() if s.conclusion}
    assert set(conclusions) == SEARCHES
    assert Conclusion.STOPPED in conclusions.values()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_job_that_paused_and_was_extended_has_the_record_of_one_left_alone(client: Client):
    more = {"depth": [16], "forest/trees": [64]}
    job = client.submit(SPEC, job_id="paused")
    assert job.wait(LIMIT) is JobState.SUCCEEDED
    first = list(job.measurements())
    job.extend(replicates=8, levels=more)
    assert job.wait(LIMIT) is JobState.SUCCEEDED
    undisturbed, steps = list(job.measurements()), by_search(job)
    job.delete()

    job = client.submit(SPEC, job_id="paused")
    sequence = after_more(job, 0, 5)
    assert job.pause().state is JobState.PAUSING
    sequence = becomes(job, sequence, JobState.PAUSED)
    assert job.refresh().slots_held == 0
    assert "paused by" in job.status.reason
    there = len(job.measurements())
    time.sleep(2.0)
    assert len(job.measurements()) == there, "something runs on"
    job.resume()
    after_more(job, sequence, 6)
    assert job.wait(LIMIT) is JobState.SUCCEEDED
    before = list(job.measurements())
    assert record_digest(before) == record_digest(first)

    last = job.status.last_sequence
    job.extend(replicates=8, levels=more)
    sequence = after_more(job, last, len(undisturbed) - len(before) - 2)
    if job.refresh().state is JobState.RUNNING:
        job.pause()
        becomes(job, sequence, JobState.PAUSED, JobState.SUCCEEDED)
        job.resume()
    assert job.wait(LIMIT) is JobState.SUCCEEDED
    again = list(job.measurements())
    assert again[: len(before)] == before
    assert Counter(m.id for m in again) == Counter(m.id for m in undisturbed)
    assert Counter(m.id for m in again).most_common(1)[0][1] == 1
    assert record_digest(again) == record_digest(undisturbed)
    assert by_search(job) == steps
    assert set(ended(job)) == {"PAUSED", "COMPLETED"}
    assert any(isinstance(event.what, JobExtended) for event in job.watch(last))
    # Both conclusions stay, the earlier as a decision of its time.
    ends = Counter(s.search for s in job.plan() if s.kind is StepKind.CONCLUDE)
    assert ends == dict.fromkeys(SEARCHES, 2)
    curves = job.curves()
    assert {m.level for m in again if m.search == "forest/trees"} >= {1, 4, 16, 64}
    assert [row.level for row in curves["forest/trees"].levels] == [1, 4, 16, 64]
    curve = curves["simulated/depth"]
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
    after_more(low, 0, 2)
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
    after_more(job, 0, 3)
    frozen = stack.find("services.runner", environment=str(job.name))
    os.kill(frozen, signal.SIGSTOP)
    try:
        until(lambda: job.refresh().attempt > 1, "its lease never ends")
    finally:
        if Path(f"/proc/{frozen}").exists():
            os.kill(frozen, signal.SIGCONT)
    until(lambda: not Path(f"/proc/{frozen}").exists(), "the old runner lives on", 60)
    assert job.wait(LIMIT) is JobState.SUCCEEDED
    dashboard = client.cluster_status().dashboard_address
    name = f"tuner slot of {job.id}"
    until(
        lambda: not any(a["name"] == name for a in stack.actors(dashboard)),
        "slots were left behind",
        60,
    )
