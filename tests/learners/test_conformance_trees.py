"""Learners made of trees keep the promises of `tuner.learners.base`, on every axis."""

from __future__ import annotations

from typing import ClassVar

import pytest
from registered import Registered

from tuner import catalog
from tuner.datasets.base import Fold
from tuner.record import Outcome
from tuner.testing import tiny_table, tiny_values


class TestForestTrees(Registered):
    entry = catalog.LEARNERS["forest"]
    axis = "trees"
    levels = (1, 3, 8)
    failing = ({"criterion": "beauty"}, Outcome.CRASHED)
    looks = (0, 1, 2, 4, 9, 12, 20)


@pytest.mark.slow
class TestForestTreesOnTables(TestForestTrees):
    def make_fold(self, replicate: int) -> Fold:
        return tiny_table(replicate)


class TestForestTreesOnValues(TestForestTrees):
    failing = ({"splitter": "beauty"}, Outcome.CRASHED)

    def make_fold(self, replicate: int) -> Fold:
        return tiny_values(replicate)


class TestForestLeaves(Registered):
    entry = catalog.LEARNERS["forest"]
    axis = "leaves"
    levels = (2, 8)
    quick: ClassVar = {"trees": 5}
    failing = ({"criterion": "beauty"}, Outcome.CRASHED)


@pytest.mark.slow
class TestForestSamples(TestForestLeaves):
    axis = "samples"
    levels = (10, 40)


@pytest.mark.slow
class TestForestLeavesOnValues(TestForestLeaves):
    failing = ({"splitter": "beauty"}, Outcome.CRASHED)

    def make_fold(self, replicate: int) -> Fold:
        return tiny_values(replicate)


class TestBoostingRounds(Registered):
    entry = catalog.LEARNERS["boosting"]
    axis = "rounds"
    levels = (1, 3, 20)
    quick: ClassVar = {"leaves": 4, "min_samples_leaf": 3}
    failing = ({"learning_rate": -1.0}, Outcome.CRASHED)


class TestBoostingRoundsOnValues(TestBoostingRounds):
    def make_fold(self, replicate: int) -> Fold:
        return tiny_values(replicate)


@pytest.mark.slow
class TestBoostingLeaves(TestBoostingRounds):
    axis = "leaves"
    levels = (2, 4)
    quick: ClassVar = {"rounds": 4, "min_samples_leaf": 3}


@pytest.mark.slow
class TestBoostingSamples(TestBoostingLeaves):
    axis = "samples"
    levels = (20, 40)
    quick: ClassVar = {"rounds": 4, "leaves": 4, "min_samples_leaf": 3}
