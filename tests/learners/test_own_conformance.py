"""The example of a learner of one's own keeps every promise of `tuner.learners.base`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import ClassVar

sys.path.append(str(Path(__file__).parents[2] / "examples" / "own_learner"))

from attention import Attention, cost

from tuner.learners.base import Learner
from tuner.record import Outcome
from tuner.testing import LearnerConformance


class TestAttention(LearnerConformance):
    entry = Attention.entry
    axis = "depth"
    levels = (1, 2)
    quick: ClassVar = {"epochs": 1, "size": 8}
    failing = ({"learning_rate": 1e30}, Outcome.DIVERGED)
    keeps = False
    accelerated = True

    def make_learner(self) -> Learner:
        return Attention()


def test_its_metric_counts_how_much_larger_a_digit_was_taken_for() -> None:
    import numpy as np

    assert cost(np.array([0, 3]), np.eye(4)[[2, 3]]) == 1.0
