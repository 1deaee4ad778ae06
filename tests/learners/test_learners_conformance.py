"""Every learner of the registry keeps the promises of `tuner.learners.base`, on every axis."""

from __future__ import annotations

from typing import ClassVar

import pytest

from tuner import catalog
from tuner.datasets.base import Fold
from tuner.learners import registry
from tuner.learners.base import Learner
from tuner.record import Outcome
from tuner.testing import LearnerConformance, tiny_table


class Registered(LearnerConformance):
    def make_learner(self) -> Learner:
        return registry.get(self.entry.name)


class TestPerceptron(Registered):
    entry = catalog.LEARNERS["perceptron"]
    quick: ClassVar = {"passes": 3}
    failing = ({"learning_rate": float("inf")}, Outcome.DIVERGED)


class TestPerceptronOnTables(TestPerceptron):
    def make_fold(self, replicate: int) -> Fold:
        return tiny_table(replicate)


class TestForestTrees(Registered):
    entry = catalog.LEARNERS["forest"]
    axis = "trees"
    levels = (1, 3, 8)
    failing = ({"criterion": "beauty"}, Outcome.CRASHED)
    looks = (0, 1, 2, 4, 9, 12, 20)


class TestForestTreesOnTables(TestForestTrees):
    def make_fold(self, replicate: int) -> Fold:
        return tiny_table(replicate)


class TestCnnDepth(Registered):
    entry = catalog.LEARNERS["cnn"]
    axis = "depth"
    levels = (1, 3)
    quick: ClassVar = {"epochs": 2, "filters": 2, "batch_size": 16}
    failing = ({"learning_rate": 1e30}, Outcome.DIVERGED)
    tolerance = 1e-4


class TestCnnFilters(TestCnnDepth):
    axis = "filters"
    levels = (2, 4)
    quick: ClassVar = {"epochs": 2, "depth": 2, "batch_size": 16}


class TestSimulatedDepth(Registered):
    entry = catalog.LEARNERS["simulated"]
    axis = "depth"
    levels = (1, 2, 4)
    failing = ({"failures": 1.0}, Outcome.DIVERGED)
    costs = False


class TestSimulatedTrees(TestSimulatedDepth):
    axis = "trees"


def test_every_axis_of_every_learner_is_proved_here() -> None:
    proved = {
        (suite.entry.name, suite.axis)
        for suite in globals().values()
        if isinstance(suite, type) and issubclass(suite, Registered) and suite is not Registered
    }
    known = {
        (name, axis)
        for name, learner in catalog.LEARNERS.items()
        for axis in ([a.name for a in learner.axes] or [""])
    }
    assert proved == known
    assert set(registry.names()) == set(catalog.LEARNERS)


def test_an_unknown_learner_is_named() -> None:
    with pytest.raises(KeyError, match="no learner 'oracle'; there are perceptron"):
        registry.get("oracle")
