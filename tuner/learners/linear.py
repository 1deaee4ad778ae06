"""Ridge regression (Hoerl & Kennard 1970): the cheap baseline where a number is predicted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sklearn.linear_model import Ridge

from tuner.catalog import Value
from tuner.datasets.base import Fold
from tuner.learners.estimators import EstimatorLearner, coefficients
from tuner.learners.tables import Rows


class Linear(EstimatorLearner):
    """Least squares with an L2 penalty on the weights of scaled features."""

    name = "linear"

    def estimator(self, setting: Mapping[str, Value], fold: Fold, x: Rows) -> Any:
        """Returns the estimator."""
        # Without one, features that say the same would have no one answer.
        return Ridge(alpha=float(setting["alpha"]))

    def size(self, estimator: Any) -> int:
        """Returns the number of weights."""
        return coefficients(estimator)
