"""What is recorded of a packet: scores of what was trained on, and of nothing ill-shaped."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from tuner.datasets import registry
from tuner.datasets.splits import Splits
from tuner.learners import registry as learners
from tuner.record import Measurement, Outcome, Packet, Phase
from tuner.search.tuning import default_setting
from tuner.spec import Search, Split
from tuner.trials.execute import execute
from tuner.trials.work import SlotConfig, Task

SLOT = SlotConfig("namespaces/default/jobs/x", "x", 0, 1.0, 0.0, 1, 60.0)


def run(learner: str, axis: str, levels: Sequence[int], made=None) -> tuple[Measurement, ...]:
    setting = default_setting(Search(learner, axis=axis).ranges())
    packet = Packet("p", Phase.MEASURING, (setting,), tuple(levels), (0,))
    task = Task(packet, SLOT.job, learner, learner, axis)
    splits = Splits(registry.load("digits"), Split(), 0)
    return execute(task, splits, SLOT, "cpu", "cpu", "node", made).measurements


def test_train_scores_are_of_the_examples_that_were_trained_on() -> None:
    for row in run("logistic", "samples", (100, 1000)):
        assert row.outcome is Outcome.COMPLETED, row.error
        assert row.train_scores["error"] < 0.01
        assert row.scores["error"] < 0.2


class Answers:
    """A learner whose model predicts what it is told to."""

    def __init__(self, shape: str) -> None:
        self.inner = learners.get("logistic")
        self.entry = self.inner.entry
        self.shape = shape

    def evaluate(self, *packet):
        from dataclasses import replace

        for result in self.inner.evaluate(*packet):
            p = result.predictions
            assert p is not None
            spoilt = {"labels": p.argmax(axis=1).astype(float), "few": p[:, :2], "logits": 9 * p}
            yield replace(result, predictions=spoilt[self.shape])


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ("labels", "have the shape (449,); (449, 10) is needed"),
        ("few", "have the shape (449, 2); (449, 10) is needed"),
        ("logits", "are no probabilities"),
    ],
)
def test_predictions_of_another_kind_crash_their_member(shape: str, words: str) -> None:
    [row] = run("logistic", "", (1,), Answers(shape))
    assert row.outcome is Outcome.CRASHED
    assert words in row.error
    assert not row.scores


def test_the_spoilt_ones_were_fine_before() -> None:
    [row] = run("logistic", "", (1,))
    assert np.isfinite(row.scores["auc"])
