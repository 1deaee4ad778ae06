"""What a metric is by example has the metric as its mean, and its spread over examples."""

from __future__ import annotations

import numpy as np
import pytest

from tuner import catalog, scoring
from tuner.example_scores import GROUPS, example_scores

CHANCE = np.random.default_rng(0)
OF_CLASSES = [m for m in catalog.METRICS.values() if m.task == "classification"]
OF_VALUES = [m for m in catalog.METRICS.values() if m.task == "regression"]


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("metric", OF_CLASSES, ids=lambda m: m.name)
def test_of_classes_the_mean_is_the_metric(metric: catalog.Metric, classes: int) -> None:
    y = CHANCE.integers(0, classes, 300)
    predictions = [CHANCE.dirichlet(np.ones(classes), 300) for _ in range(3)]
    values = example_scores(metric.name, predictions, y)
    assert values.shape == (3, 300 if metric.mean else GROUPS)
    expected = [scoring.scores(p, y)[metric.name] for p in predictions]
    np.testing.assert_allclose(values.mean(axis=1), expected, rtol=1e-9)


@pytest.mark.parametrize("metric", OF_VALUES, ids=lambda m: m.name)
def test_of_values_the_mean_is_the_metric(metric: catalog.Metric) -> None:
    y = CHANCE.normal(size=200)
    predictions = [y + CHANCE.normal(size=200) * s for s in (0.1, 0.5)]
    values = example_scores(metric.name, predictions, y)
    expected = [scoring.scores(p, y)[metric.name] for p in predictions]
    np.testing.assert_allclose(values.mean(axis=1), expected, rtol=1e-9)


def test_the_spread_of_pseudo_values_is_that_of_the_metric_over_tests() -> None:
    """Of 200 tests drawn anew, the standard deviation of balanced accuracy."""

    def draw() -> tuple[np.ndarray, np.ndarray]:
        y = np.arange(400) % 2
        p = np.clip(y * 0.3 + CHANCE.normal(0.35, 0.3, 400), 0, 1)
        return y, np.stack([1 - p, p], axis=1)

    scored, told = [], []
    for _ in range(200):
        y, p = draw()
        values = example_scores("balanced_accuracy", [p], y)[0]
        scored.append(scoring.scores(p, y)["balanced_accuracy"])
        told.append(values.std(ddof=1) / np.sqrt(len(values)))
    assert np.mean(told) == pytest.approx(np.std(scored, ddof=1), rel=0.25)


def test_whole_clusters_leave_together() -> None:
    y = np.arange(120) % 2
    clusters = np.arange(120) // 12
    p = CHANCE.dirichlet([1, 1], 120)
    assert example_scores("auc", [p], y, clusters).shape == (1, 10)
    assert example_scores("error", [p], y, clusters).shape == (1, 120)


def test_a_class_of_a_single_example_is_refused() -> None:
    y = np.array([0] * 9 + [1])
    with pytest.raises(ValueError, match="only one example"):
        example_scores("auc", [CHANCE.dirichlet([1, 1], 10)], y)
