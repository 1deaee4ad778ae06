"""A support vector machine's answers are its own; what is made of them is the probabilities."""

from __future__ import annotations

import numpy as np
from sklearn.svm import SVC

from tuner import scoring
from tuner.datasets import registry
from tuner.datasets.base import Fold
from tuner.datasets.splits import Splits
from tuner.learners.base import Device
from tuner.learners.samples import first_examples
from tuner.learners.svm import Svm
from tuner.learners.tables import Scale
from tuner.scoring import Predictions
from tuner.spec import Split

EXACT: dict[str, float | str] = {"C": 5.0, "kernel": "rbf", "gamma": 1.0, "components": 0}


def digits() -> Fold:
    return first_examples(Splits(registry.load("digits"), Split(), 0).measuring(0), 300)


def predicted(fold: Fold, **changes: float | str) -> Predictions:
    return Svm().train({**EXACT, **changes}, fold, Device()).predict(fold.x_score)


def test_the_exact_machine_answers_as_scikit_learns_does() -> None:
    fold = digits()
    scale = Scale.of(fold.x)
    x = scale(fold.x)
    # Classes of as many votes are told apart by the decisions, not by their order.
    peer = SVC(C=5.0, gamma=1 / x.shape[1], break_ties=True).fit(x, fold.y)
    found = predicted(fold).argmax(axis=1)
    np.testing.assert_array_equal(found, peer.predict(scale(fold.x_score)))


def test_more_components_come_nearer_to_the_kernel() -> None:
    fold = digits()
    errors = [
        scoring.scores(predicted(fold, components=count), fold.y_score)["error"]
        for count in (5, 40, 300, 0)
    ]
    few, some, all_of_them, exact = errors
    assert few > some + 0.05
    assert abs(all_of_them - exact) < 0.03


def test_its_probabilities_are_better_than_its_certainty() -> None:
    fold = digits()
    found = predicted(fold)
    certain = np.eye(fold.classes)[found.argmax(axis=1)]
    soft, hard = (scoring.scores(p, fold.y_score) for p in (found, certain))
    assert soft["error"] == hard["error"]
    assert soft["log_loss"] < hard["log_loss"]
