"""No silver bullet, at its smallest: XOR, which a line can't divide and a forest can."""

from __future__ import annotations

import numpy as np
import pytest

from tuner import catalog, scoring
from tuner.datasets.base import Fold
from tuner.learners import registry, samples
from tuner.learners.base import Device
from tuner.search.tuning import default_setting
from tuner.spec import Search

SEEDS = range(8)


def corners(seed: int, n: int = 400) -> Fold:
    """Returns points around the unit square's corners; the classes are the diagonals."""
    random = np.random.default_rng(seed)
    found = []
    for size in (n, 1000):
        corner = np.arange(size)[:, np.newaxis] // [1, 2] % 2
        x = corner + random.normal(0, 0.15, size=(size, 2))
        found += [x.astype(np.float32), (corner[:, 0] ^ corner[:, 1]).astype(np.int64)]
    x, y, x_score, y_score = found
    return Fold(0, seed, x, y, x_score, y_score, 2)


def accuracies(name: str) -> np.ndarray:
    known = catalog.LEARNERS[name]
    axis = known.usual_axis
    level = int(known.reference(axis) or 0) if axis else 1
    setting = default_setting(Search(name, axis=axis).ranges())
    found = []
    for seed in SEEDS:
        fold = corners(seed)
        packet = ([setting], [level], [fold], Device())
        [result] = samples.evaluate(registry.get(name), axis, *packet)
        assert result.predictions is not None, result.error
        found.append(scoring.scores(result.predictions, fold.y_score)["accuracy"])
    return np.array(found)


@pytest.mark.parametrize("name", ["perceptron", "logistic"])
def test_what_draws_a_line_is_no_better_than_chance(name: str) -> None:
    found = accuracies(name)
    half = 2.36 * found.std(ddof=1) / np.sqrt(len(found))  # Student's t, 7 degrees, 95 %
    assert found.mean() - half < 0.5
    assert found.mean() < 0.6
    # A line gets three of the four corners at most.
    assert found.max() < 0.8


@pytest.mark.parametrize("name", ["forest", "boosting", "svm", "neighbors", "mlp"])
def test_what_draws_more_than_a_line_is_above_95_percent(name: str) -> None:
    assert accuracies(name).min() > 0.95
