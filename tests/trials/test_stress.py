"""A member's model is measured under conditions, beside its clean scores and on its own time."""

import time
from dataclasses import replace

import numpy as np
import pytest

from tuner.catalog import Condition
from tuner.datasets import registry as datasets
from tuner.datasets.splits import Splits
from tuner.learners import registry as learners
from tuner.learners.fits import TimedOutError
from tuner.record import Outcome, Packet, Phase
from tuner.robustness.base import Disturbed, Effort
from tuner.search.tuning import default_setting
from tuner.spec import JobSpec, Split
from tuner.trials.execute import execute
from tuner.trials.footprint import footprint
from tuner.trials.stress import chosen_examples
from tuner.trials.work import Bearing, Report, SlotConfig, Task

JOB = "namespaces/n/jobs/j"
SPLITS = Splits(datasets.load("digits"), Split(train_limit=300), 0)


@pytest.fixture(autouse=True)
def quick_footprints(monkeypatch):
    monkeypatch.setattr("tuner.trials.footprint.SECONDS", 0.03)


def task(learner: str, axis: str, levels: tuple[int, ...], phase=Phase.MEASURING, **space) -> Task:
    search = {"learner": learner, "axis": axis, "space": space}
    spec = JobSpec.parse({"dataset": "digits", "searches": [search]})
    setting = default_setting(spec.searches[0].ranges())
    packet = Packet("s:1:0", phase, (setting,), levels or (1,), (0, 1))
    return Task(packet, JOB, "s", learner, axis)


def run(work: Task, *conditions: str, tuned=(), effort=None, timeout=60.0, **more) -> Report:
    bearing = Bearing(
        tuple(map(Condition.parse, conditions)),
        tuple(map(Condition.parse, tuned)),
        effort or Effort(),
        more.pop("footprint", False),
    )
    slot = SlotConfig(JOB, "j", 0, 1.0, 0.0, 1, timeout, bearings={"s": bearing})
    return execute(work, SPLITS, slot, "cpu", "cpu", "node-1", **more)


def rows(*args, **more) -> list:
    return list(run(*args, **more).measurements)


def instead(monkeypatch, disturb) -> None:
    monkeypatch.setattr("tuner.robustness.registry.disturb", lambda name: disturb)


def untouched(victim, strength, effort, seed, device):
    return Disturbed(victim.x)


FAMILIES = [
    ("forest", "trees", (2, 8), {}),
    ("boosting", "rounds", (2, 4), {}),
    ("mlp", "epochs", (1, 2), {}),
    ("cnn", "depth", (1, 2), {"epochs": 1, "filters": 4}),
    ("svm", "components", (8, 16), {}),
    ("naive_bayes", "", (), {}),
    ("forest", "samples", (50, 100), {"trees": 4}),
]


@pytest.mark.parametrize(("learner", "axis", "levels", "space"), FAMILIES)
def test_under_a_condition_that_changes_nothing_all_scores_are_the_clean_ones(
    monkeypatch, learner, axis, levels, space
):
    """Of every kind of learner, at each level of a nested axis too, it is the model that scored."""
    instead(monkeypatch, untouched)
    for row in rows(task(learner, axis, levels, **space), "noise:1"):
        assert row.outcome is Outcome.COMPLETED, row.error
        [stress] = row.stresses
        assert (stress.condition, stress.outcome, stress.error) == ("noise:1", "COMPLETED", "")
        assert stress.examples == len(SPLITS.truth.y)
        for metric in ("error", "brier", "log_loss", "auc"):
            assert row.scores[f"{metric}@noise:1"] == pytest.approx(row.scores[metric], abs=1e-6)
            assert row.scores[f"{metric}@clean"] == row.scores[metric]


def test_conditions_change_nothing_of_the_clean_result():
    work = task("forest", "trees", (2, 8))
    plain, borne = rows(work), rows(work, "noise:5", "label_noise:0.5", footprint=True)
    for one, other in zip(plain, borne, strict=True):
        assert one.id == other.id
        clean = {name: value for name, value in other.scores.items() if "@" not in name}
        assert clean == one.scores
        assert other.train_scores == one.train_scores


def test_they_are_measured_on_the_same_examples_whatever_the_replicate(monkeypatch):
    seen = []

    def looking(victim, strength, effort, seed, device):
        seen.append((victim.x.tobytes(), seed))
        return Disturbed(victim.x)

    instead(monkeypatch, looking)
    found = rows(task("forest", "trees", (2, 8)), "noise:1", effort=Effort(examples=40))
    assert {stress.examples for row in found for stress in row.stresses} == {40}
    assert len({x for x, _ in seen}) == 1
    # Two replicates' draws, each the same for both levels.
    assert len(seen) == 4
    assert len({seed for _, seed in seen}) == 2
    fold = SPLITS.measuring(0)
    chosen = chosen_examples(fold, 40)
    assert set(np.bincount(fold.y_score[chosen])) <= {3, 4, 5}
    for row in found:
        assert row.scores["error@clean"] == row.scores["error@noise:1"]


