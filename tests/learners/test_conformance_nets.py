"""Neural networks keep the promises of `tuner.learners.base`, on every axis."""

from __future__ import annotations

from typing import ClassVar

import pytest
from registered import Registered

from tuner import catalog
from tuner.datasets.base import Fold
from tuner.record import Outcome
from tuner.testing import tiny_table, tiny_values


class TestCnnDepth(Registered):
    entry = catalog.LEARNERS["cnn"]
    accelerated = True
    axis = "depth"
    levels = (1, 3)
    quick: ClassVar = {"epochs": 2, "filters": 2, "batch_size": 16}
    failing = ({"learning_rate": 1e30}, Outcome.DIVERGED)
    tolerance = 1e-4


@pytest.mark.slow
class TestCnnFilters(TestCnnDepth):
    axis = "filters"
    levels = (2, 4)
    quick: ClassVar = {"epochs": 2, "depth": 2, "batch_size": 16}


@pytest.mark.slow
class TestCnnSamples(TestCnnDepth):
    axis = "samples"
    levels = (16, 40)
    quick: ClassVar = {"epochs": 2, "depth": 2, "filters": 2, "batch_size": 16}


class TestCnnEpochs(TestCnnDepth):
    axis = "epochs"
    levels = (1, 3)
    quick: ClassVar = {"depth": 2, "filters": 2, "batch_size": 16}


class TestMlpDepth(Registered):
    entry = catalog.LEARNERS["mlp"]
    axis = "depth"
    levels = (1, 3)
    quick: ClassVar = {"epochs": 2, "units": 4, "batch_size": 16}
    failing = ({"learning_rate": 1e30}, Outcome.DIVERGED)


class TestMlpUnits(TestMlpDepth):
    axis = "units"
    levels = (2, 4)
    quick: ClassVar = {"epochs": 2, "batch_size": 16}

    def make_fold(self, replicate: int) -> Fold:
        return tiny_table(replicate)


class TestMlpEpochs(TestMlpDepth):
    axis = "epochs"
    levels = (1, 2, 5)
    quick: ClassVar = {"units": 4, "batch_size": 16}


class TestMlpEpochsOnValues(TestMlpEpochs):
    def make_fold(self, replicate: int) -> Fold:
        return tiny_values(replicate)


@pytest.mark.slow
class TestMlpSamples(TestMlpDepth):
    axis = "samples"
    levels = (16, 40)


class TestResNetDepth(Registered):
    entry = catalog.LEARNERS["resnet"]
    accelerated = True
    axis = "depth"
    levels = (8, 14)
    quick: ClassVar = {"epochs": 2, "filters": 2, "batch_size": 16}
    failing = ({"learning_rate": 1e30}, Outcome.DIVERGED)


@pytest.mark.slow
class TestResNetFilters(TestResNetDepth):
    axis = "filters"
    levels = (2, 4)
    quick: ClassVar = {"epochs": 2, "depth": 8, "batch_size": 16}


@pytest.mark.slow
class TestResNetEpochs(TestResNetDepth):
    axis = "epochs"
    levels = (1, 3)
    quick: ClassVar = {"depth": 8, "filters": 2, "batch_size": 16}


@pytest.mark.slow
class TestResNetSamples(TestResNetDepth):
    axis = "samples"
    levels = (16, 40)
    quick: ClassVar = {"epochs": 2, "depth": 8, "filters": 2, "batch_size": 16}
