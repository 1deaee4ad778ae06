"""The job of a spot test: every family that can, at levels that are, within the time there is."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuner import catalog
from tuner.catalog import SAMPLES, Axis, Learner, Number
from tuner.errors import Status, TunerError
from tuner.spec import JobSpec
from tuner.spot import Asked, check, plan
from tuner.spot.plan import (
    FEWER_LEVELS,
    FROM_CHEAP_TO_DEAR,
    LEVELS,
    MOST_MINUTES,
    REPLICATES,
    families,
    ladder,
)

DATA = {
    "classification": ("digits", "csv:cells.csv?target=kind", "npz:cells.npz", "images:folder"),
    "regression": ("csv:cells.csv?target=price", "npz:cells.npz"),
}


def able(task: str) -> set[str]:
    return {n for n, known in catalog.LEARNERS.items() if known.listed and task in known.tasks}


@st.composite
def asked(draw: st.DrawFn) -> Asked:
    task = draw(st.sampled_from(sorted(DATA)))
    chosen = draw(st.lists(st.sampled_from(sorted(able(task))), unique=True))
    return Asked(
        dataset=draw(st.sampled_from(DATA[task])),
        task=task,
        margin=draw(st.none() | st.floats(0.001, 0.5)),
        minutes=draw(st.floats(0.5, MOST_MINUTES)),
        families=tuple(chosen),
        seed=draw(st.integers(0, 2**32)),
    )


@settings(max_examples=60, deadline=None)
@given(asked(), st.floats(5, 3600))
def test_every_family_that_can_is_there_on_few_levels_and_within_the_time(asked, seconds):
    check(asked)
    spec = plan(asked, seconds)
    assert {s.learner for s in spec.searches} == (set(asked.families) or able(asked.task))
    assert {s.metric for s in spec.all_searches()} == {catalog.USUAL_METRIC[asked.task]}
    places = [FROM_CHEAP_TO_DEAR.index(s.learner) for s in spec.searches]
    assert places == sorted(places)
    for search in spec.searches:
        known = catalog.LEARNERS[search.learner]
        axis = known.axis(known.usual_axis)
        assert search.axis == known.usual_axis
        assert search.levels == (ladder(known) or (1,))
        assert not axis or set(search.levels) <= set(axis.default_levels)
        assert not axis or 2 <= len(search.levels) <= LEVELS
    assert spec.tuning.trials == 1
    assert spec.measuring.min_replicates == spec.measuring.max_replicates == REPLICATES
    assert spec.measuring.footprint
    assert spec.budget.wall_clock_hours == pytest.approx(seconds / 3600)
    assert spec.resources.packet_timeout_seconds <= max(10.0, seconds / 10)
    assert 100 <= spec.split.train_limit <= 400 * MOST_MINUTES
    # It is judged as any other, and comes through as it is.
    assert JobSpec.parse(spec.model_dump(mode="json")) == spec


def test_every_listed_family_has_its_place_from_cheap_to_dear():
    listed = {name for name, known in catalog.LEARNERS.items() if known.listed}
    assert set(FROM_CHEAP_TO_DEAR) == listed
    assert FEWER_LEVELS.keys() <= listed


def test_the_baseline_runs_where_nobody_asks_for_it():
    spec = plan(Asked("digits", families=("forest",)), 100)
    assert [s.learner for s in spec.all_searches()] == ["forest", "perceptron"]


def test_families_keep_to_the_task():
    assert set(families("regression")) == able("regression")
    assert "cnn" not in families("regression")
    assert families("classification", ("resnet", "svm", "resnet")) == ["svm", "resnet"]


@settings(deadline=None)
@given(
    levels=st.sets(st.integers(1, 4096), min_size=2, max_size=8).map(sorted).map(tuple),
    usual=st.none() | st.integers(0, 5000),
)
def test_a_ladder_is_about_the_usual_level(levels, usual):
    hyperparameters = {} if usual is None else {"size": Number(0, 5000, usual, integer=True)}
    learner = Learner("any", "", (Axis("size", 1, 5000, levels),), hyperparameters)
    found = ladder(learner)
    at = levels.index(found[0])
    assert found == levels[at : at + len(found)]
    assert min(len(levels), 2) <= len(found) <= LEVELS
    below = [level for level in levels if usual and level <= usual]
    if below:
        assert below[-1] in found
        # One step up at most; two where the ladder begins at the usual level.
        assert sum(level > usual for level in found) <= max(1, 2 - len(below))
    else:
        assert found[0] == levels[0]


@settings(deadline=None)
@given(st.sampled_from([k for k in catalog.LEARNERS.values() if k.listed]))
def test_ladders_of_the_catalog_hold_the_usual_level_and_no_dear_one(learner):
    found = ladder(learner)
    usual = learner.reference(learner.usual_axis) if learner.usual_axis else None
    assert bool(found) == any(axis is not SAMPLES for axis in learner.axes)
    assert all(a < b for a, b in itertools.pairwise(found))
    if usual:
        assert found[0] <= usual
        assert found[-1] < 4 * usual


@pytest.mark.parametrize(
    ("asked", "field", "said"),
    [
        (Asked("digits", minutes=0), "--minutes", "from 0.5 to 60"),
        (Asked("digits", minutes=-3), "--minutes", "can't be -3"),
        (Asked("digits", minutes=float("nan")), "--minutes", "can't be nan"),
        (Asked("digits", minutes=1e9), "--minutes", "from 0.5 to 60"),
        (Asked("digitz"), "dataset", "there is no data source 'digitz'"),
        (Asked("csv:cells.csv"), "dataset.options.target", "is missing"),
        (Asked("digits", families=("forrest",)), "--families", "did you mean 'forest'?"),
        (
            Asked("npz:a.npz", task="regression", families=("cnn",)),
            "--families",
            "cnn can't be used where the task is regression; linear, neighbors",
        ),
        (Asked("digits", metric="eror"), "metric", "there is no metric 'eror'"),
        (Asked("digits", metric="r2"), "metric", "r2 is no score of a classification"),
        (Asked("digits", margin=2.0), "margin", "must be less than 1"),
        (Asked("npz:a.npz", task="regression", metric="mae"), "--margin", "in mae matters"),
        (Asked("digits", metric="log_loss"), "--margin", "is missing"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_field(asked, field, said):
    with pytest.raises(TunerError) as refused:
        check(asked)
    assert refused.value.status is Status.INVALID_ARGUMENT
    told = {v.field: v.problem for v in refused.value.violations}
    assert said in told[field]