def test_on_samples_every_level_meets_strengths_in_the_same_units(monkeypatch):
    """Ten examples' own range and deviations would be milder than four hundred's."""
    seen = []

    def looking(victim, strength, effort, seed, device):
        seen.append((victim.fold.replicate, len(victim.fold.x), victim.fold.x.tobytes()))
        return Disturbed(victim.x)

    instead(monkeypatch, looking)
    rows(task("forest", "samples", (20, 60), trees=2), "noise:1")
    assert len(seen) == 4
    assert set(seen) == {
        (i, len(fold.x), fold.x.tobytes()) for i in (0, 1) for fold in [SPLITS.measuring(i)]
    }


def test_copies_are_scored_together(monkeypatch):
    """Half of the copies are as they were, the others are blank: the error is the mean."""

    def half(victim, strength, effort, seed, device):
        return Disturbed(np.concatenate([victim.x, np.zeros_like(victim.x)]), copies=2)

    instead(monkeypatch, half)
    for row in rows(task("forest", "trees", (16,)), "shift:1"):
        assert row.scores["error@shift:1"] > row.scores["error"] / 2 + 0.3


def test_a_condition_that_breaks_is_its_own_outcome_and_the_clean_result_stays(monkeypatch):
    def broken(victim, strength, effort, seed, device):
        raise TimedOutError("3 of 20 steps") if strength > 1 else ValueError("no such inputs")

    instead(monkeypatch, broken)
    for row in rows(task("forest", "trees", (2,)), "noise:1", "noise:2"):
        assert row.outcome is Outcome.COMPLETED
        assert "error" in row.scores
        assert "error@noise:1" not in row.scores
        first, second = row.stresses
        assert (first.outcome, first.error) == (Outcome.CRASHED, "ValueError: no such inputs")
        assert second.outcome is Outcome.TIMED_OUT


def test_predictions_that_are_none_break_the_condition_alone(monkeypatch):
    def nan(victim, strength, effort, seed, device):
        return Disturbed(victim.x, copies=3)  # says more copies than there are

    instead(monkeypatch, nan)
    for row in rows(task("forest", "trees", (2,)), "noise:1"):
        assert row.outcome is Outcome.COMPLETED
        assert row.stresses[0].outcome is Outcome.CRASHED
        assert "shape" in row.stresses[0].error


def test_its_time_is_no_time_of_training_and_a_part_of_the_bill(monkeypatch):
    def slow(victim, strength, effort, seed, device):
        time.sleep(0.3)
        return Disturbed(victim.x)

    instead(monkeypatch, slow)
    # Longer in all than a packet may take: each member's conditions have that time anew.
    report = run(task("forest", "trees", (2, 4)), "noise:1", timeout=1.0)
    for row in report.measurements:
        assert row.outcome is Outcome.COMPLETED, row.error
        assert row.standalone_device_seconds < 0.2
        assert 0.3 <= row.robustness_device_seconds < 0.5
        assert row.robustness_device_seconds < row.billed_device_seconds
    billed = sum(row.billed_device_seconds for row in report.measurements)
    assert billed == pytest.approx(report.billed_device_seconds)


def test_tuning_and_runners_up_bear_only_what_the_search_is_judged_on(monkeypatch):
    instead(monkeypatch, untouched)
    for phase in (Phase.TUNING, Phase.RUNNER_UP):
        work = task("forest", "trees", (2,), phase)
        for row in rows(work, "noise:1", "noise:2", tuned=["noise:2"], footprint=True):
            assert [stress.condition for stress in row.stresses] == ["noise:2"]
            assert row.footprint is None
        for row in rows(work, "noise:1"):
            assert not row.stresses
            assert not [name for name in row.scores if "@" in name]


class Forgetful:
    """A learner that hands on no model: it is trained again."""

    def __init__(self) -> None:
        self._inner = learners.get("forest")
        self.entry = self._inner.entry
        self.trained: list[dict] = []

    def problem_with(self, x, classes):
        return None

    def train(self, setting, fold, device):
        self.trained.append(dict(setting))
        return self._inner.train(setting, fold, device)

    def evaluate(self, *packet):
        for result in self._inner.evaluate(*packet):
            yield replace(result, model=None)


