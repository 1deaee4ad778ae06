"""Classical learners keep the promises of `tuner.learners.base`, on every axis."""

from __future__ import annotations

from typing import ClassVar

import pytest
from registered import Registered

from tuner import catalog
from tuner.datasets.base import Fold
from tuner.record import Outcome
from tuner.testing import tiny_table, tiny_values


class TestPerceptron(Registered):
    entry = catalog.LEARNERS["perceptron"]
    quick: ClassVar = {"passes": 3}
    failing = ({"learning_rate": float("inf")}, Outcome.DIVERGED)


class TestPerceptronOnTables(TestPerceptron):
    def make_fold(self, replicate: int) -> Fold:
        return tiny_table(replicate)


@pytest.mark.slow
class TestPerceptronSamples(TestPerceptron):
    axis = "samples"
    levels = (10, 40)


class TestLogistic(Registered):
    entry = catalog.LEARNERS["logistic"]
    failing = ({"C": -1.0}, Outcome.CRASHED)


@pytest.mark.slow
class TestLogisticSamples(TestLogistic):
    axis = "samples"
    levels = (10, 40)


class OnValues:
    def make_fold(self, replicate: int) -> Fold:
        return tiny_values(replicate)


class TestLinear(OnValues, Registered):
    entry = catalog.LEARNERS["linear"]
    failing = ({"alpha": -1.0}, Outcome.CRASHED)


@pytest.mark.slow
class TestLinearSamples(TestLinear):
    axis = "samples"
    levels = (10, 40)


class TestNaiveBayes(Registered):
    entry = catalog.LEARNERS["naive_bayes"]
    failing = ({"var_smoothing": -1.0}, Outcome.CRASHED)


class TestNaiveBayesSamples(TestNaiveBayes):
    axis = "samples"
    levels = (10, 40)


class TestNeighbors(Registered):
    entry = catalog.LEARNERS["neighbors"]
    failing = ({"metric": "beauty"}, Outcome.CRASHED)


@pytest.mark.slow
class TestNeighborsSamples(TestNeighbors):
    axis = "samples"
    levels = (10, 40)


class TestNeighborsOnValues(OnValues, TestNeighbors):
    pass


class TestSvmComponents(Registered):
    entry = catalog.LEARNERS["svm"]
    axis = "components"
    levels = (4, 20)
    failing = ({"C": -1.0}, Outcome.CRASHED)
    looks = (0, 1, 2, 3, 4, 6, 9)


@pytest.mark.slow
class TestSvmSamples(TestSvmComponents):
    axis = "samples"
    levels = (10, 40)


class TestSvmOnValues(OnValues, TestSvmComponents):
    pass


class TestSvmSamplesOnValues(OnValues, TestSvmSamples):
    pass
