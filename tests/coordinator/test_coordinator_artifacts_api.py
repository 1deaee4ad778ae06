"""What a runner attaches to its job, what people get of it, and curves under another metric."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest
from coordinator_harness import AUTH, House, Runner, attach, digest, refusal

from tuner import scoring
from tuner.errors import Status
from tuner.jobs import DatasetFacts
from tuner.predictions import Truth, encode
from tuner.record import Measurement, Outcome, Phase, Place
from tuner.v1 import runner_service_pb2 as rpb
from tuner.v1 import tuner_service_pb2 as pb
from tuner.wire.artifacts import TRUTH, artifact_from_wire, predictions_name
from tuner.wire.curve import curve_from_wire
from tuner.wire.jobs import facts_to_wire, job_from_wire

FACTS = DatasetFacts("d1" * 32, 1797, 450, 10, 64, ("Few test cases.",))
CHANCE = np.random.default_rng(0)


async def describe(runner: Runner, facts: DatasetFacts) -> rpb.DescribeDatasetResponse:
    request = rpb.DescribeDatasetRequest(attempt=runner.attempt, facts=facts_to_wire(facts))
    return await runner.stub.DescribeDataset(request, metadata=runner.metadata)


async def download(house: House, job: str, sha256: str) -> bytes:
    request = pb.DownloadBlobRequest(name=job, sha256=sha256)
    return b"".join([m.chunk async for m in house.stub.DownloadBlob(request, metadata=AUTH)])


async def listed(house: House, job: str, page: int = 0) -> list:
    found, token = [], ""
    while True:
        request = pb.ListArtifactsRequest(parent=job, page_size=page, page_token=token)
        answer = await house.stub.ListArtifacts(request, metadata=AUTH)
        found += map(artifact_from_wire, answer.artifacts)
        token = answer.next_page_token
        if not token:
            return found


async def test_what_is_attached_is_listed_and_comes_back(house: House) -> None:
    job = await house.create()
    runner = await house.enrol(job.name)
    content = bytes(range(256)) * 9000
    assert (await attach(runner, "model/weights", content, 2**20)).existed is False
    assert (await attach(runner, "model/weights", content)).existed is True
    await attach(runner, "empty", b"")
    assert await download(house, job.name, digest(content)) == content
    assert await download(house, job.name, digest(b"")) == b""
    for page in (0, 1):
        found = await listed(house, job.name, page)
        assert [(a.name, a.sha256, a.size_bytes) for a in found] == [
            ("empty", digest(b""), 0),
            ("model/weights", digest(content), len(content)),
        ]


async def test_only_the_jobs_own_files_come_out(house: House) -> None:
    one, two = await house.create(), await house.create()
    await attach(await house.enrol(one.name), "secret", b"secret")
    for job in (two.name, "namespaces/default/jobs/none"):
        error = await refusal(download(house, job, digest(b"secret")))
        assert error.status is Status.NOT_FOUND
    error = await refusal(download(house, one.name, "no digest"))
    assert error.status is Status.NOT_FOUND
    request = pb.DownloadBlobRequest(name=one.name, sha256=digest(b"secret"))
    error = await refusal(house.stub.DownloadBlob(request))
    assert error.status is Status.UNAUTHENTICATED
    error = await refusal(house.stub.ListArtifacts(pb.ListArtifactsRequest(parent=one.name)))
    assert error.status is Status.UNAUTHENTICATED


@pytest.mark.parametrize(
    "name", ["", "/etc/passwd", "../up", "a/../b", "a//b", ".hidden", "a" * 201]
)
async def test_names_that_could_lead_elsewhere_are_refused(house: House, name: str) -> None:
    job = await house.create()
    runner = await house.enrol(job.name)
    error = await refusal(attach(runner, name, b"x"))
    assert (error.status, error.violations[0].field) == (Status.INVALID_ARGUMENT, "header.name")
    assert await listed(house, job.name) == []


async def test_wrong_content_and_foreign_attempts_are_refused(house: House) -> None:
    job = await house.create()
    runner = await house.enrol(job.name)
    assert (await refusal(attach(runner, "x", b"abc", sha256="0" * 64))).reason == "DIGEST_MISMATCH"
    assert (await refusal(attach(runner, "x", b"abc", size_bytes=4))).reason == "SIZE_MISMATCH"
    await attach(runner, "x", b"abc")
    error = await refusal(attach(runner, "y", b"abc", size_bytes=4))
    assert error.violations[0].field == "header.size_bytes"
    error = await refusal(attach(runner, "z", b"x" * (2**20 + 1), 2**20 + 1))
    assert error.violations[0].field == "chunk"
    error = await refusal(runner.stub.AttachArtifact(iter([]), metadata=runner.metadata))
    assert error.violations[0].field == "header"
    first = rpb.AttachArtifactRequest(attempt=runner.attempt, chunk=b"x")
    error = await refusal(runner.stub.AttachArtifact(iter([first]), metadata=runner.metadata))
    assert error.violations[0].field == "header"
    for stranger in (replace(runner, metadata=()), replace(runner, metadata=AUTH)):
        error = await refusal(attach(stranger, "x", b"other"))
        assert error.status is Status.UNAUTHENTICATED
    assert [a.name for a in await listed(house, job.name)] == ["x"]
    runner.gateway.end(runner.submission.id)
    await house.enrol(job.name, 2)
    assert (await refusal(attach(runner, "late", b"late"))).reason == "STALE_ATTEMPT"


async def test_a_file_that_is_too_large_is_refused(house: House) -> None:
    await house.restart(max_blob_bytes=10)
    job = await house.create()
    error = await refusal(attach(await house.enrol(job.name), "x", b"x" * 11))
    assert (error.status, error.reason) == (Status.RESOURCE_EXHAUSTED, "BLOB_TOO_LARGE")


async def test_a_deleted_job_frees_what_only_it_referenced(house: House) -> None:
    one, two = await house.create(), await house.create()
    runners = [await house.enrol(job.name) for job in (one, two)]
    for runner in runners:
        await attach(runner, TRUTH, b"shared")
    await attach(runners[0], "own", b"own")
    has = house.coordinator.core.artifacts.has
    for job, runner, left in ((one, runners[0], True), (two, runners[1], False)):
        await runner.conclude()
        await runner.finish("COMPLETED")
        await house.reaches(job.name, "SUCCEEDED")
        await house.stub.DeleteJob(pb.DeleteJobRequest(name=job.name), metadata=AUTH)
        assert has(digest(b"shared")) is left
        assert not has(digest(b"own"))


async def test_facts_of_the_data_are_the_jobs_and_outlast_the_attempt(house: House) -> None:
    job = await house.create()
    assert job_from_wire(await house.get(job.name)).dataset is None
    runner = await house.enrol(job.name)
    assert (await describe(runner, FACTS)).existed is False
    assert job_from_wire(await house.get(job.name)).dataset == FACTS
    runner.gateway.end(runner.submission.id)
    second = await house.enrol(job.name, 2)
    assert (await describe(second, FACTS)).existed is True
    error = await refusal(describe(second, replace(FACTS, digest="e2" * 32)))
    assert (error.status, error.reason) == (Status.FAILED_PRECONDITION, "DATA_CHANGED")
    assert "the data changed since the job began" in error.message
    message = pb.ListJobsRequest(parent="namespaces/default")
    (found,) = (await house.stub.ListJobs(message, metadata=AUTH)).jobs
    assert job_from_wire(found).dataset == FACTS


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"digest": ""}, "facts.digest"),
        ({"test_examples": 0}, "facts.test_examples"),
        ({"test_examples": 1797}, "facts.test_examples"),
        ({"notes": ("x",) * 101}, "facts.notes"),
        ({"notes": ("x", "x" * 2001)}, "facts.notes[1]"),
    ],
)
async def test_facts_that_cannot_be_are_refused(house: House, changes: dict, field: str) -> None:
    job = await house.create()
    error = await refusal(describe(await house.enrol(job.name), replace(FACTS, **changes)))
    assert error.violations[0].field == field
    assert job_from_wire(await house.get(job.name)).dataset is None


# Curves under another metric


@dataclass
class Measured:
    """A job whose rows have predictions: `error` says level 2 is best, `brier` that 4 is."""

    name: str
    runner: Runner
    rows: list[Measurement]


EXAMPLES = 400
Y = np.arange(EXAMPLES) % 3
MISTAKES = {1: 120, 2: 20, 4: 22}
SURENESS = {1: 0.6, 2: 0.6, 4: 0.95}


def predict(level: int) -> np.ndarray:
    """Probabilities that are wrong so often, and so sure of themselves."""
    answers = Y.copy()
    wrong = CHANCE.permutation(EXAMPLES)[: MISTAKES[level] + int(CHANCE.integers(0, 4))]
    answers[wrong] = (answers[wrong] + 1) % 3
    p = np.full((EXAMPLES, 3), (1 - SURENESS[level]) / 2)
    p[np.arange(EXAMPLES), answers] = SURENESS[level]
    return p


async def measured(
    house: House, truth: bool = True, failed: Sequence[tuple[int, int]] = (), **changes: object
) -> Measured:
    job = await house.create(**changes)
    runner = await house.enrol(job.name)
    if truth:
        content = Truth(Y, np.arange(EXAMPLES), ("a", "b", "c")).to_bytes()
        await attach(runner, TRUTH, content)
    rows, parts = [], []
    for level in (1, 2, 4):
        rows.append(runner.row(level, 0, 0.3, phase=Phase.TUNING))
        for replicate in range(6):
            p = predict(level)
            row = replace(runner.row(level, replicate), scores=scoring.scores(p, Y))
            if (level, replicate) in failed:
                rows.append(replace(row, outcome=Outcome.DIVERGED, scores={}))
                continue
            offset = sum(map(len, parts))
            parts.append(encode(p))
            rows.append(row)
            rows[-1] = replace(row, predictions=Place("", offset, len(parts[-1])))
    blob = b"".join(parts)
    await attach(runner, predictions_name(digest(blob)), blob, 2**20)
    rows = [
        row
        if row.predictions is None
        else replace(row, predictions=replace(row.predictions, sha256=digest(blob)))
        for row in rows
    ]
    await runner.record(*rows)
    return Measured(job.name, runner, rows)


async def curve(house: House, name: str, **asked: object):
    request = pb.ListCurvesRequest(parent=name, **asked)
    (message,) = (await house.stub.ListCurves(request, metadata=AUTH)).curves
    return curve_from_wire(message)


async def test_a_verdict_is_taken_again_under_another_metric(house: House) -> None:
    job = await measured(house, margin=0.01)
    own = await curve(house, job.name)
    assert own.metric == "error"
    other = await curve(house, job.name, metric="brier", margin=0.02)
    assert (other.metric, other.direction, other.margin) == ("brier", "minimize", 0.02)
    for level in (1, 2, 4):
        scores = [
            r.scores["brier"] for r in job.rows if r.level == level and r.phase is Phase.MEASURING
        ]
        assert other.at(level).score == pytest.approx(np.mean(scores), abs=1e-6)
        assert other.at(level).setting == own.at(level).setting
        assert other.at(level).billed_device_seconds == own.at(level).billed_device_seconds
    assert own.at(4).score > own.at(2).score
    assert other.at(4).score < other.at(2).score
    assert "those chosen under error" in other.notes[0]
    rising = await curve(house, job.name, metric="auc")
    assert (rising.direction, rising.margin) == ("maximize", 0.01)
    # What the job itself says has not changed, in whatever order both are asked for.
    assert await curve(house, job.name) == own


async def test_under_the_jobs_own_metric_nothing_changes_but_the_margin(house: House) -> None:
    job = await measured(house)
    own = await curve(house, job.name)
    again = await curve(house, job.name, metric="error")
    assert [row.score for row in again.levels] == [row.score for row in own.levels]
    assert not any("chosen under" in note for note in again.notes)
    wide = await curve(house, job.name, margin=0.2)
    assert (wide.metric, wide.margin) == ("error", 0.2)
    assert [row.score for row in wide.levels] == [row.score for row in own.levels]


async def test_what_failed_stays_failed(house: House) -> None:
    job = await measured(house, failed=[(2, 0), (2, 3)])
    other = await curve(house, job.name, metric="brier")
    assert (other.at(2).replicates, other.at(2).failed) == (4, 2)


async def test_a_row_without_predictions_is_named(house: House) -> None:
    job = await house.create()
    runner = await house.enrol(job.name)
    await runner.record(*(runner.row(1, i) for i in range(4)))
    error = await refusal(curve(house, job.name, metric="brier"))
    assert (error.status, error.reason) == (Status.FAILED_PRECONDITION, "PREDICTIONS_MISSING")
    assert (
        "simulated/depth can't be scored by brier: level 1, replicate 0 and 3 more" in error.message
    )
    assert "without predictions" in error.message


async def test_a_learner_that_tells_a_score_itself_needs_no_predictions(house: House) -> None:
    job = await house.create()
    runner = await house.enrol(job.name)
    rows = [replace(runner.row(1, i), scores={"error": 0.1, "brier": 0.3}) for i in range(4)]
    await runner.record(*rows)
    assert (await curve(house, job.name, metric="brier")).at(1).score == pytest.approx(0.3)


async def test_a_store_that_lost_its_files_is_told(house: House) -> None:
    lost = await measured(house, truth=False)
    error = await refusal(curve(house, lost.name, metric="brier"))
    assert error.reason == "PREDICTIONS_MISSING"
    assert "truth.npz" in error.message
    job = await measured(house)
    blobs = house.settings.artifacts_path / "blobs"
    place = job.rows[-1].predictions
    assert place is not None
    shutil.rmtree(blobs / place.sha256[:2])
    error = await refusal(curve(house, job.name, metric="brier"))
    assert error.reason == "PREDICTIONS_MISSING"
    assert "can't be read" in error.message
    assert (await curve(house, job.name)).metric == "error"


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"metric": "mae"}, "metric"),
        ({"metric": "nonsense"}, "metric"),
        ({"metric": "os:system"}, "metric"),
        ({"metric": "brier", "margin": 0.0}, "margin"),
        ({"margin": float("nan")}, "margin"),
        ({"margin": float("inf")}, "margin"),
    ],
)
async def test_what_cannot_be_asked_is_refused(house: House, asked: dict, field: str) -> None:
    job = await house.create()
    error = await refusal(curve(house, job.name, **asked))
    assert (error.status, error.violations[0].field) == (Status.INVALID_ARGUMENT, field)


async def test_a_job_at_a_price_wants_a_margin_for_another_metric(house: House) -> None:
    job = await measured(house, worth={"gain": 0.01, "device_hours": 1.0})
    error = await refusal(curve(house, job.name, metric="brier"))
    assert error.violations[0].field == "margin"
    other = await curve(house, job.name, metric="brier", margin=0.05)
    assert (other.price, other.margin) == (0.0, 0.05)
    assert other.verdict is not None


async def test_a_verdict_can_be_asked_to_survive_other_examples(house: House) -> None:
    """The same means; wider bounds, for 400 examples are another source of luck."""
    job = await measured(house, margin=0.02)
    for metric in ("", "brier"):
        seeds = await curve(house, job.name, metric=metric)
        both = await curve(house, job.name, metric=metric, examples=True)
        assert both.metric == seeds.metric
        assert "over other test examples as well as other seeds" in " ".join(both.notes)
        assert "6 replicates crossed with 400 examples" in " ".join(both.notes)
        for level in (1, 2, 4):
            assert both.at(level).score == pytest.approx(seeds.at(level).score, abs=1e-6)
            assert both.at(level).billed_device_seconds == seeds.at(level).billed_device_seconds
            width = both.at(level).high - both.at(level).low
            assert width > seeds.at(level).high - seeds.at(level).low
    auc = await curve(house, job.name, metric="auc", examples=True)
    scores = [r.scores["auc"] for r in job.rows if r.level == 2 and r.phase is Phase.MEASURING]
    assert auc.at(2).score == pytest.approx(np.mean(scores), abs=1e-6)


async def test_over_examples_only_replicates_that_all_levels_completed_count(house: House) -> None:
    job = await measured(house, failed=[(2, 0), (4, 3)])
    both = await curve(house, job.name, examples=True)
    assert [row.replicates for row in both.levels] == [4, 4, 4]
    assert [row.failed for row in both.levels] == [0, 1, 1]
    assert "2 replicates that not every measured level completed are left out" in " ".join(
        both.notes
    )


async def test_over_examples_every_row_needs_its_predictions(house: House) -> None:
    job = await house.create()
    runner = await house.enrol(job.name)
    error = await refusal(curve(house, job.name, examples=True))
    assert (error.reason, "no replicate has completed" in error.message) == (
        "PREDICTIONS_MISSING",
        True,
    )
    await runner.record(*(runner.row(1, i) for i in range(4)))
    error = await refusal(curve(house, job.name, examples=True))
    assert "simulated/depth can't be scored by error: level 1, replicate 0" in error.message