def test_a_learner_that_hands_on_no_model_is_trained_again_at_the_level(monkeypatch):
    instead(monkeypatch, untouched)
    learner = Forgetful()
    found = rows(task("forest", "trees", (2, 8)), "noise:1", learner=learner)
    assert [setting["trees"] for setting in learner.trained] == [2, 8, 2, 8]
    for row in found:
        assert row.scores["error@noise:1"] == row.scores["error"]


class Slow(Forgetful):
    """One that takes its time to train."""

    def train(self, setting, fold, device):
        time.sleep(0.2)
        return super().train(setting, fold, device)


@pytest.mark.parametrize("footprint", [False, True])
def test_what_it_takes_to_train_it_again_is_no_part_of_the_trainings_bill(monkeypatch, footprint):
    instead(monkeypatch, untouched)
    conditions = () if footprint else ("noise:1", "noise:2")
    work = task("forest", "trees", (2,))
    for row in rows(work, *conditions, footprint=footprint, learner=Slow()):
        assert row.robustness_device_seconds >= 0.2
        assert row.billed_device_seconds - row.robustness_device_seconds < 0.2


class Gone(Forgetful):
    """One that can't be trained again either."""

    def train(self, setting, fold, device):
        raise ValueError("nothing is kept")


def test_without_a_model_the_conditions_say_why():
    for row in rows(task("forest", "trees", (2,)), "noise:1", footprint=True, learner=Gone()):
        assert row.outcome is Outcome.COMPLETED
        assert [s.condition for s in row.stresses] == ["noise:1", "footprint"]
        assert {s.error for s in row.stresses} == {"ValueError: nothing is kept"}


def test_a_learner_without_predictions_has_no_scores_under_conditions():
    for row in rows(task("simulated", "depth", (1,)), "noise:1", "label_noise:0.1"):
        assert row.outcome is Outcome.COMPLETED
        assert {s.outcome for s in row.stresses} == {Outcome.CRASHED}


def test_a_spoilt_training_set_is_a_fit_of_its_own_at_every_level(monkeypatch):
    folds = []

    def flipped(fold, strength, seed):
        folds.append((fold.replicate, len(fold.x), seed))
        return replace(fold, y=(fold.y + 1) % 10)

    monkeypatch.setattr("tuner.robustness.registry.spoil", lambda name: flipped)
    for row in rows(task("forest", "trees", (2, 16)), "label_noise:0.9"):
        assert row.scores["error@label_noise:0.9"] > 0.9
        assert row.scores["error"] < 0.5
        [stress] = row.stresses
        assert stress.device_seconds > 0
    assert len({seed for *_, seed in folds}) == 2
    folds.clear()
    # On `samples` the part is as small as its level before it is spoilt.
    rows(task("forest", "samples", (20, 60), trees=2), "label_noise:0.9")
    assert [size for _, size, _ in folds] == [20, 20, 60, 60]


def test_a_spoilt_fit_that_fails_is_the_conditions_outcome(monkeypatch):
    def emptied(fold, strength, seed):
        return replace(fold, x=fold.x[:0], y=fold.y[:0])

    monkeypatch.setattr("tuner.robustness.registry.spoil", lambda name: emptied)
    for row in rows(task("forest", "trees", (2,)), "imbalance:0.5"):
        assert row.outcome is Outcome.COMPLETED
        [stress] = row.stresses
        assert stress.outcome is Outcome.CRASHED
        assert "no examples" in stress.error


class Late(Forgetful):
    """One whose time is always up."""

    asked = 0

    def evaluate(self, *packet):
        self.asked += 1
        for result in self._inner.evaluate(*packet):
            yield replace(result, outcome=Outcome.TIMED_OUT, predictions=None, model=None)


def test_where_no_clean_fit_came_to_an_end_none_on_a_spoilt_set_is_tried():
    learner = Late()
    found = rows(task("forest", "trees", (2,)), "label_noise:0.1", "imbalance", learner=learner)
    assert {row.outcome for row in found} == {Outcome.TIMED_OUT}
    assert learner.asked == 1


class Wrong(Forgetful):
    """One whose clean predictions are no probabilities."""

    def evaluate(self, *packet):
        for result in self._inner.evaluate(*packet):
            yield replace(result, predictions=result.predictions * 3)


def test_a_row_that_crashes_bears_nothing():
    for row in rows(task("forest", "trees", (2, 8)), "noise:1", learner=Wrong()):
        assert row.outcome is Outcome.CRASHED
        assert row.scores == {}


class Short(Forgetful):
    """One that leaves out most of the first member's predictions."""

    def evaluate(self, *packet):
        for number, result in enumerate(self._inner.evaluate(*packet)):
            yield replace(result, predictions=result.predictions[: None if number else 3])


