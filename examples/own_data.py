"""Searches your own data: writes it as an NPZ archive, submits it, prints what is enough.

tuner up                          # or name a coordinator with TUNER_ADDRESS and TUNER_TOKEN
python examples/own_data.py       # --quick for a smaller job

The archive holds `x` (one row an example: numbers, or images of height and width) and `y` (its
class), and `x_test` and `y_test` where there is a test part of its own. The client uploads it.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np

from tuner import Client, JobSpec, Measuring, Search, Tuning


def write_spirals(file: Path, examples: int) -> None:
    """Writes two classes that wind around each other, in a plane and eight useless features."""
    chance = np.random.default_rng(0)
    y = chance.integers(0, 2, examples)
    turn = chance.uniform(0.5, 2.5, examples)
    angle = 2 * np.pi * turn + np.pi * y
    plane = np.stack([turn * np.cos(angle), turn * np.sin(angle)], axis=1)
    plane += chance.normal(scale=0.12, size=plane.shape)
    x = np.hstack([plane, chance.normal(size=(examples, 8))]).astype(np.float32)
    np.savez_compressed(file, x=x, y=y)


def main() -> int:
    parser = argparse.ArgumentParser(description="Searches data of one's own.")
    parser.add_argument("--quick", action="store_true", help="fewer examples, trees and trials")
    quick = parser.parse_args().quick

    with tempfile.TemporaryDirectory() as folder, Client() as client:
        file = Path(folder) / "spirals.npz"
        write_spirals(file, 600 if quick else 2000)
        spec = JobSpec(
            name="spirals",
            dataset=f"npz:{file}",
            margin=0.01,
            searches=[
                Search(
                    "forest",
                    axis="trees",
                    levels=[1, 4, 16, 64] if quick else [1, 4, 16, 64, 256, 1024],
                    space={"max_features": {"low": 0.1, "high": 1.0}, "min_samples_leaf": 1},
                )
            ],
            tuning=Tuning(trials=2, generation=2) if quick else Tuning(),
            measuring=Measuring(max_replicates=6) if quick else Measuring(),
        )
        job = client.submit(spec)  # the archive is uploaded here, and may be removed after
        print(f"submitted {job.name}")
        result = job.result()

    curve = result.curves["forest/trees"]
    print(
        f"{curve.verdict.outcome}: {curve.verdict.reason}" if curve.verdict else job.status.reason
    )
    for sentence in curve.verdict.missing if curve.verdict else ():
        print(f"  missing: {sentence}")
    baseline = result.curves["perceptron"]
    if baseline.levels:
        score = baseline.levels[0].score
        print(f"the baseline, a perceptron, has {baseline.metric} {score:.4f}")
    return 0 if result.state == "SUCCEEDED" else 1


if __name__ == "__main__":
    sys.exit(main())
