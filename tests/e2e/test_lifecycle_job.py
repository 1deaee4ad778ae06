"""A job that is paused, resumed and extended on a real cluster, and one that is stopped."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.e2e.conftest import Stack, wait_until
from tuner import Client, JobSpec
from tuner.client import Job, JobStateChanged
from tuner.jobs import JobExtended
from tuner.record import Conclusion, Measurement, record_digest

SPEC = JobSpec(
    dataset="digits",
    margin=0.02,
    searches=[
        {"learner": "simulated", "axis": "depth", "levels": (1, 2, 4), "space": {"seconds": 0.4}},
        {"learner": "forest", "levels": (1, 4, 16)},
    ],
    tuning={"trials": 4, "generation": 2},
    measuring={"min_replicates": 4, "max_replicates": 6},
)


def measured(job: Job, sequence: int, count: int) -> int:
    """Waits for so many further measurements."""
    seen: list[str] = []

    def enough(what: object) -> bool:
        if isinstance(what, Measurement):
            seen.append(what.id)
        return len(seen) >= count

    return wait_until(job, enough, sequence)


def becomes(job: Job, sequence: int, state: str) -> int:
    return wait_until(
        job, lambda what: isinstance(what, JobStateChanged) and what.state == state, sequence
    )


@pytest.mark.slow
def test_a_job_that_rested_has_the_record_of_one_that_did_not_and_grows_on_it(
    client: Client, stack: Stack
) -> None:
    job = client.submit(SPEC, job_id="resting")
    assert job.result().state == "SUCCEEDED"
    undisturbed = list(job.measurements())
    job.delete()

    job = client.submit(SPEC, job_id="resting")
    sequence = measured(job, 0, 6)
    assert job.pause().state == "PAUSING"
    sequence = becomes(job, sequence, "PAUSED")
    assert job.refresh().slots_held == 0
    job.resume()
    sequence = measured(job, sequence, 6)
    assert job.result().state == "SUCCEEDED"
    before = list(job.measurements())
    assert record_digest(before) == record_digest(undisturbed)

    last = job.status.last_sequence
    job.extend(levels={"forest/trees": [64]}, replicates=8)
    result = job.result()
    assert result.state == "SUCCEEDED"
    after = list(job.measurements())
    assert Counter(m.id for m in after).most_common(1)[0][1] == 1
    assert after[: len(before)] == before
    assert {m.level for m in after if m.search == "forest/trees"} >= {1, 4, 16, 64}
    assert [row.level for row in result.curves["forest/trees"].levels] == [1, 4, 16, 64]
    assert any(isinstance(event.what, JobExtended) for event in job.watch(last))


@pytest.mark.slow
def test_a_job_that_is_stopped_concludes_with_what_it_knows(client: Client, stack: Stack) -> None:
    spec = SPEC.model_copy(update={"name": "stopped"})
    job = client.submit(spec)
    sequence = measured(job, 0, 4)
    assert job.stop().state == "STOPPING"
    result = job.result()
    assert (result.state, job.status.reason.startswith("stopped by ")) == ("SUCCEEDED", True)
    conclusions = {step.search: step.conclusion for step in job.plan() if step.conclusion}
    assert set(conclusions) == {"simulated/depth", "forest/trees", "perceptron"}
    assert Conclusion.STOPPED in conclusions.values()
    known = len(job.measurements())

    # Paused, then stopped: a runner is begun for nothing but the conclusion.
    job = job.clone()
    sequence = measured(job, 0, 4)
    job.pause()
    becomes(job, sequence, "PAUSED")
    job.stop()
    assert job.result().state == "SUCCEEDED"
    assert job.refresh().attempt == 2
    assert known > 0
