"""MNIST from its IDX files, as the issue of the main job asks: under 20 minutes, under 3 %."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tuner import JobSpec

MNIST = Path(__file__).parents[3] / "shared" / "data" / "mnist"


@pytest.mark.slow
@pytest.mark.timeout(1500)
@pytest.mark.skipif(not MNIST.is_dir(), reason=f"MNIST's IDX files are not at {MNIST}")
def test_depth_one_to_eight_on_six_thousand_images(client):
    job = client.submit(
        JobSpec(
            name="mnist",
            dataset=f"idx:{MNIST}",
            split={"train_limit": 6000},
            margin=0.005,
            searches=[{"learner": "cnn", "axis": "depth", "levels": (1, 2, 4, 8)}],
            tuning={"trials": 4, "generation": 2},
            measuring={"min_replicates": 4, "max_replicates": 10},
        )
    )
    start = time.monotonic()
    result = job.result()
    minutes = (time.monotonic() - start) / 60
    curve = result.curves["cnn/depth"]
    best = min(row.score for row in curve.levels if row.score is not None)
    print(f"{minutes:.1f} minutes, best test error {best:.4f}, {curve.verdict}")
    assert result.state == "SUCCEEDED"
    assert best < 0.03
    assert minutes < 20
