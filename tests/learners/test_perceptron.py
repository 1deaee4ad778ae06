"""The perceptron is Rosenblatt's: it separates what a line can, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuner import scoring
from tuner.datasets.base import Fold
from tuner.learners import perceptron
from tuner.learners.base import Device
from tuner.learners.perceptron import Perceptron
from tuner.record import make_setting


def clouds(labels: list[int], seed: int, spread: float = 0.1) -> Fold:
    """Returns points around the unit square's corners, labelled by corner (00, 01, 10, 11)."""
    random = np.random.default_rng(seed)

    def draw(n: int) -> tuple[np.ndarray, np.ndarray]:
        corners = random.integers(0, 2, size=(n, 2))
        x = corners + random.normal(0, spread, size=(n, 2))
        return x.astype(np.float32), np.array(labels)[corners[:, 0] * 2 + corners[:, 1]]

    (x, y), (x_score, y_score) = draw(200), draw(400)
    return Fold(0, seed, x, y, x_score, y_score, max(labels) + 1)


def error(fold: Fold, *, averaged: bool) -> float:
    setting = make_setting({"passes": 20, "averaged": averaged, "learning_rate": 0.01})
    (result,) = Perceptron().evaluate("", [setting], (1,), [fold], Device())
    assert result.predictions is not None
    return scoring.scores(result.predictions, fold.y_score)["error"]


@pytest.mark.parametrize("averaged", [True, False])
def test_it_is_at_chance_on_xor(averaged: bool) -> None:
    errors = [error(clouds([0, 1, 1, 0], seed), averaged=averaged) for seed in range(12)]
    # No line answers more than three corners rightly, and nothing leads the rule to such a line.
    assert min(errors) > 0.2
    assert np.mean(errors) > 0.4


@pytest.mark.parametrize("averaged", [True, False])
def test_it_learns_what_a_line_separates(averaged: bool) -> None:
    assert error(clouds([0, 0, 0, 1], 3), averaged=averaged) < 0.03
    assert error(clouds([0, 1, 0, 1], 4), averaged=averaged) == 0


def test_its_probabilities_are_the_answer_alone() -> None:
    fold = clouds([0, 1, 2, 2], 0)
    setting = make_setting({"passes": 2, "averaged": True, "learning_rate": 0.01})
    (result,) = Perceptron().evaluate("", [setting], (1,), [fold], Device())
    assert result.predictions is not None
    assert set(np.unique(result.predictions)) == {0.0, 1.0}
    assert result.parameters == 3 * (2 + 1)


@given(st.integers(0, 10_000), st.booleans(), st.integers(1, 6), st.sampled_from([0.05, 0.6]))
@settings(max_examples=25, deadline=None)
def test_its_shortcuts_change_nothing(
    seed: int, averaged: bool, passes: int, spread: float
) -> None:
    """Against the rule written out: every step taken, every step's weights summed."""
    fold = clouds([0, 1, 2, 2], seed, spread)
    x = np.hstack([fold.x.astype(float), np.ones((len(fold.x), 1))])
    found = perceptron.train(
        x,
        fold.y,
        3,
        learning_rate=0.5,
        passes=passes,
        averaged=averaged,
        seed=seed,
        device=Device(),
    )
    random, weights, total = np.random.default_rng(seed), np.zeros((3, 3)), np.zeros((3, 3))
    for _ in range(passes):
        for example in random.permutation(len(x)):
            for k in range(3):
                sign = 1 if fold.y[example] == k else -1
                if sign * (weights[k] @ x[example]) <= 0:
                    weights[k] += 0.5 * sign * x[example]
            total += weights
    expected = total / (passes * len(x)) if averaged else weights
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_the_learning_rate_changes_no_answer() -> None:
    fold = clouds([0, 1, 2, 2], 5, spread=0.4)
    answers = []
    for rate in (2.0**-12, 0.5, 1.0):  # powers of two scale without rounding
        setting = make_setting({"passes": 5, "averaged": True, "learning_rate": rate})
        (result,) = Perceptron().evaluate("", [setting], (1,), [fold], Device())
        assert result.predictions is not None
        answers.append(result.predictions.tobytes())
    assert len(set(answers)) == 1
