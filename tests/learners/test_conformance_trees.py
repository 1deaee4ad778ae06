"""Learners made of trees keep the promises of `tuner.learners.base`, on every axis."""

from __future__ import annotations

from typing import ClassVar

from registered import Registered

from tuner import catalog
from tuner.datasets.base import Fold
from tuner.record import Outcome
from tuner.testing import tiny_table


class TestForestTrees(Registered):
    entry = catalog.LEARNERS["forest"]
    axis = "trees"
    levels = (1, 3, 8)
    failing = ({"criterion": "beauty"}, Outcome.CRASHED)
    looks = (0, 1, 2, 4, 9, 12, 20)


class TestForestTreesOnTables(TestForestTrees):
    def make_fold(self, replicate: int) -> Fold:
        return tiny_table(replicate)


class TestForestSamples(Registered):
    entry = catalog.LEARNERS["forest"]
    axis = "samples"
    levels = (10, 40)
    quick: ClassVar = {"trees": 5}
    failing = ({"criterion": "beauty"}, Outcome.CRASHED)
