"""A spec's task decides which metrics, learners and margins make sense."""

from __future__ import annotations

import pytest

from tuner import catalog
from tuner.errors import TunerError
from tuner.spec import JobSpec, Search

REGRESSION = {"dataset": "npz:a.npz", "task": "regression"}
ABLE = [{"learner": "forest"}]


def problems(data: dict) -> dict[str, str]:
    with pytest.raises(TunerError) as caught:
        JobSpec.parse(data)
    return {v.field: v.problem for v in caught.value.violations}


def test_a_regression_is_judged_on_r2_beside_a_linear_baseline():
    spec = JobSpec.parse({**REGRESSION, "searches": ABLE})
    assert (spec.searches[0].metric, spec.searches[0].direction) == ("r2", "maximize")
    assert spec.baseline == "linear"
    assert "regression" in catalog.LEARNERS["linear"].tasks


def test_a_margin_in_the_targets_units_may_be_of_any_size():
    data = {**REGRESSION, "metric": "rmse", "margin": 2500, "searches": ABLE}
    assert JobSpec.parse(data).question("forest/trees").margin == 2500


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"metric": "error"}, "metric", "error is no score of a regression; mae, rmse, r2 are"),
        ({"searches": [{"learner": "cnn"}]}, "searches[0].learner", "can't be used where the task"),
        ({"baseline": "perceptron"}, "baseline", "can't be used where the task is regression"),
        ({"metric": "rmse", "direction": "maximize"}, "direction", "minimize it"),
        ({"task": "clustering"}, "task", "classification"),
        ({"metric": "mine:cost"}, "searches[0].direction", "must be minimize or maximize"),
    ],
)
def test_what_the_task_has_not_is_refused(changes, field, words):
    assert words in problems({**REGRESSION, "searches": ABLE, **changes})[field]


def test_a_classification_has_no_rmse():
    data = {"dataset": "digits", "metric": "rmse", "searches": ABLE}
    assert "rmse is no score of a classification" in problems(data)["metric"]


def test_a_metric_of_ones_own_goes_by_the_direction_that_is_said():
    data = {"dataset": "digits", "metric": "mine:cost", "direction": "maximize", "margin": 40}
    spec = JobSpec.parse({**data, "searches": ABLE})
    assert spec.question("forest/trees").direction == "maximize"
    assert spec.baseline_search is not None
    assert spec.baseline_search.direction == "maximize"


def test_the_size_of_the_training_set_is_an_axis_of_every_learner():
    spec = JobSpec.parse(
        {"dataset": "digits", "searches": [{"learner": "perceptron", "axis": "samples"}]}
    )
    assert spec.searches[0].key == "perceptron/samples"
    assert spec.searches[0].levels == catalog.SAMPLES.default_levels


def test_levels_without_an_axis_are_refused_with_what_they_may_be_of():
    data = {"dataset": "digits", "searches": [{"learner": "perceptron", "levels": [10, 20]}]}
    assert "name the axis that they are of" in problems(data)["searches[0].levels"]


@pytest.mark.parametrize("name", [n for n, known in catalog.LEARNERS.items() if known.listed])
def test_every_axis_has_ranges_at_each_of_its_levels(name: str):
    known = catalog.LEARNERS[name]
    for axis in known.axes:
        search = Search(name, axis=axis.name)
        for level in search.levels:
            assert set(search.ranges(level)) == set(known.hyperparameters) - {axis.name}


@pytest.mark.parametrize(
    ("levels", "nearest"),
    [([8, 10], "8 or 14"), ([8, 19], "14 or 20"), ([8, 1201], "1196 or 1202")],
)
def test_a_level_between_those_that_there_are_is_refused_with_the_nearest(levels, nearest):
    data = {"dataset": "digits", "searches": [{"learner": "resnet", "levels": levels}]}
    problem = f"{levels[1]} can't be a depth here: it is 6n+2; {nearest} can"
    assert problems(data)["searches[0].levels"] == problem


@pytest.mark.parametrize(
    ("depth", "problem"),
    [
        (10, "10 can't be a depth here: it is 6n+2; 8 or 14 can"),
        ({"choices": [8, 16]}, "16 can't be a depth here: it is 6n+2; 14 or 20 can"),
        ({"low": 8, "high": 20}, "a depth is 6n+2 here, and a range has others; give choices"),
    ],
)
def test_so_is_a_depth_that_stays_on_another_axis(depth, problem):
    search = {"learner": "resnet", "axis": "filters", "space": {"depth": depth}}
    data = {"dataset": "digits", "searches": [search]}
    assert problems(data)["searches[0].space.depth"] == problem


def test_depths_that_there_are_are_taken():
    assert Search("resnet", levels=(8, 14, 1202)).levels == (8, 14, 1202)
    fixed = Search("resnet", axis="filters", space={"depth": {"choices": [8, 20]}})
    assert fixed.ranges()["depth"] == catalog.Choice((8, 20), 8)
