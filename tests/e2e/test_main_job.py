"""The way of a job on a real cluster, from a spec to its verdicts."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest

from tests.e2e.conftest import Stack, wait_until
from tuner import JobSpec, TunerError
from tuner.client import Job
from tuner.record import Measurement, Phase

SIMULATED = {"learner": "simulated", "axis": "depth", "levels": [1, 2, 4, 8, 16]}


def simulated(**space: float) -> dict:
    return {**SIMULATED, "space": space}


def test_depth_filters_and_trees_of_digits(digits_job: Job, stack: Stack, tmp_path: Path):
    job = digits_job
    result = job.result()
    assert result.state == "SUCCEEDED"
    assert set(result.curves) == {"cnn/depth", "cnn/filters", "forest/trees", "perceptron"}
    trees = result.curves["forest/trees"]
    assert trees.metric == "brier"
    scores = [trees.at(level).score for level in (1, 4, 16, 64)]
    assert scores == sorted(scores, reverse=True)
    for curve in result.curves.values():
        assert curve.state == "CONCLUDED"
        assert all(row.replicates >= 4 for row in curve.levels)
        assert all(row.standalone_device_seconds > 0 for row in curve.levels)
        assert all(row.parameters > 0 for row in curve.levels)
    billed = sum(row.billed_device_seconds for c in result.curves.values() for row in c.levels)
    assert result.spent_device_seconds == pytest.approx(billed, rel=1e-6)

    report = json.loads(stack.tuner("report", job.id, "-o", "json").stdout)
    assert report["state"] == "SUCCEEDED"
    assert {s["axis"] for s in report["searches"]} == {"depth", "filters", "trees"}
    assert report["data"]["examples"] == 1797
    assert any("Few test cases" in note for note in report["data"]["notes"])

    # Every verdict can be taken again under another metric, from what was predicted.
    other = job.curves(metric="log_loss", margin=0.1)
    for key, curve in result.curves.items():
        assert other[key].metric == "log_loss"
        rows = [m for m in job.measurements(key) if m.phase is Phase.MEASURING]
        for row in curve.levels:
            told = [m.scores["log_loss"] for m in rows if m.level == row.level]
            assert other[key].at(row.level).score == pytest.approx(np.mean(told), rel=1e-5)
            assert other[key].at(row.level).setting == row.setting
    predictions = job.predictions("forest/trees")
    assert predictions.truth.classes == tuple("0123456789")
    for m, p in predictions.rows:
        error = np.mean(p.argmax(axis=1) != predictions.truth.y)
        assert error == pytest.approx(m.scores["error"])
    shown = stack.tuner("curves", job.id, "--metric", "auc", "--margin", "0.02", "-o", "json")
    assert {s["metric"] for s in json.loads(shown.stdout)} == {"auc"}
    folder = tmp_path / "predictions"
    assert stack.tuner("predictions", job.id, "cnn/depth", "-o", str(folder)).returncode == 0
    found = np.load(next(folder.glob("level-1-*.npy")), allow_pickle=False)
    assert found.shape == (report["data"]["test_examples"], 10)

    log = stack.tuner("logs", job.id).stdout
    assert "cnn/depth #1" in log
    assert "every search has concluded" in log


def test_a_known_truth_is_found_and_a_failing_search_fails_alone(client):
    job = client.submit(
        JobSpec(
            dataset="digits",
            margin=0.02,
            searches=[
                simulated(noise=0.002),
                {**simulated(failures=1.0), "key": "hopeless"},
            ],
            tuning={"trials": 2, "generation": 2},
        )
    )
    result = job.result()
    assert result.state == "SUCCEEDED"
    verdict = result.curves["simulated/depth"].verdict
    assert (verdict.outcome, verdict.level) == ("PLATEAUED", 4)
    hopeless = result.curves["hopeless"]
    assert hopeless.state == "FAILED"
    assert "DIVERGED" in hopeless.state_reason
    outcomes = {m.outcome for m in job.measurements() if m.search == "hopeless"}
    assert outcomes == {"DIVERGED"}  # negative results stay in the record


def test_cancel_ends_within_ten_seconds_and_keeps_what_was_measured(client):
    job = client.submit(
        JobSpec(dataset="digits", searches=[simulated(seconds=0.5, noise=0.1)], baseline=None)
    )
    seen = []

    def measured(what: object) -> bool:
        if isinstance(what, Measurement):
            seen.append(what.id)
        return len(seen) >= 3

    wait_until(job, measured)
    before = {m.id for m in job.measurements()}
    start = time.monotonic()
    job.cancel()
    job.wait(timeout=20)
    assert time.monotonic() - start < 10
    assert job.state == "CANCELLED"
    after = {m.id for m in job.measurements()}
    assert before <= after
    job.cancel()  # on something finished it is a no-op
    assert job.refresh().state == "CANCELLED"


@pytest.mark.slow
def test_uploaded_data_is_judged_before_anything_runs(client, tmp_path: Path):
    file = tmp_path / "one_class.npz"
    np.savez(file, x=np.zeros((50, 4), np.float32), y=np.zeros(50, np.int64))
    job = client.submit(JobSpec(dataset=f"npz:{file}", searches=[{"learner": "forest"}]))
    job.wait(timeout=60)
    assert job.state == "FAILED"
    reason = job.refresh().reason
    assert "dataset" in reason
    assert "class" in reason
    assert list(job.measurements()) == []


@pytest.mark.slow
def test_uploaded_data_runs(client, tmp_path: Path):
    chance = np.random.default_rng(0)
    x = chance.normal(size=(400, 5)).astype(np.float32)
    y = (x[:, 0] * x[:, 1] > 0).astype(np.int64)
    file = tmp_path / "product.npz"
    np.savez(file, x=x, y=y)
    job = client.submit(
        JobSpec(
            dataset=f"npz:{file}",
            margin=0.05,
            searches=[
                {"learner": "forest", "levels": (1, 8, 64)},
                {"learner": "cnn", "levels": (1, 2), "key": "refused"},
            ],
            tuning={"trials": 2, "generation": 2},
            measuring={"min_replicates": 4, "max_replicates": 4},
        )
    )
    result = job.result()
    assert result.state == "SUCCEEDED"
    assert result.curves["refused"].state == "FAILED"
    assert "can't learn from this data" in result.curves["refused"].state_reason
    phases = {m.phase for m in job.measurements() if m.search == "forest/trees"}
    assert phases == {Phase.TUNING, Phase.MEASURING}


def test_a_bad_spec_is_refused_with_its_fields(client):
    with pytest.raises(TunerError) as caught:
        client.submit({"dataset": "digits", "searches": [{"learner": "cnn", "axis": "trees"}]})
    assert caught.value.status == "INVALID_ARGUMENT"
    assert [v.field for v in caught.value.violations] == ["searches[0].axis"]
