"""A job whose data changed between two attempts: the real runner ends it, and says why."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from coordinator_harness import House

from services.runner import facts
from services.runner.link import CoordinatorLink
from tuner.datasets import registry as datasets
from tuner.datasets.splits import Splits
from tuner.jobs import DatasetFacts
from tuner.predictions import Truth
from tuner.spec import JobSpec
from tuner.v1 import runner_service_pb2 as rpb
from tuner.wire.artifacts import TRUTH
from tuner.wire.jobs import facts_to_wire, job_from_wire
from tuner.wire.names import JobName

SEARCH = {"learner": "forest", "axis": "trees", "levels": [1, 4, 16]}
OLD = DatasetFacts("d1" * 32, 1000, 250, 10, 64)


async def run_runner(house: House, job: str, code: str) -> str:
    """Runs the runner's own process to its end; returns what it told."""
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith(("TUNER_", "RAY_"))},
        "TUNER_RUNNER_COORDINATOR": house.coordinator.address,
        "TUNER_RUNNER_JOB": job,
        "TUNER_RUNNER_CODE": code,
        # Nothing is there: a runner that went on to plan would fail otherwise than expected.
        "TUNER_RUNNER_RAY_ADDRESS": "127.0.0.1:1",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.runner",
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await asyncio.wait_for(process.communicate(), 120)
    return out.decode()


async def test_other_data_at_a_later_attempt_ends_the_job(house: House) -> None:
    job = await house.create()
    first = await house.enrol(job.name)
    request = rpb.DescribeDatasetRequest(attempt=first.attempt, facts=facts_to_wire(OLD))
    await first.stub.DescribeDataset(request, metadata=first.metadata)
    first.gateway.end(first.submission.id)
    submission = await house.submission(job.name, 2)
    log = await run_runner(house, job.name, submission.code)
    ended = job_from_wire(await house.reaches(job.name, "FAILED"))
    assert ended.reason.startswith("dataset: the data changed since the job began: "), log
    assert "1000 examples" in ended.reason
    assert "1797" in ended.reason
    assert ended.dataset == OLD
    assert ended.attempt == 2


async def test_what_a_runner_tells_of_its_data_is_the_jobs(house: House) -> None:
    """The real link, and the truth that it attaches."""
    job = await house.create()
    submission = await house.submission(job.name)
    data, spec = datasets.load("digits"), JobSpec.parse({"dataset": "digits", "searches": [SEARCH]})

    def tell() -> None:
        link = CoordinatorLink(house.coordinator.address, job.name, 10.0)
        link.enrol(submission.code)
        facts.tell(spec, data, link)
        facts.tell(spec, data, link)  # a later attempt says the same
        link.close()

    await asyncio.to_thread(tell)
    told = job_from_wire(await house.get(job.name)).dataset
    assert told is not None
    splits = Splits(data, spec.split, spec.seed)
    assert told == facts.facts_of(data, splits)
    assert (told.examples, told.classes, told.features) == (1797, 10, 64)
    assert told.test_examples == len(splits.truth.y)
    assert told.notes[0].startswith("Few test cases")
    (kept,) = house.store.artifacts(JobName.parse(job.name))
    assert kept.name == TRUTH
    with house.coordinator.core.artifacts.open(kept.sha256) as file:
        truth = Truth.from_bytes(file.read())
    assert (truth.rows == splits.truth.rows).all()


async def test_a_job_that_keeps_no_predictions_keeps_no_truth(house: House) -> None:
    job = await house.create()
    submission = await house.submission(job.name)
    spec = JobSpec.parse(
        {"dataset": "digits", "searches": [SEARCH], "measuring": {"predictions": False}}
    )

    def tell() -> None:
        link = CoordinatorLink(house.coordinator.address, job.name, 10.0)
        link.enrol(submission.code)
        facts.tell(spec, datasets.load("digits"), link)
        link.close()

    await asyncio.to_thread(tell)
    assert job_from_wire(await house.get(job.name)).dataset is not None
    assert house.store.artifacts(JobName.parse(job.name)) == []


async def test_a_link_attaches_files_and_bytes(house: House, tmp_path: Path) -> None:
    job = await house.create()
    submission = await house.submission(job.name)
    file = tmp_path / "weights"
    file.write_bytes(os.urandom(3 * 2**20 + 5))

    def attach() -> None:
        link = CoordinatorLink(house.coordinator.address, job.name, 10.0)
        link.enrol(submission.code)
        link.attach("model/weights", file)
        link.attach("model/card.md", b"a card")
        link.attach("empty", b"")
        link.close()

    await asyncio.to_thread(attach)
    found = house.store.artifacts(JobName.parse(job.name))
    assert [(a.name, a.size_bytes) for a in found] == [
        ("empty", 0),
        ("model/card.md", 6),
        ("model/weights", 3 * 2**20 + 5),
    ]
    with house.coordinator.core.artifacts.open(found[2].sha256) as stored:
        assert stored.read() == file.read_bytes()
