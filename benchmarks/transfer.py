"""What a network that was trained on other images is worth to a tiny set.

    python benchmarks/transfer.py [FOLDER OF MNIST]

The digits 0 to 4 of MNIST, 6,000 images, train a `cnn`; forty images of 5 to 9 are the tiny
set. `deep_features` cuts the kept network after 1 to 4 convolutions; beside it stand networks
trained on the forty alone, and learners that start from nothing. All settings are defaults.
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy and torch are loaded
sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np

from tuner import catalog, scoring
from tuner.catalog import Value
from tuner.datasets import registry as sources
from tuner.datasets.base import Data, Fold, Request
from tuner.datasets.splits import Splits
from tuner.learners import registry
from tuner.learners.base import Device, Learner
from tuner.learners.deep_features import DeepFeatures
from tuner.learners.samples import first_examples
from tuner.spec import Split

IMAGES, TRAINED_ON, TESTED_ON, REPLICATES = 40, 6_000, 2_000, 10

SOURCE = {"depth": 4, "filters": 16, "epochs": 4}


def defaults(name: str, **changes: Value) -> dict[str, Value]:
    known = catalog.LEARNERS[name].hyperparameters
    return {key: entry.default for key, entry in known.items()} | changes


def some(data: Data, low: int, count: int) -> Data:
    """Returns the first images of five of the ten digits, without the test part."""
    chosen = np.flatnonzero((data.y >= low) & (data.y < low + 5))[:count]
    classes = tuple(data.classes[low : low + 5])
    return replace(
        data, x=data.x[chosen], y=data.y[chosen] - low, classes=classes, x_test=None, y_test=None
    )


def errors(learner: Learner, setting: dict[str, Value], folds: list[Fold]) -> list[float]:
    found = []
    for fold in folds:
        model = learner.train(setting, fold, Device())
        found.append(scoring.scores(model.predict(fold.x_score), fold.y_score)["error"])
    return found


def main() -> None:
    path = Path(sys.argv[1] if len(sys.argv) > 1 else "../shared/data/mnist")
    mnist = sources.load("idx", Request(path=path))
    source = Splits(some(mnist, 0, TRAINED_ON), Split(), 0).whole()
    kept = registry.get("cnn").train(defaults("cnn", **SOURCE), source, Device())
    splits = Splits(some(mnist, 5, TESTED_ON + 2_000), Split(test_fraction=0.5), 0)
    folds = [first_examples(splits.measuring(r), IMAGES) for r in range(REPLICATES)]
    transfer, rows = DeepFeatures().with_model(kept), []
    for depth in (1, 2, 3, 4):
        for pretrained in ("kept", "own"):
            setting = defaults("deep_features", depth=depth, pretrained=pretrained)
            rows.append((f"{pretrained}, depth {depth}", errors(transfer, setting, folds)))
    for name in ("cnn", "svm", "logistic"):
        rows.append((name, errors(registry.get(name), defaults(name), folds)))
    print(f"error on 5 to 9 of MNIST from {IMAGES} images, {REPLICATES} replicates")
    for name, found in rows:
        spread = np.std(found, ddof=1) / np.sqrt(len(found))
        print(f"{name:16} {np.mean(found):.3f} +- {spread:.3f}")


if __name__ == "__main__":
    main()
