"""A sweep of one's own is stopped when its trials have answered, as a whole and not before."""

from __future__ import annotations

import math
import random
from collections import Counter

import optuna
import pytest

from tests.integrations.tune_loop import error_of
from tuner.curve import Question
from tuner.integrations.optuna import ReturnsCallback
from tuner.integrations.ray import ReturnsStopper
from tuner.integrations.sweep import Sweep
from tuner.returns import DataError, analyze
from tuner.testing.truths import CASES, Judgement, tally

LEVELS = [1, 2, 4, 8, 16, 32]
SEEDS = range(20)

optuna.logging.set_verbosity(optuna.logging.ERROR)


# The rule


@pytest.mark.parametrize(
    "name", ["just the margin", "rising", "plateau early", "two levels, just the margin"]
)
def test_what_it_stops_with_is_seldom_wrong_whatever_the_order_of_runs(name):
    chance = random.Random(name)

    def rule(question: Question, scores):
        sweep = Sweep(question, "seed", min_replicates=4)
        cells = [(i, r) for i in range(scores.shape[0]) for r in range(scores.shape[1])]
        chance.shuffle(cells)
        for i, replicate in cells:
            sweep.add(question.levels[i], replicate, scores[i, replicate])
            if sweep.answered:
                break
        return sweep.verdict

    found = tally(CASES[name], rule, curves=40)
    assert found[Judgement.WRONG] <= 6  # of two that may be; more has a chance of .003
    if name in ("rising", "plateau early"):
        assert found[Judgement.RIGHT] == 40


def sweep(levels=LEVELS, **more) -> Sweep:
    question = Question("width", "", "width", tuple(levels), "error", "minimize", 0.02, **more)
    return Sweep(question, "seed", min_replicates=4)


def fill(sweep: Sweep, widths, seeds=SEEDS, plateau: int = 4) -> int:
    """Returns how many runs it took."""
    for count, (seed, width) in enumerate(((s, w) for s in seeds for w in widths), start=1):
        sweep.add(width, seed, error_of({"width": width, "seed": seed}, plateau))
        if sweep.answered:
            return count
    return 0


def test_it_stops_as_soon_as_it_is_answered_and_reads_no_more():
    s = sweep()
    assert 0 < fill(s, LEVELS) < len(LEVELS) * len(SEEDS) / 2
    assert s.verdict.answer == ("PLATEAUED", 4)
    before = s.curve()
    fill(s, LEVELS)
    assert s.curve() == before


def test_a_plateau_among_the_large_levels_is_no_answer_while_smaller_ones_have_not_run():
    s = sweep()
    assert fill(s, [8, 16, 32]) == 0
    assert s.verdict.answer == ("PLATEAUED", 8)  # of what is measured
    for seed in range(3):
        for width in (1, 2, 4):
            s.add(width, seed, error_of({"width": width, "seed": seed}))
            assert not s.answered
    fill(s, [1, 2, 4])
    assert s.answered
    assert s.verdict.answer == ("PLATEAUED", 4)


def test_a_rising_curve_is_answered_at_its_top():
    s = sweep(levels=[1, 2, 4])
    assert fill(s, [1, 2], plateau=10**6) == 0
    assert fill(s, [4], plateau=10**6)
    assert s.verdict.answer == ("RISING", None)


def test_no_digit_depends_on_the_order_of_arrival():
    runs = [(w, s, error_of({"width": w, "seed": s}, 1, sd=0.1)) for w in LEVELS for s in SEEDS]
    curves = []
    for shuffle in range(3):
        s = sweep()
        for width, seed, score in random.Random(shuffle).sample(runs, len(runs)):
            s.add(width, seed, score)
        assert not s.answered
        curves.append(s.curve())
    assert curves[0] == curves[1] == curves[2]
    columns = {"width": [r[0] for r in runs], "seed": [r[1] for r in runs]}
    table = analyze(
        {**columns, "error": [r[2] for r in runs]},
        level="width",
        score="error",
        direction="minimize",
        margin=0.02,
        replicate="seed",
        design="sequential",
    )
    assert table.verdict == curves[0].verdict == s.verdict
    assert table.levels == curves[0].levels


