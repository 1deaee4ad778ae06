"""The spec: one judge of form, whose refusals name the field, the fault and the cure."""

import json

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tuner import catalog
from tuner.errors import Status, TunerError
from tuner.spec import Fixed, JobSpec, Search

SHORTEST = {"dataset": "digits", "searches": [{"learner": "forest"}]}


def violations(data: object) -> dict[str, str]:
    with pytest.raises(TunerError) as caught:
        JobSpec.parse(data)
    assert caught.value.status is Status.INVALID_ARGUMENT
    return {v.field: v.problem for v in caught.value.violations}


def with_search(**search: object) -> dict[str, object]:
    return {"dataset": "digits", "searches": [{"learner": "cnn", **search}]}


def test_the_shortest_spec_is_a_data_set_and_one_search():
    spec = JobSpec.parse(SHORTEST)
    search = spec.searches[0]
    assert (search.axis, search.key, search.metric) == ("trees", "forest/trees", "brier")
    assert search.levels == (1, 4, 16, 64, 256, 1024)
    assert [s.key for s in spec.all_searches()] == ["forest/trees", "perceptron"]


def test_python_yaml_and_json_give_the_same_spec(tmp_path):
    made = JobSpec(
        dataset="digits",
        margin=0.02,
        searches=[
            Search("cnn", axis="depth", levels=[1, 2, 4], space={"filters": 8}),
            Search("forest", axis="trees", levels=[1, 4, 16]),
        ],
    )
    data = {
        "dataset": "digits",
        "margin": 0.02,
        "searches": [
            {"learner": "cnn", "axis": "depth", "levels": [1, 2, 4], "space": {"filters": 8}},
            {"learner": "forest", "axis": "trees", "levels": [1, 4, 16]},
        ],
    }
    (tmp_path / "job.yaml").write_text(yaml.safe_dump(data))
    (tmp_path / "job.json").write_text(json.dumps(data))
    assert JobSpec.from_file(tmp_path / "job.yaml") == made
    assert JobSpec.from_file(tmp_path / "job.json") == made
    assert JobSpec.parse(made.model_dump(mode="json")) == made


@pytest.mark.parametrize(
    ("data", "field", "words"),
    [
        ({**SHORTEST, "margn": 1}, "margn", "no such field"),
        ({**SHORTEST, "margin": 2}, "margin", "must be less than 2: no two values of brier"),
        ({**SHORTEST, "margin": 0}, "margin", "greater than 0"),
        ({**SHORTEST, "margin": float("nan")}, "margin", "finite"),
        ({**SHORTEST, "alpha": 0.9}, "alpha", "less than 0.5"),
        ({**SHORTEST, "dataset": "digit"}, "dataset", "there are digits"),
        ({**SHORTEST, "dataset": "npz"}, "dataset", "npz:FILE"),
        ({**SHORTEST, "dataset": "digits:x"}, "dataset", "takes no path"),
        ({**SHORTEST, "metric": "f1"}, "metric", "error, accuracy"),
        ({**SHORTEST, "metric": "error", "direction": "maximize"}, "direction", "minimize it"),
        ({**SHORTEST, "baseline": "cnn"}, "baseline", "perceptron"),
        ({**SHORTEST, "namespace": "A team"}, "namespace", "match pattern"),
        ({**SHORTEST, "protocol": "resample"}, "protocol", "holdout"),
        ({"dataset": "digits"}, "searches", "missing"),
        ({"dataset": "digits", "searches": []}, "searches", "at least 1"),
        (with_search(learner="cnnn"), "searches[0].learner", "there are perceptron, logistic, "),
        (with_search(axis="trees"), "searches[0].axis", "depth, filters"),
        (with_search(levels=[4, 2]), "searches[0].levels", "from small to large: [2, 4]"),
        (with_search(levels=[2, 2]), "searches[0].levels", "repeated"),
        (with_search(levels=[2]), "searches[0].levels", "at least two"),
        (with_search(levels=[1, 10**6]), "searches[0].levels", "1 to 256"),
        (with_search(levels=[0, 1]), "searches[0].levels[0]", "greater than or equal to 1"),
        (with_search(levels=["a", 1]), "searches[0].levels[0]", "integer"),
        (with_search(space={"depht": 3}), "searches[0].space.depht", "learning_rate"),
        (with_search(space={"depth": 3}), "searches[0].space.depth", "no hyperparameter"),
        (with_search(space={"dropout": 3}), "searches[0].space.dropout", "0 to 0.6"),
        (with_search(space={"epochs": 1.5}), "searches[0].space.epochs", "whole number"),
        (
            with_search(space={"dropout": {"low": 0.5, "high": 0.1}}),
            "searches[0].space.dropout",
            "must be below high",
        ),
        (with_search(space={"dropout": {"low": 0.5}}), "searches[0].space.dropout", "choices"),
        ({**SHORTEST, "tuning": {"race": 3, "retune": True}}, "tuning.race", "leave one of the"),
        ({**SHORTEST, "tuning": {"race": 0}}, "tuning.race", "greater than or equal to 1"),
        ({**SHORTEST, "tuning": {"race": 101}}, "tuning.race", "less than or equal to 100"),
        ({**SHORTEST, "tuning": {"retune": 7}}, "tuning.retune", "boolean"),
        ({**SHORTEST, "budget": {"trials": 0}}, "budget.trials", "greater than or equal to 1"),
        ({**SHORTEST, "budget": {"trials": 1.5}}, "budget.trials", "integer"),
        ({**SHORTEST, "resources": {"fuse": 0}}, "resources.fuse", "greater than or equal to 1"),
        ({**SHORTEST, "resources": {"fuse": 1025}}, "resources.fuse", "or equal to 1024"),
        (
            {**SHORTEST, "resources": {"fuse": 4, "speculate": True}},
            "resources.speculate",
            "leave one of the two out",
        ),
        ({**SHORTEST, "worth": {"gain": 0.01}}, "worth.device_hours", "missing"),
        ({**SHORTEST, "worth": {"gain": 0, "device_hours": 1}}, "worth.gain", "greater than"),
        ({**SHORTEST, "worth": {"gain": 1, "device_hours": -1}}, "worth.device_hours", "greater"),
        ({**SHORTEST, "worth": 40}, "worth", "dictionary"),
        (
            {**SHORTEST, "measuring": {"min_replicates": 9, "max_replicates": 4}},
            "measuring",
            "at least as large",
        ),
        (
            {**SHORTEST, "searches": [{"learner": "forest"}, {"learner": "forest"}]},
            "searches[1].key",
            "another key",
        ),
        ("digits", "spec", "dictionary"),
    ],
)
def test_a_fault_is_refused_with_its_field_and_its_cure(data, field, words):
    found = violations(data)
    assert field in found
    assert words in found[field]


