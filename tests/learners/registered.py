"""The conformance suite for a learner of the registry."""

from __future__ import annotations

from tuner.learners import registry
from tuner.learners.base import Learner
from tuner.testing import LearnerConformance


class Registered(LearnerConformance):
    def make_learner(self) -> Learner:
        return registry.get(self.entry.name)