def test_two_scores_of_one_replicate_never_answer():
    s = sweep()
    s.add(1, 0, 0.25)
    s.add(1, 0, 0.25)  # the same again is no news
    assert fill(s, LEVELS, seeds=range(1, 3)) == 0
    s.add(1, 0, 0.24)
    assert fill(s, LEVELS) == 0
    with pytest.raises(DataError, match=r"width 1, seed 0 was run twice, with 0\.25 and 0\.24"):
        s.curve()
    assert s.verdict.outcome == "INCONCLUSIVE"
    assert "keep to one setting a level" in s.verdict.missing[0]


def test_a_failure_is_counted_until_the_run_succeeds():
    s = sweep()
    s.add(1, 0, math.nan)
    s.add(1, 1, 0.2)
    assert (s.curve().at(1).replicates, s.curve().at(1).failed) == (1, 1)
    s.add(1, 0, 0.21)
    s.add(1, 0, math.inf)
    assert (s.curve().at(1).replicates, s.curve().at(1).failed) == (2, 0)


def test_a_level_that_is_not_on_the_ladder_is_refused():
    with pytest.raises(ValueError, match="width 3 is not on the ladder"):
        sweep().add(3, 0, 0.5)


@pytest.mark.parametrize(
    ("replicate", "least", "said"),
    [("width", 4, "are the same"), ("seed", 1, "two are the fewest")],
)
def test_what_can_not_be_read_is_refused(replicate, least, said):
    with pytest.raises(ValueError, match=said):
        Sweep(sweep().question, replicate, least)


# Ray Tune's stopper


def stopper(**more) -> ReturnsStopper:
    return ReturnsStopper("width", LEVELS, metric="error", mode="min", margin=0.02, **more)


def result(width, seed, iteration=1, done=True, **more):
    config = {"width": width, "seed": seed}
    score = {"error": error_of(config)}
    told = {"config": config, "training_iteration": iteration, "time_total_s": 2.0, "done": done}
    return {**score, **told, "trial_id": f"{width}/{seed}", **more}


def test_the_stopper_ends_all_trials_at_once_and_never_a_single_one():
    enough = stopper()
    grid = [(w, s) for w in LEVELS for s in SEEDS]
    ended = 0
    for width, seed in random.Random(0).sample(grid, len(grid)):
        ended += 1
        for iteration, done in ((1, False), (2, False), (2, True)):
            assert not enough.stop_all()
            assert enough(f"{width}/{seed}", result(width, seed, iteration, done)) is False
        if enough.stop_all():
            break
    assert ended < len(grid)
    assert enough.stopped
    assert enough.verdict.answer == ("PLATEAUED", 4)
    assert enough.curve.verdict == enough.verdict
    assert enough.curve.at(4).standalone_device_seconds == 2.0
    assert enough("late", result(1, 99)) is False  # nor after the end


def test_the_stopper_reads_only_what_ended_by_itself():
    enough = stopper()
    for width in LEVELS:
        for seed in SEEDS:  # a scheduler cuts all of them short
            assert enough(f"{width}/{seed}", result(width, seed, done=False)) is False
    assert not enough.stop_all()
    assert enough.verdict.missing == ("no level is measured",)


def test_the_stopper_reads_a_trial_once_when_it_is_said_how_long_it_is():
    enough = stopper(iterations=2)
    for iteration, error in ((1, 0.9), (2, 0.3), (3, 0.1)):
        enough("a", result(1, 0, iteration, done=iteration == 3, error=error))
    assert enough.curve.at(1).score == 0.3


@pytest.mark.parametrize("error", [math.nan, math.inf, None, "none"])
def test_the_stopper_counts_a_trial_without_a_score_as_failed(error):
    enough = stopper()
    enough("a", result(1, 0, error=error))
    enough("b", result(1, 1))
    assert (enough.curve.at(1).replicates, enough.curve.at(1).failed) == (1, 1)


def test_the_stopper_finds_its_keys_within():
    enough = ReturnsStopper(
        "net/width", LEVELS, metric="error", mode="min", margin=0.02, replicate="k/seed"
    )
    enough("a", {**result(1, 0), "config": {"net": {"width": 8}, "k/seed": 3}})
    assert enough.curve.at(8).replicates == 1


def test_a_config_that_does_not_say_its_level_ends_the_experiment_at_once():
    with pytest.raises(ValueError, match=r"of trial 1/0 has no 'width'; it has 'depth', 'seed'"):
        stopper()("a", {**result(1, 0, done=False), "config": {"depth": 1, "seed": 0}})