def test_predictions_that_are_too_few_are_that_rows_crash_and_nobody_elses():
    first, *others = rows(task("forest", "trees", (2, 8)), "noise:1", learner=Short())
    assert first.outcome is Outcome.CRASHED
    assert "the predictions have the shape (3, 10)" in first.error
    for row in others:
        assert row.outcome is Outcome.COMPLETED
        assert "error@noise:1" in row.scores


def test_a_metric_that_fails_on_the_chosen_examples_alone_fails_the_conditions(monkeypatch):
    def whole(predictions, y, classes, metrics):
        if len(y) == 40:
            raise ValueError("mine raised ZeroDivisionError: division by zero")
        return {"error": 0.5}

    monkeypatch.setattr("tuner.trials.stress.score", whole)
    for row in rows(task("forest", "trees", (2,)), "noise:1", effort=Effort(examples=40)):
        assert row.outcome is Outcome.COMPLETED
        [stress] = row.stresses
        assert (stress.condition, stress.outcome) == ("noise:1", Outcome.CRASHED)
        assert "mine raised ZeroDivisionError" in stress.error


def test_a_level_that_fails_after_attacks_on_smaller_ones_cost_only_its_training(monkeypatch):
    def slow(victim, strength, effort, seed, device):
        time.sleep(0.3)
        return Disturbed(victim.x)

    class Stops(type(learners.get("forest"))):
        def fit(self, axis, setting, levels, fold, device):
            yield next(super().fit(axis, setting, levels, fold, device))
            raise MemoryError

    instead(monkeypatch, slow)
    found = rows(task("forest", "trees", (2, 8)), "noise:1", learner=Stops())
    for row in (row for row in found if row.level == 8):
        assert row.outcome is Outcome.OUT_OF_MEMORY
        assert row.standalone_device_seconds < 0.25


@pytest.mark.parametrize(("learner", "axis", "levels", "space"), FAMILIES)
def test_a_footprint_tells_latency_and_size(learner, axis, levels, space):
    for row in rows(task(learner, axis, levels, **space), footprint=True):
        found = row.footprint
        assert found is not None, row.stresses
        assert found.latency_ms > 0
        assert found.batch_latency_ms > 0
        assert found.model_bytes > 100
        assert row.robustness_device_seconds == found.device_seconds > 0


def test_a_model_that_scales_in_place_what_it_is_shown_spoils_no_example():
    class Scaling:
        kind, parameters = "mine", 1

        def predict(self, x):
            x *= 2
            return x

        def save(self, folder):
            (folder / "mine").write_bytes(bytes(10))

    x = np.ones((3, 2), dtype=np.float32)
    found, unsaved = footprint(Scaling(), x, 1.0)
    assert unsaved is None
    assert found.model_bytes > 10
    assert (x == 1).all()


def test_a_larger_forest_is_larger_and_slower():
    small, large = (
        r.footprint for r in rows(task("forest", "trees", (2, 64)), footprint=True)[::2]
    )
    assert large.model_bytes > 10 * small.model_bytes
    assert large.latency_ms > 3 * small.latency_ms


def test_the_first_three_replicates_are_timed_and_weighed():
    work = task("forest", "trees", (2, 4))
    found = rows(replace(work, packet=replace(work.packet, replicates=(1, 2, 3))), footprint=True)
    assert {row.replicate for row in found if row.footprint} == {1, 2}
    assert not [row for row in found if row.replicate == 3 and row.robustness_device_seconds]


def test_a_packet_that_killed_its_workers_is_tried_without_its_conditions(monkeypatch):
    def deadly(victim, strength, effort, seed, device):
        raise AssertionError("it was tried again")

    instead(monkeypatch, deadly)
    monkeypatch.setattr("tuner.robustness.registry.spoil", lambda name: deadly)
    work = replace(task("forest", "trees", (2, 4)), bare="its worker died 3 times")
    for row in rows(work, "noise:1", "label_noise:0.2", footprint=True):
        assert row.outcome is Outcome.COMPLETED
        assert "error" in row.scores
        assert {s.condition for s in row.stresses} == {"noise:1", "label_noise:0.2", "footprint"}
        assert {s.error for s in row.stresses} == {"its worker died 3 times"}


def test_a_model_that_cant_be_saved_is_timed_all_the_same(monkeypatch):
    def unsaved(model, folder, about):
        raise AttributeError("no save")

    monkeypatch.setattr("tuner.learners.saved.save", unsaved)
    for row in rows(task("forest", "trees", (2,)), footprint=True):
        assert row.footprint.model_bytes is None
        assert row.footprint.latency_ms > 0
        assert [(s.condition, s.error) for s in row.stresses] == [
            ("footprint", "AttributeError: no save")
        ]
