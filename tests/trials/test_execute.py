"""A packet becomes a row a member, whatever its learner does."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from tuner import scoring
from tuner.datasets import registry as datasets
from tuner.datasets.splits import Splits
from tuner.learners import registry
from tuner.learners.base import Result
from tuner.predictions import decode
from tuner.record import Member, Outcome, Packet, PacketOutcome, Phase
from tuner.search.tuning import default_setting
from tuner.spec import JobSpec, Split
from tuner.trials.execute import execute
from tuner.trials.work import Report, SlotConfig, Task

JOB = "namespaces/n/jobs/j"
SPLITS = Splits(datasets.load("digits"), Split(), 0)


def slot(gpus: float = 0.0, timeout: float = 60.0) -> SlotConfig:
    return SlotConfig(JOB, "j", 0, 1.0, gpus, 1, timeout)


def task(learner: str, axis: str, levels: tuple[int, ...], phase=Phase.MEASURING, **space) -> Task:
    spec = JobSpec.parse(
        {"dataset": "digits", "searches": [{"learner": learner, "axis": axis, "space": space}]}
    )
    setting = default_setting(spec.searches[0].ranges())
    packet = Packet("s:1:0", phase, (setting,), levels, (0, 1))
    return Task(packet, JOB, "s", learner, axis)


def told(work: Task, **more) -> Report:
    return execute(work, SPLITS, SlotConfig(JOB, "j", 0, 1.0, 0.0, 1, 60.0, **more), "cpu", "", "")


def run(work: Task, **more) -> list:
    report = execute(work, SPLITS, slot(**more), "cpu", "cpu", "node-1")
    assert report.outcome is PacketOutcome.COMPLETED
    assert len(report.measurements) == len(list(work.packet.members()))
    billed = sum(m.billed_device_seconds for m in report.measurements)
    assert billed == pytest.approx(report.billed_device_seconds)
    return list(report.measurements)


def test_every_member_has_its_scores_costs_and_size():
    rows = run(task("forest", "trees", (1, 8)))
    assert [(m.level, m.replicate) for m in rows] == [(1, 0), (1, 1), (8, 0), (8, 1)]
    for m in rows:
        assert m.outcome is Outcome.COMPLETED
        assert set(m.scores) == set(m.train_scores)
        assert set(m.scores) >= {"error", "accuracy", "brier", "log_loss", "auc"}
        assert m.standalone_device_seconds > 0
        assert m.parameters > 0
    assert rows[2].scores["brier"] < rows[0].scores["brier"]
    assert rows[2].standalone_device_seconds > rows[0].standalone_device_seconds


def test_tuning_and_measuring_score_on_different_examples():
    tuned = run(task("forest", "trees", (4,), Phase.TUNING))
    measured = run(task("forest", "trees", (4,)))
    assert tuned[0].scores != measured[0].scores
    assert tuned[0].id != measured[0].id


def test_a_runner_up_is_measured_like_a_winner():
    """The same fold and seed: the differences of the two are paired."""
    winner = run(task("forest", "trees", (4,)))
    second = run(task("forest", "trees", (4,), Phase.RUNNER_UP))
    assert [m.scores for m in second] == [m.scores for m in winner]
    assert not {m.id for m in second} & {m.id for m in winner}
    assert {m.phase for m in second} == {Phase.RUNNER_UP}


@pytest.mark.parametrize("phase", [Phase.MEASURING, Phase.RUNNER_UP])
def test_what_is_measured_comes_with_predictions_that_give_its_scores(phase):
    report = told(task("forest", "trees", (1, 8), phase))
    assert set(report.predictions) == {m.id for m in report.measurements}
    for m in report.measurements:
        again = scoring.scores(decode(report.predictions[m.id]), SPLITS.truth.y)
        assert again == pytest.approx(dict(m.scores), abs=1e-6)


def test_tuning_and_whoever_asks_for_none_keep_no_predictions():
    assert told(task("forest", "trees", (4,), Phase.TUNING)).predictions == {}
    assert told(task("forest", "trees", (4,)), predictions=False).predictions == {}


def test_predictions_that_are_too_large_are_left_out_and_the_scores_stay(monkeypatch):
    monkeypatch.setattr("tuner.trials.execute.KEPT_BYTES", 100)
    report = told(task("forest", "trees", (4,)))
    assert report.predictions == {}
    assert all(m.scores for m in report.measurements)


def test_the_truth_is_the_tests_by_its_rows_in_the_source():
    data, truth = datasets.load("digits"), SPLITS.truth
    np.testing.assert_array_equal(data.y[truth.rows], truth.y)
    np.testing.assert_array_equal(data.x[truth.rows], SPLITS.measuring(3).x_score)
    assert truth.classes == data.classes


def test_the_bill_is_the_reserved_share_of_the_device():
    rows = run(task("simulated", "depth", (1,), seconds=0.2), gpus=0.25)
    assert sum(m.billed_device_seconds for m in rows) == pytest.approx(0.25 * 0.4, rel=0.3)


def test_what_takes_too_long_is_timed_out():
    rows = run(task("simulated", "depth", (1,), seconds=5.0), timeout=0.1)
    assert {m.outcome for m in rows} == {Outcome.TIMED_OUT}


class Rogue:
    """A learner that breaks its promises in one way."""

    name = "simulated"

    def __init__(self, how: str) -> None:
        self.how = how

    def evaluate(self, axis, settings, levels, folds, device) -> Iterator[Result]:
        member = Member(settings[0], levels[0], folds[0].replicate)
        if self.how == "shape":
            yield Result(member, Outcome.COMPLETED, np.zeros((3, 2)))
        if self.how == "nan":
            shape = (len(folds[0].y_score), folds[0].classes)
            yield Result(member, Outcome.COMPLETED, np.full(shape, np.nan))
        if self.how == "raise":
            raise RuntimeError("out of luck")


@pytest.mark.parametrize(
    ("how", "outcome", "words"),
    [
        ("raise", Outcome.CRASHED, "out of luck"),
        ("silent", Outcome.CRASHED, "no result"),
        ("shape", Outcome.CRASHED, "shape"),
        ("nan", Outcome.DIVERGED, "NaN"),
    ],
)
def test_a_learner_that_breaks_its_promises_is_recorded(monkeypatch, how, outcome, words):
    monkeypatch.setattr(registry, "get", lambda name: Rogue(how))
    rows = run(task("simulated", "depth", (1,)))
    assert rows[0].outcome is outcome
    assert words in rows[0].error
    assert rows[0].scores == {}
    assert rows[1].outcome is Outcome.CRASHED  # the member that it never came to


def test_a_learner_that_is_more_than_its_name_runs():
    class Told(type(registry.get("forest"))):
        def evaluate(self, *packet):
            for result in super().evaluate(*packet):
                yield replace(result, parameters=7)

    work = task("forest", "trees", (1,))
    report = execute(work, SPLITS, slot(), "cpu", "cpu", "node-1", Told())
    assert [m.parameters for m in report.measurements] == [7, 7]
