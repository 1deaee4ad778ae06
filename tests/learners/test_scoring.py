"""Scores are what the catalog says they are, by known values and by scikit-learn's."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from tuner import catalog
from tuner.learners import scoring


def test_known_answers() -> None:
    p = np.array([[0.8, 0.2], [0.4, 0.6], [0.3, 0.7]])
    found = scoring.scores(p, np.array([0, 1, 0]))
    assert found["error"] == pytest.approx(1 / 3)
    assert found["accuracy"] == pytest.approx(2 / 3)
    assert found["brier"] == pytest.approx((0.08 + 0.32 + 0.98) / 3)
    assert found["log_loss"] == pytest.approx(-(math.log(0.8) + math.log(0.6) + math.log(0.3)) / 3)


def test_brier_runs_from_0_to_2_and_log_loss_stays_finite() -> None:
    right = scoring.scores(np.eye(3), np.arange(3))
    wrong = scoring.scores(np.eye(3), np.array([1, 2, 0]))
    assert (right["brier"], wrong["brier"]) == (0, 2)
    assert right["log_loss"] == pytest.approx(0, abs=1e-14)
    assert wrong["log_loss"] == pytest.approx(-math.log(1e-15))


def test_of_several_most_probable_classes_the_first_is_the_answer() -> None:
    assert scoring.scores(np.full((1, 4), 0.25), np.array([0]))["error"] == 0
    assert scoring.scores(np.full((1, 4), 0.25), np.array([1]))["error"] == 1


@given(st.integers(0, 2**32 - 1), st.integers(2, 6), st.integers(1, 40))
def test_they_agree_with_scikit_learns(seed: int, classes: int, n: int) -> None:
    random = np.random.default_rng(seed)
    p = random.dirichlet(np.full(classes, 0.5), size=n)
    y = random.integers(classes, size=n)
    found = scoring.scores(p, y)
    labels = list(range(classes))
    assert set(found) == set(catalog.METRICS)
    assert found["accuracy"] == pytest.approx(metrics.accuracy_score(y, p.argmax(axis=1)))
    expected = metrics.log_loss(y, np.maximum(p, 1e-15), labels=labels)
    assert found["log_loss"] == pytest.approx(expected, rel=1e-6)
    assert found["brier"] == pytest.approx(np.sum((p - np.eye(classes)[y]) ** 2) / n)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_has_diverged(bad: float) -> None:
    with pytest.raises(scoring.DivergedError, match="NaN or infinite"):
        scoring.scores(np.array([[0.5, 0.5], [bad, 0.5]]), np.array([0, 1]))


@pytest.mark.parametrize("p", [np.ones(3), np.ones((2, 2)), np.ones((0, 2))])
def test_shapes_that_dont_agree_are_refused(p: np.ndarray) -> None:
    with pytest.raises(ValueError, match="a row an example"):
        scoring.scores(p, np.zeros(len(p) if p.shape == (0, 2) else 3, int))
