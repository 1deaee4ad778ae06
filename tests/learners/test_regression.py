"""Whatever predicts numbers beats the mean, and what each is made for tells them apart."""

from __future__ import annotations

import numpy as np
import pytest

from tuner import catalog, scoring
from tuner.catalog import Number
from tuner.datasets.base import Fold
from tuner.learners import registry, samples
from tuner.learners.base import Device
from tuner.record import make_setting


def friedman(seed: int, n: int = 400) -> Fold:
    """Returns Friedman's first function (1991) of 10 features, of which 5 count, with noise."""
    random = np.random.default_rng(seed)
    found = []
    for size in (n, 1000):
        x = random.random((size, 10)).astype(np.float32)
        y = 10 * np.sin(np.pi * x[:, 0] * x[:, 1]) + 20 * (x[:, 2] - 0.5) ** 2
        y = y + 10 * x[:, 3] + 5 * x[:, 4] + random.normal(size=size)
        found += [x, y.astype(np.float64)]
    x, y, x_score, y_score = found
    return Fold(0, seed, x, y, x_score, y_score, 0)


def r2(name: str) -> float:
    known = catalog.LEARNERS[name]
    setting = {
        key: int(h.default) if isinstance(h, Number) and h.integer else h.default
        for key, h in known.hyperparameters.items()
    }
    fold = friedman(0)
    packet = ([make_setting(setting)], [len(fold.x)], [fold], Device())
    [result] = samples.evaluate(registry.get(name), "samples", *packet)
    assert result.predictions is not None, result.error
    return scoring.scores(result.predictions, fold.y_score)["r2"]


# The noise leaves at most .96. A line gets what is linear of the function: 0.7 or so.
@pytest.mark.parametrize(
    ("name", "least"),
    [("linear", 0.6), ("neighbors", 0.4), ("svm", 0.7), ("forest", 0.6), ("boosting", 0.85)],
)
def test_numbers_are_predicted_better_than_by_their_mean(name: str, least: float) -> None:
    assert least < r2(name) < 0.97


def test_what_bends_beats_a_line_on_a_function_that_bends() -> None:
    assert r2("boosting") > r2("linear") + 0.05
