"""Scores are what the catalog says they are, by known values and by scikit-learn's."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from tuner import catalog, scoring


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
    of_classes = {m.name for m in catalog.METRICS.values() if m.task == "classification"}
    several = len(set(y)) > 1
    assert set(found) == (of_classes if several else of_classes - {"auc"})
    if several and (classes == 2 or len(set(y)) == classes):
        given_scores = p[:, 1] if classes == 2 else p
        area = metrics.roc_auc_score(y, given_scores, multi_class="ovr", labels=labels)
        assert found["auc"] == pytest.approx(area)
    recalls = metrics.recall_score(
        y, p.argmax(axis=1), labels=sorted(set(y)), average=None, zero_division=0
    )
    assert found["balanced_accuracy"] == pytest.approx(np.mean(recalls))
    assert found["accuracy"] == pytest.approx(metrics.accuracy_score(y, p.argmax(axis=1)))
    expected = metrics.log_loss(y, np.maximum(p, 1e-15), labels=labels)
    assert found["log_loss"] == pytest.approx(expected, rel=1e-6)
    assert found["brier"] == pytest.approx(np.sum((p - np.eye(classes)[y]) ** 2) / n)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_has_diverged(bad: float) -> None:
    with pytest.raises(scoring.DivergedError, match="NaN or infinite"):
        scoring.scores(np.array([[0.5, 0.5], [bad, 0.5]]), np.array([0, 1]))


@pytest.mark.parametrize("p", [np.ones((2, 2, 1)), np.ones((2, 2)), np.ones((0, 2)), np.ones(2)])
def test_shapes_that_dont_agree_are_refused(p: np.ndarray) -> None:
    with pytest.raises(ValueError, match="a row an example"):
        scoring.scores(p, np.zeros(len(p) if p.shape == (0, 2) else 3, int))


@given(st.integers(0, 2**32 - 1), st.integers(2, 40))
def test_scores_of_values_agree_with_scikit_learns(seed: int, n: int) -> None:
    random = np.random.default_rng(seed)
    y, p = random.normal(size=(2, n)) * 10
    found = scoring.scores(p, y)
    assert set(found) == {m.name for m in catalog.METRICS.values() if m.task == "regression"}
    assert found["mae"] == pytest.approx(metrics.mean_absolute_error(y, p))
    assert found["rmse"] == pytest.approx(metrics.root_mean_squared_error(y, p))
    assert found["r2"] == pytest.approx(metrics.r2_score(y, p))


def test_of_a_constant_truth_no_variance_can_be_explained() -> None:
    assert set(scoring.scores(np.array([1.0, 2.0]), np.array([3.0, 3.0]))) == {"mae", "rmse"}


def test_values_beyond_all_bounds_have_diverged() -> None:
    with pytest.raises(scoring.DivergedError, match="infinite"):
        scoring.scores(np.array([1e300, 0.0]), np.array([0.0, 1.0]))


def test_a_metric_of_a_users_own_is_scored_beside_the_others() -> None:
    p, y = np.array([[0.8, 0.2], [0.4, 0.6]]), np.array([0, 0])
    own = {"mine:cost": lambda truth, given: 10 * np.mean(given.argmax(axis=1) != truth)}
    assert scoring.scores(p, y, own)["mine:cost"] == 5


@pytest.mark.parametrize("answer", [None, "much", math.nan, math.inf, np.ones(2)])
def test_a_metric_that_returns_no_number_is_named(answer: object) -> None:
    with pytest.raises(ValueError, match="mine:cost returned"):
        scoring.scores(np.eye(2), np.arange(2), {"mine:cost": lambda truth, given: answer})
