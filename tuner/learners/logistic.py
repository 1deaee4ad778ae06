"""Multinomial logistic regression: the linear classifier that says how sure it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from sklearn.linear_model import LogisticRegression

from tuner.catalog import Value
from tuner.datasets.base import Features, Fold, Labels
from tuner.learners import uphill
from tuner.learners.estimators import EstimatorLearner, EstimatorModel, coefficients, decisions
from tuner.learners.tables import Rows
from tuner.learners.threads import limited


@dataclass(frozen=True)
class LogisticModel(EstimatorModel):
    """Softmax regression with the scale of its inputs."""

    kind: ClassVar[str] = "logistic"

    def gradient(self, x: Features, y: Labels) -> Features:
        """Returns which way each example's loss rises; see `base.Differentiable`."""
        with limited(self.threads):
            # What training lacked can't be.
            scores = np.full((len(x), self.classes), -np.inf)
            scores[:, self.labels] = decisions(self.estimator, self.scale(x))
            by_scores = uphill.by_scores(scores, y)[:, self.labels]
            weights = self.estimator.coef_
            if len(weights) == 1:
                weights = np.vstack([-weights, weights])  # as decisions of two classes are
            return uphill.like(by_scores @ (weights / self.scale.spread), x)


class Logistic(EstimatorLearner):
    """Softmax regression with an L2 penalty, by L-BFGS."""

    name = "logistic"
    model = LogisticModel

    def estimator(self, setting: Mapping[str, Value], fold: Fold, x: Rows) -> Any:
        """Returns the estimator."""
        return LogisticRegression(C=float(setting["C"]), max_iter=int(setting["iterations"]))

    def size(self, estimator: Any) -> int:
        """Returns the number of weights."""
        return coefficients(estimator)
