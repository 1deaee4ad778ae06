"""Learners on features made first, and on sequences, keep the promises of `learners.base`."""

from __future__ import annotations

import functools
from typing import ClassVar

import pytest
from registered import Registered

from tuner import catalog
from tuner.datasets.base import Fold
from tuner.learners.base import Device, Model
from tuner.learners.cnn import Cnn
from tuner.learners.deep_features import DeepFeatures
from tuner.record import Outcome
from tuner.testing import tiny_images, tiny_table


@functools.cache
def kept() -> Model:
    """Returns a network that another job kept."""
    known = catalog.LEARNERS["cnn"].hyperparameters
    quick = {"depth": 3, "filters": 2, "epochs": 1, "batch_size": 256}
    setting = {name: entry.default for name, entry in known.items()} | quick
    return Cnn().train(setting, tiny_images(9), Device())


class TestBagOfFeaturesWords(Registered):
    entry = catalog.LEARNERS["bag_of_features"]
    axis = "words"
    levels = (4, 8)
    quick: ClassVar = {"trees": 9}
    failing = ({"C": -1.0}, Outcome.CRASHED)
    looks = (0, 1, 5, 7, 9, 10, 15)


@pytest.mark.slow
class TestBagOfFeaturesSamples(Registered):
    entry = catalog.LEARNERS["bag_of_features"]
    axis = "samples"
    levels = (12, 40)
    quick: ClassVar = {"words": 4, "classifier": "forest", "trees": 9}
    failing = ({"words": 10_000}, Outcome.CRASHED)


class TestDeepFeaturesDepth(Registered):
    entry = catalog.LEARNERS["deep_features"]

    def make_learner(self) -> DeepFeatures:
        """Returns one that has a kept network, which it takes where it is told to."""
        return DeepFeatures().with_model(kept())

    axis = "depth"
    levels = (1, 3)
    quick: ClassVar = {"epochs": 1, "filters": 2, "batch_size": 256, "trees": 9, "grid": 2}
    failing = ({"C": -1.0}, Outcome.CRASHED)


@pytest.mark.slow
class TestDeepFeaturesOfAnotherSet(TestDeepFeaturesDepth):
    quick: ClassVar = {**TestDeepFeaturesDepth.quick, "pretrained": "digits"}


class TestDeepFeaturesOfAKeptModel(TestDeepFeaturesDepth):
    quick: ClassVar = {**TestDeepFeaturesDepth.quick, "pretrained": "kept"}


@pytest.mark.slow
class TestDeepFeaturesSamples(TestDeepFeaturesDepth):
    axis = "samples"
    levels = (16, 40)
    quick: ClassVar = {**TestDeepFeaturesDepth.quick, "depth": 1}
    failing = ({"learning_rate": 1e30, "epochs": 3}, Outcome.DIVERGED)


class TestHmmStates(Registered):
    entry = catalog.LEARNERS["hmm"]
    axis = "states"
    levels = (1, 2)
    quick: ClassVar = {"iterations": 3}
    failing = ({"min_covar": float("nan")}, Outcome.DIVERGED)


@pytest.mark.slow
class TestHmmStatesOnTables(TestHmmStates):
    def make_fold(self, replicate: int) -> Fold:
        return tiny_table(replicate)


@pytest.mark.slow
class TestHmmSamples(Registered):
    entry = catalog.LEARNERS["hmm"]
    axis = "samples"
    levels = (12, 40)
    quick: ClassVar = {"iterations": 3, "states": 2}
    failing = ({"states": 200}, Outcome.CRASHED)