def test_every_fault_is_named_at_once():
    data = {"dataset": "x", "margin": -1, "searches": [{"learner": "y"}]}
    assert set(violations(data)) == {"dataset", "margin", "searches[0].learner"}


def test_a_file_that_is_no_spec_is_refused_by_its_name(tmp_path):
    for text, words in [("a: [", "not YAML"), ("- 1", "must hold a mapping")]:
        file = tmp_path / "job.yaml"
        file.write_text(text)
        with pytest.raises(TunerError, match=words) as caught:
            JobSpec.from_file(file)
        assert str(file) in caught.value.message
    with pytest.raises(TunerError, match="can't be read"):
        JobSpec.from_file(tmp_path / "none.yaml")


def test_paths_in_a_file_are_relative_to_it(tmp_path):
    (tmp_path / "data.npz").touch()
    file = tmp_path / "job.yaml"
    file.write_text("dataset: npz:data.npz\nsearches: [{learner: forest}]")
    assert JobSpec.from_file(file).dataset.path == str(tmp_path / "data.npz")


def test_the_jobs_metric_goes_to_searches_that_name_none():
    spec = JobSpec(
        dataset="digits",
        metric="log_loss",
        searches=[Search("forest"), Search("cnn", metric="accuracy")],
    )
    assert [s.metric for s in spec.searches] == ["log_loss", "accuracy"]
    assert [s.direction for s in spec.searches] == ["minimize", "maximize"]


def test_a_price_on_device_time_reaches_every_search_and_the_baseline():
    priced = JobSpec.parse({**SHORTEST, "worth": {"gain": 0.01, "device_hours": 40}})
    for search in priced.all_searches():
        question = priced.question(search.key)
        assert question.price == pytest.approx(0.01 / (40 * 3600))
        assert (question.cost_unit.name, question.cost_unit.quoted) == ("device-hours", 40)
        assert question.costs == ()
    assert JobSpec.parse(SHORTEST).question("forest/trees").price == 0


@given(st.floats(1e-12, 1e6), st.floats(1e-9, 1e9))
def test_every_price_that_is_taken_is_one(gain, hours):
    """None is so small that it counts as nothing, for the margin would then decide."""
    spec = JobSpec.parse({**SHORTEST, "worth": {"gain": gain, "device_hours": hours}})
    assert 0 < spec.question("forest/trees").price < float("inf")


def test_an_explicit_search_of_the_baseline_is_not_run_twice():
    spec = JobSpec(dataset="digits", searches=[Search("perceptron"), Search("forest")])
    assert [s.key for s in spec.all_searches()] == ["perceptron", "forest/trees"]


def test_space_narrows_fixes_and_lists():
    search = Search(
        "cnn",
        axis="depth",
        space={
            "learning_rate": {"low": 1e-3, "high": 3e-2},
            "batch_size": {"choices": [32, 64]},
            "epochs": 3,
        },
    )
    ranges = search.ranges()
    assert ranges["learning_rate"] == catalog.Number(1e-3, 3e-2, 1e-2, log=True)
    assert ranges["batch_size"] == catalog.Choice((32, 64), 32)
    assert ranges["epochs"] == Fixed(fixed=3)
    assert ranges["filters"] == Fixed(fixed=16)  # stays at its default unless asked for
    assert "depth" not in ranges


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=5))
def test_nonsense_is_refused_and_never_breaks(data):
    for shaped in (data, {"dataset": data, "searches": data}, {**SHORTEST, "tuning": data}):
        try:
            JobSpec.parse(shaped)
        except TunerError as error:
            assert error.violations
