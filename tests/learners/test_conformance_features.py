"""Learners on features made first, and on sequences, keep the promises of `learners.base`."""

from __future__ import annotations

from typing import ClassVar

from registered import Registered

from tuner import catalog
from tuner.datasets.base import Fold
from tuner.record import Outcome
from tuner.testing import tiny_table


class TestBagOfFeaturesWords(Registered):
    entry = catalog.LEARNERS["bag_of_features"]
    axis = "words"
    levels = (4, 8)
    quick: ClassVar = {"trees": 9}
    failing = ({"C": -1.0}, Outcome.CRASHED)
    looks = (0, 1, 5, 7, 9, 10, 15)


class TestBagOfFeaturesSamples(Registered):
    entry = catalog.LEARNERS["bag_of_features"]
    axis = "samples"
    levels = (12, 40)
    quick: ClassVar = {"words": 4, "classifier": "forest", "trees": 9}
    failing = ({"words": 10_000}, Outcome.CRASHED)


class TestHmmStates(Registered):
    entry = catalog.LEARNERS["hmm"]
    axis = "states"
    levels = (1, 2)
    quick: ClassVar = {"iterations": 3}
    failing = ({"min_covar": float("nan")}, Outcome.DIVERGED)


class TestHmmStatesOnTables(TestHmmStates):
    def make_fold(self, replicate: int) -> Fold:
        return tiny_table(replicate)


class TestHmmSamples(Registered):
    entry = catalog.LEARNERS["hmm"]
    axis = "samples"
    levels = (12, 40)
    quick: ClassVar = {"iterations": 3, "states": 2}
    failing = ({"states": 200}, Outcome.CRASHED)
