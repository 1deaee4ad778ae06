"""Multinomial logistic regression: the linear classifier that says how sure it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sklearn.linear_model import LogisticRegression

from tuner.catalog import Value
from tuner.datasets.base import Fold
from tuner.learners.estimators import EstimatorLearner, coefficients
from tuner.learners.tables import Rows


class Logistic(EstimatorLearner):
    """Softmax regression with an L2 penalty, by L-BFGS."""

    name = "logistic"

    def estimator(self, setting: Mapping[str, Value], fold: Fold, x: Rows) -> Any:
        """Returns the estimator."""
        return LogisticRegression(C=float(setting["C"]), max_iter=int(setting["iterations"]))

    def size(self, estimator: Any) -> int:
        """Returns the number of weights."""
        return coefficients(estimator)
