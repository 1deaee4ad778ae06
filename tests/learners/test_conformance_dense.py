"""Stacked Boltzmann machines keep the promises of `tuner.learners.base`, on every axis."""

from __future__ import annotations

from typing import ClassVar

import pytest
from registered import Registered

from tuner import catalog
from tuner.datasets.base import Fold
from tuner.record import Outcome
from tuner.testing import tiny_table


class TestRbmUnits(Registered):
    entry = catalog.LEARNERS["rbm"]
    axis = "units"
    levels = (2, 5)
    quick: ClassVar = {"epochs": 2, "batch_size": 16}
    failing = ({"learning_rate": 1e38}, Outcome.DIVERGED)
    accelerated = True


@pytest.mark.slow
class TestRbmUnitsOnTables(TestRbmUnits):
    def make_fold(self, replicate: int) -> Fold:
        return tiny_table(replicate)


class TestRbmDepth(TestRbmUnits):
    axis = "depth"
    levels = (1, 3)
    quick: ClassVar = {"epochs": 2, "batch_size": 16, "units": 4}


@pytest.mark.slow
class TestRbmDepthPersistent(TestRbmDepth):
    quick: ClassVar = {"epochs": 2, "batch_size": 16, "units": 4, "algorithm": "persistent"}


@pytest.mark.slow
class TestRbmSamples(TestRbmUnits):
    axis = "samples"
    levels = (10, 40)
    quick: ClassVar = {"epochs": 2, "batch_size": 16, "units": 4}
