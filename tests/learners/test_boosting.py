"""Boosting holds every earlier round, bit for bit, and gains by rounds what it should."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from tuner.datasets.base import Fold
from tuner.learners.base import Device, Result
from tuner.learners.boosting import Boosting
from tuner.record import make_setting, seed_of

DEFAULTS = {"learning_rate": 0.3, "l2": 1e-3, "min_samples_leaf": 5, "leaves": 8}

LEVELS = (1, 16, 17, 90)
"""Before, at and after the first look at the deadline, and where looks are further apart."""


def regions(classes: int, n: int = 600) -> Fold:
    """Returns points whose class, or whose value where there are no classes, isn't linear."""
    random = np.random.default_rng(classes)
    x, x_score = (random.normal(size=(size, 6)).astype(np.float32) for size in (n, 300))

    def targets(x: np.ndarray) -> np.ndarray:
        product = x[:, 0] * x[:, 1]
        if not classes:
            return np.asarray(product, dtype=np.float64)
        edges = np.linspace(-0.5, 0.5, classes - 1) if classes > 2 else [0]
        return np.asarray(np.digitize(product, edges))

    return Fold(0, 1, x, targets(x), x_score, targets(x_score), classes)


def boost(fold: Fold, levels: tuple[int, ...], threads: int = 1) -> list[Result]:
    packet = ([make_setting(DEFAULTS)], levels, [fold], Device(threads=threads))
    return list(Boosting().evaluate("rounds", *packet))


def bits(results: list[Result]) -> list[bytes]:
    assert all(result.predictions is not None for result in results), results
    return [np.asarray(result.predictions).tobytes() for result in results]


@pytest.mark.parametrize("classes", [0, 2, 4])
def test_one_fit_scores_every_earlier_round_bit_for_bit(classes: int) -> None:
    fold = regions(classes)
    nested = boost(fold, LEVELS)
    alone = [result for level in LEVELS for result in boost(fold, (level,))]
    assert bits(nested) == bits(alone)
    assert [r.parameters for r in nested] == [r.parameters for r in alone]
    assert len(set(bits(nested))) == len(LEVELS)


def test_pauses_change_no_bit() -> None:
    """Against scikit-learn's own, which boosts all rounds in one go."""
    fold = regions(4)
    peer = HistGradientBoostingClassifier(
        max_iter=90,
        learning_rate=0.3,
        l2_regularization=1e-3,
        min_samples_leaf=5,
        max_leaf_nodes=8,
        early_stopping=False,
        random_state=seed_of(fold.seed, "boosting"),
    )
    with threadpool_limits(1):  # threads that wait for busy cores take seconds
        peer.fit(fold.x.astype(np.float64), fold.y)
        expected = peer.predict_proba(fold.x_score.astype(np.float64))
    assert bits(boost(fold, (90,))) == [expected.tobytes()]


@pytest.mark.parametrize("classes", [0, 2])
def test_threads_change_no_bit(classes: int) -> None:
    fold = regions(classes)
    assert bits(boost(fold, (1, 8))) == bits(boost(fold, (1, 8), threads=3))


def test_cost_and_nodes_cumulate() -> None:
    results = boost(regions(2), LEVELS)
    assert np.all(np.diff([r.parameters for r in results]) > 0)
    assert np.all(np.diff([r.standalone_seconds for r in results]) > 0)
