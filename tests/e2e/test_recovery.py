"""Kills in mid-job leave the record of an undisturbed run."""

from __future__ import annotations

import os
import signal
from collections import Counter

from tests.e2e.conftest import Stack, after_more
from tuner import Client, JobSpec
from tuner.record import PacketAttempt, record_digest

SPEC = JobSpec(
    dataset="digits",
    margin=0.02,
    searches=[
        {
            "learner": "simulated",
            "axis": "depth",
            "levels": (1, 2, 4, 8, 16),
            "space": {"seconds": 0.4},
        },
        {"learner": "cnn", "levels": (1, 2), "space": {"epochs": 2, "filters": 4}},
        {"learner": "forest", "levels": (1, 4, 16)},
    ],
    tuning={"trials": 4, "generation": 2},
    measuring={"min_replicates": 4, "max_replicates": 6},
)


def test_two_killed_runners_and_a_killed_coordinator_change_nothing(client: Client, stack: Stack):
    job = client.submit(SPEC, job_id="twin")
    assert job.result().state == "SUCCEEDED"
    undisturbed = list(job.measurements())
    steps = list(job.plan())
    job.delete()

    job = client.submit(SPEC, job_id="twin")
    sequence = after_more(job, 0, 6)
    stack.kill("services.runner", environment=str(job.name))
    sequence = after_more(job, sequence, 6)
    stack.kill("services.coordinator")
    stack.up()
    job = client.get_job("twin")
    sequence = after_more(job, sequence, 6)
    stack.kill("services.runner", environment=str(job.name))
    result = job.result()

    assert result.state == "SUCCEEDED"
    again = list(job.measurements())
    assert Counter(m.id for m in again) == Counter(m.id for m in undisturbed)
    assert record_digest(again) == record_digest(undisturbed)
    by_search = sorted(job.plan(), key=lambda s: (s.search, s.number))
    assert by_search == sorted(steps, key=lambda s: (s.search, s.number))
    events = [event.sequence for event in job.watch()]
    assert events == list(range(1, len(events) + 1))
    assert job.refresh().attempt == 3


def test_a_killed_slot_loses_no_packet_and_is_named_by_its_job(client: Client, stack: Stack):
    search = {"learner": "simulated", "axis": "depth", "levels": (1, 2), "space": {"seconds": 1.5}}
    tuning = {"trials": 4, "generation": 4}
    job = client.submit(JobSpec(dataset="digits", searches=[search], tuning=tuning, baseline=None))
    after_more(job, 0, 1)
    actors = stack.actors(client.cluster_status().dashboard_address)
    slots = [actor["pid"] for actor in actors if actor["name"] == f"tuner slot of {job.id}"]
    assert slots
    os.kill(slots[0], signal.SIGKILL)
    assert job.result().state == "SUCCEEDED"
    outcomes = Counter(e.what.outcome for e in job.watch() if isinstance(e.what, PacketAttempt))
    assert outcomes["LOST"] == 1
    assert {m.outcome for m in job.measurements()} == {"COMPLETED"}
    assert job.refresh().attempt == 1  # the runner lived on