# Optuna's callback


def objective(trial: optuna.Trial) -> float:
    width = trial.suggest_categorical("width", LEVELS)
    seed = trial.suggest_categorical("seed", list(SEEDS))
    return error_of({"width": width, "seed": seed})


def study(seed: int = 0, **more) -> optuna.Study:
    grid = optuna.samplers.GridSampler({"width": LEVELS, "seed": list(SEEDS)}, seed=seed)
    return optuna.create_study(sampler=grid, **more)


def callback(**more) -> ReturnsCallback:
    return ReturnsCallback("width", more.pop("levels", LEVELS), margin=0.02, **more)


@pytest.mark.parametrize("n_jobs", [1, 3])
def test_the_callback_stops_the_study_and_no_single_trial(n_jobs):
    enough, s = callback(), study()
    s.optimize(objective, callbacks=[enough], n_jobs=n_jobs)
    assert enough.stopped
    assert enough.verdict.answer == ("PLATEAUED", 4)
    assert enough.curve.verdict == enough.verdict
    assert len(s.trials) < len(LEVELS) * len(SEEDS)
    states = {t.state for t in s.trials}
    assert states == {optuna.trial.TrialState.COMPLETE}


def test_the_callback_knows_which_way_is_better():
    enough, s = callback(), study(direction="maximize")
    s.optimize(lambda t: 1 - objective(t), callbacks=[enough])
    assert enough.verdict.answer == ("PLATEAUED", 4)


def test_the_callback_counts_failed_and_pruned_trials_as_failed():
    def frail(trial):
        value = objective(trial)
        if trial.params["width"] == 2 and trial.params["seed"] % 2:
            raise RuntimeError
        if trial.params["width"] == 8 and trial.params["seed"] % 2:
            raise optuna.TrialPruned
        return value

    enough, s = callback(), study()
    s.optimize(frail, n_trials=60, callbacks=[enough], catch=(RuntimeError,))
    failed = Counter(
        t.params["width"] for t in s.trials if t.state is not optuna.trial.TrialState.COMPLETE
    )
    assert {row.level: row.failed for row in enough.curve.levels if row.failed} == failed
    assert set(failed) == {2, 8}


def test_the_callback_takes_user_attributes_for_what_is_no_parameter():
    def attributed(trial):
        rate = trial.suggest_float("rate", 0.009, 0.011)
        width, seed = LEVELS[trial.number % 6], trial.number // 6
        trial.set_user_attr("width", width)
        trial.set_user_attr("seed", f"seed {seed}")
        return error_of({"width": width, "seed": seed, "rate": rate})

    enough = callback()
    optuna.create_study().optimize(attributed, n_trials=120, callbacks=[enough])
    assert enough.verdict.answer == ("PLATEAUED", 4)


def test_a_study_that_goes_on_stops_where_it_would_have():
    storage = optuna.storages.InMemoryStorage()
    whole, first = callback(), study(storage=storage, study_name="whole")
    first.optimize(objective, callbacks=[whole])
    again, second = callback(), study(storage=storage, study_name="halves")
    second.optimize(objective, n_trials=10)  # and nobody looks
    second.optimize(objective, callbacks=[again])
    assert len(second.trials) == len(first.trials)
    assert again.verdict == whole.verdict


def test_a_trial_that_does_not_say_its_replicate_is_refused():
    with pytest.raises(ValueError, match="trial 0 has no 'split' among its parameters"):
        study().optimize(objective, n_trials=1, callbacks=[callback(replicate="split")])


def test_one_callback_reads_one_study():
    enough = callback()
    study().optimize(objective, n_trials=1, callbacks=[enough])
    with pytest.raises(ValueError, match="make one for each study"):
        study().optimize(objective, n_trials=1, callbacks=[enough])


def test_a_trial_that_failed_before_it_said_its_level_is_nobodys():
    def early(trial):
        if trial.number % 2:
            raise RuntimeError
        return objective(trial)

    enough = callback()
    study().optimize(early, n_trials=6, callbacks=[enough], catch=(RuntimeError,))
    assert sum(row.replicates for row in enough.curve.levels) == 3
    assert not any(row.failed for row in enough.curve.levels)
