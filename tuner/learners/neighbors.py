"""Nearest neighbours (Cover & Hart 1967): the training examples that are most alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

from tuner.catalog import Value
from tuner.datasets.base import Fold
from tuner.learners.estimators import EstimatorLearner
from tuner.learners.tables import Rows


class Neighbors(EstimatorLearner):
    """The vote, or the mean, of the nearest examples on scaled features.

    Where there are fewer training examples than neighbours asked for, all are asked. Its
    parameters are the numbers that it keeps: the whole training part.
    """

    name = "neighbors"

    def estimator(self, setting: Mapping[str, Value], fold: Fold, x: Rows) -> Any:
        """Returns the estimator."""
        kind = KNeighborsClassifier if fold.classes else KNeighborsRegressor
        return kind(
            n_neighbors=min(int(setting["neighbors"]), len(x)),
            weights=str(setting["weights"]),
            metric=str(setting["metric"]),
            # A tree helps in few dimensions only, and isn't read back by skops.
            algorithm="brute",
        )

    def size(self, estimator: Any) -> int:
        """Returns how many numbers the training part has."""
        return int(estimator.n_samples_fit_ * estimator.n_features_in_)
