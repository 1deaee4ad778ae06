"""Classical learners keep the promises of `tuner.learners.base`, on every axis."""

from __future__ import annotations

from typing import ClassVar

from registered import Registered

from tuner import catalog
from tuner.datasets.base import Fold
from tuner.record import Outcome
from tuner.testing import tiny_table


class TestPerceptron(Registered):
    entry = catalog.LEARNERS["perceptron"]
    quick: ClassVar = {"passes": 3}
    failing = ({"learning_rate": float("inf")}, Outcome.DIVERGED)


class TestPerceptronOnTables(TestPerceptron):
    def make_fold(self, replicate: int) -> Fold:
        return tiny_table(replicate)


class TestPerceptronSamples(TestPerceptron):
    axis = "samples"
    levels = (10, 40)
