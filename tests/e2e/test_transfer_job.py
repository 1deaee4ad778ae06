"""A network that one job kept serves a tiny data set in another, and in what that one keeps."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from tests.e2e.conftest import Stack
from tuner import Client
from tuner.client import Job
from tuner.datasets import registry
from tuner.datasets.base import Request
from tuner.learners import saved


def stripes(count: int = 80) -> tuple[np.ndarray, np.ndarray]:
    """Returns noisy images of stripes that lie or stand."""
    random = np.random.default_rng(3)
    y = np.arange(count) % 2
    lying = np.tile(np.arange(8)[:, None] // 2 % 2, (1, 8))
    x = np.where(y[:, None, None] == 1, lying.T, lying) + 0.2 * random.normal(size=(count, 8, 8))
    return x.astype(np.float32), y


def test_a_kept_network_serves_another_data_set(
    digits_job: Job, client: Client, stack: Stack, tmp_path: Path
):
    small = {
        "margin": 0.2,
        "metric": "error",
        "tuning": {"trials": 1},
        "measuring": {"min_replicates": 2, "max_replicates": 2},
        "baseline": None,
    }
    folder = tmp_path / "digits-cnn"
    choice = [digits_job.id, "cnn/depth", "--level", "4"]
    done = stack.tuner("export", *choice, "--output", str(folder))
    assert done.returncode == 0, done.stderr

    x, y = stripes()
    np.savez(tmp_path / "stripes.npz", x=x, y=y)
    transfer = {
        "learner": "deep_features",
        "levels": [1, 3],
        "space": {"pretrained": "kept", "grid": 2},
        "model": "digits-cnn",
    }
    spec = {
        **small,
        "dataset": "npz:stripes.npz",
        "searches": [transfer, {**transfer, "levels": [2, 5], "key": "too-deep"}],
    }
    (tmp_path / "transfer.yaml").write_text(json.dumps(spec))
    job = client.submit(tmp_path / "transfer.yaml")
    curve = job.result().curves["deep_features/depth"]
    assert [row.replicates for row in curve.levels] == [2, 2]
    assert all(row.score < 0.2 for row in curve.levels), curve.levels
    [deep] = [s for s in job.refresh().searches if s.key == "too-deep"]
    assert deep.state == "FAILED"
    assert "the network has 4 convolutions; depth is 5" in deep.reason

    # What came of it is kept with all that went into it, and needs no other model.
    client.export(job, "deep_features/depth", level=1).save(tmp_path / "stripes-model")
    about = json.loads((tmp_path / "stripes-model" / "model.json").read_text())
    images = registry.load("npz", Request(path=tmp_path / "stripes.npz"))
    assert about["trained_on"] == [images.digest, registry.load("digits").digest]
    found = saved.load(tmp_path / "stripes-model").predict(images.x)
    assert np.mean(found.argmax(axis=1) == images.y) > 0.9
