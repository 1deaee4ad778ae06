"""The learner whose curve is known keeps the promises of `tuner.learners.base`."""

from __future__ import annotations

from registered import Registered

from tuner import catalog
from tuner.record import Outcome


class TestSimulatedDepth(Registered):
    entry = catalog.LEARNERS["simulated"]
    axis = "depth"
    levels = (1, 2, 4)
    failing = ({"failures": 1.0}, Outcome.DIVERGED)
    costs = False
    keeps = False


class TestSimulatedTrees(TestSimulatedDepth):
    axis = "trees"
