"""Gaussian naive Bayes: every feature by itself, normal in each class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sklearn.naive_bayes import GaussianNB

from tuner.catalog import Value
from tuner.datasets.base import Fold
from tuner.learners.estimators import EstimatorLearner
from tuner.learners.tables import Rows


class NaiveBayes(EstimatorLearner):
    """A mean and a variance for each class and feature. It is overconfident where they depend."""

    name = "naive_bayes"

    def estimator(self, setting: Mapping[str, Value], fold: Fold, x: Rows) -> Any:
        """Returns the estimator."""
        return GaussianNB(var_smoothing=float(setting["var_smoothing"]))

    def size(self, estimator: Any) -> int:
        """Returns the number of means, variances and shares of classes."""
        return int(estimator.theta_.size + estimator.var_.size + estimator.class_prior_.size)
