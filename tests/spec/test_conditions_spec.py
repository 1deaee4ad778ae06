"""Conditions and limits in a spec: what is taken, how it is written, what is refused and why."""

from __future__ import annotations

import json

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tuner import catalog
from tuner.errors import TunerError
from tuner.report.specs import spec_as_yaml
from tuner.spec import JobSpec
from tuner.v1 import spec_pb2
from tuner.wire.spec import spec_from_wire, spec_to_wire

CNN = {"learner": "cnn", "axis": "depth", "levels": [1, 2]}
FOREST = {"learner": "forest", "levels": [1, 4]}


def spec_of(**changes: object) -> JobSpec:
    return JobSpec.parse({"dataset": "digits", "searches": [CNN], **changes})


def violations(**changes: object) -> dict[str, str]:
    with pytest.raises(TunerError) as caught:
        spec_of(**changes)
    found = caught.value.violations
    assert len({v.field for v in found}) == len(found)
    return {v.field: v.problem for v in found}


IMAGES = [known for known in catalog.PERTURBATIONS.values() if "images" in known.inputs]


@st.composite
def conditions(draw: st.DrawFn) -> str:
    """A condition on images, written in one of the ways that there are."""
    known = draw(st.sampled_from(IMAGES))
    if draw(st.booleans()):
        return known.name
    kind = st.integers if known.integer else st.floats
    strength = draw(kind(known.low, known.high))  # type: ignore[operator]
    return f"{known.name}:{strength!r}"


def distinct(names: list[str]) -> list[str]:
    return list({catalog.Condition.parse(name).name: name for name in names}.values())


SOME = st.lists(conditions(), max_size=4).map(distinct)
AMOUNT = st.none() | st.floats(1e-9, 1e9)
METRIC = st.sampled_from(("error", "brier", "auc", "mine:cost"))


@st.composite
def specs(draw: st.DrawFn) -> JobSpec:
    metric = draw(METRIC)
    if draw(st.booleans()):
        metric += "@" + draw(conditions())
    data = {
        "searches": [{**CNN, "metric": metric, "direction": "", "conditions": draw(SOME)}],
        "robustness": {
            "conditions": draw(SOME),
            "examples": draw(st.integers(10, 10**6)),
            "steps": draw(st.integers(1, 1000)),
            "queries": draw(st.integers(10, 10**5)),
        },
        "limits": draw(
            st.fixed_dictionaries(
                {"latency_ms": AMOUNT, "batch_latency_ms": AMOUNT, "model_mb": AMOUNT}
            )
        ),
        "measuring": {"footprint": draw(st.booleans())},
    }
    if metric.startswith("mine:"):
        data["searches"][0]["direction"] = draw(st.sampled_from(("minimize", "maximize")))
    return spec_of(**data)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(specs())
def test_conditions_and_limits_come_back_the_same(spec: JobSpec) -> None:
    sent = spec_pb2.JobSpec.FromString(spec_to_wire(spec).SerializeToString())
    assert spec_from_wire(sent) == spec
    assert JobSpec.parse(json.loads(json.dumps(spec.model_dump(mode="json")))) == spec
    assert JobSpec.parse(yaml.safe_load(spec_as_yaml(spec))) == spec


@settings(deadline=None, max_examples=100)
@given(conditions())
def test_a_condition_has_one_name(written: str) -> None:
    known = catalog.Condition.parse(written)
    assert catalog.Condition.parse(known.name) == known
    assert catalog.canonical_metric(f"error@{written}") == f"error@{known.name}"
    metric = catalog.metric_named(f"error@{known.name}")
    assert metric is not None
    assert (metric.direction, metric.span) == ("minimize", 1)
    spec = spec_of(searches=[{**CNN, "conditions": [f" {written} "]}])
    assert spec.searches[0].conditions == (known.name,)


def test_names_are_as_people_would_write_them() -> None:
    spec = spec_of(robustness=["pgd:.10", "noise:3.0", "shift", "fgsm:1e-1"])
    assert spec.all_conditions() == ("pgd:0.1", "noise:3", "shift:1", "fgsm:0.1")
    assert spec_of(metric="error@pgd:.031").searches[0].metric == "error@pgd:0.031"


def test_a_search_bears_the_jobs_conditions_its_own_and_its_metrics() -> None:
    spec = spec_of(
        robustness=["noise:3"],
        baseline="perceptron",
        searches=[
            {**CNN, "conditions": ["pgd:0.1", "noise:3.0"]},
            {**FOREST, "metric": "brier@transfer:0.1", "conditions": ["transfer:0.1"]},
            {**CNN, "key": "own", "metric": "mine:cost@blur:2", "direction": "maximize"},
        ],
    )

    def named(key: str) -> list[str]:
        return [condition.name for condition in spec.conditions(key)]

    assert named("cnn/depth") == ["noise:3", "pgd:0.1"]
    assert named("forest/trees") == ["noise:3", "transfer:0.1"]
    assert named("own") == ["noise:3", "blur:2"]
    assert named("perceptron") == ["noise:3"]
    assert spec.all_conditions() == ("noise:3", "pgd:0.1", "transfer:0.1", "blur:2")
    judged = {search.key: spec.tuned_under(search.key) for search in spec.all_searches()}
    assert judged == {
        "cnn/depth": None,
        "forest/trees": catalog.Condition("transfer", 0.1),
        "own": catalog.Condition("blur", 2.0),
        "perceptron": None,
    }
    assert spec.question("forest/trees").metric == "brier@transfer:0.1"
    assert spec.question("own").direction == "maximize"
    assert spec.own_metrics == ("mine:cost",)
    with pytest.raises(KeyError):
        spec.conditions("svm/c")


def test_a_spec_without_conditions_has_none_and_limits_ask_for_a_footprint() -> None:
    plain = spec_of()
    assert (plain.all_conditions(), plain.conditions("cnn/depth")) == ((), ())
    assert plain.tuned_under("cnn/depth") is None
    assert not plain.footprint
    for name in ("latency_ms", "batch_latency_ms", "model_mb"):
        spec = spec_of(limits={name: 2.5})
        assert spec.footprint
        assert getattr(spec.question("cnn/depth").limits, name) == 2.5
    assert spec_of(measuring={"footprint": True}).footprint


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        # No gradients: what could be measured instead.
        (
            {"searches": [CNN, FOREST], "robustness": ["pgd:0.3"], "baseline": None},
            "searches[1].learner",
            "forest tells no gradients, so pgd:0.3 can't be measured; transfer:0.3 and "
            "decision:0.3 can; or name pgd:0.3 in the `conditions` of the searches",
        ),
        (
            {"searches": [{**FOREST, "conditions": ["noise", "fgsm"]}]},
            "searches[0].conditions[1]",
            "transfer:0.1 and decision:0.1 can",
        ),
        (
            {"searches": [{**FOREST, "metric": "brier@pgd:0.1"}], "baseline": None},
            "searches[0].metric",
            "transfer:0.1 and decision:0.1 can",
        ),
        # The wrong kind of input, or of task: what could be.
        (
            {"searches": [{**CNN, "conditions": ["blur", "missing:0.5"]}]},
            "searches[0].conditions[1]",
            "missing:0.5 is for tables, and these are images; fgsm, pgd, transfer, decision, "
            "shift, noise, blur, contrast, label_noise, imbalance can be",
        ),
        (
            {"dataset": "breast_cancer", "searches": [FOREST], "robustness": ["shift:2"]},
            "robustness.conditions[0]",
            "shift:2 is for images, and these are tables; ",
        ),
        (
            {"dataset": "npz:a.npz", "task": "regression", "searches": [FOREST],
             "robustness": ["noise", "label_noise:0.5"]},
            "robustness.conditions[1]",
            "label_noise:0.5 can't be where the task is regression; noise, missing can",
        ),
        (
            {"dataset": "npz:a.npz", "task": "regression", "robustness": ["pgd"],
             "searches": [FOREST]},
            "robustness.conditions[0]",
            "pgd:0.1 can't be where the task is regression; noise, missing can",
        ),
        ({"metric": "r2@noise:3"}, "metric", "r2@noise:3 is no score of a classification"),
        # Unknown, out of range, repeated.
        ({"robustness": ["fog"]}, "robustness.conditions[0]", "there is no condition 'fog'; there"),
        ({"robustness": ["noise:6"]}, "robustness.conditions[0]", "whole number from 1 to 5 (sev"),
        ({"robustness": ["noise:2.5"]}, "robustness.conditions[0]", "strength '2.5'; give a whole"),
        ({"robustness": ["pgd:0"]}, "robustness.conditions[0]", "give a number from 1e-06 to 10"),
        ({"robustness": ["pgd:nan"]}, "robustness.conditions[0]", "strength 'nan'"),
        ({"robustness": ["pgd:big"]}, "robustness.conditions[0]", "strength 'big'"),
        ({"robustness": ["noise", "noise:3"]}, "robustness.conditions[1]", "noise:3 is repeated"),
        ({"robustness": [{"noise": 3}]}, "robustness.conditions[0]", "noise:3, without a space"),
        (
            {"searches": [{**CNN, "conditions": "noise"}]},
            "searches[0].conditions",
            "needs a list of conditions; write [noise]",
        ),
        ({"robustness": "noise"}, "robustness", "needs a list of conditions; write [noise]"),
        ({"robustness": {"condition": []}}, "robustness.condition", "no such field"),
        ({"robustness": {"examples": 9}}, "robustness.examples", "or equal to 10"),
        ({"robustness": {"steps": 0}}, "robustness.steps", "or equal to 1"),
        ({"robustness": {"queries": 0}}, "robustness.queries", "or equal to 10"),
        ({"metric": "error@fog"}, "metric", "there is no condition 'fog'"),
        ({"metric": "error@"}, "metric", "there is no condition ''"),
        ({"metric": "hinge@noise"}, "metric", "there is no metric 'hinge'; there are error"),
        ({"metric": "error@clean"}, "metric", "nothing is tuned on it; judge on error"),
        (
            {"searches": [{**CNN, "metric": "error@noise", "direction": "maximize"}]},
            "searches[0].direction",
            "error@noise:3 is better when you minimize it",
        ),
        (
            {"searches": [{**CNN, "metric": "mine:cost@noise"}]},
            "searches[0].direction",
            "must be minimize or maximize",
        ),
        ({"metric": "error@noise", "margin": 1}, "margin", "two values of error@noise:3 differ"),
        ({"limits": {"latency_ms": 0}}, "limits.latency_ms", "greater than 0"),
        ({"limits": {"model_mb": float("inf")}}, "limits.model_mb", "finite"),
        ({"limits": {"model_kb": 3}}, "limits.model_kb", "no such field"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_with_what_could(
    changes: dict[str, object], field: str, words: str
) -> None:
    found = violations(**changes)
    assert list(found) == [field]
    assert words in found[field]


def test_a_baseline_that_cannot_bear_it_is_refused_as_the_baseline() -> None:
    without = [
        known.name
        for known in catalog.LEARNERS.values()
        if known.baseline and not known.gradients and "classification" in known.tasks
    ]
    assert without
    for name in without:
        for changes in ({"robustness": ["pgd:0.1"]}, {"metric": "error@fgsm:0.1"}):
            found = violations(baseline=name, **changes)
            assert list(found) == ["baseline"]
            assert f"{name} tells no gradients" in found["baseline"]
        own = spec_of(baseline=name, searches=[{**CNN, "conditions": ["pgd:0.1"]}])
        assert own.conditions(name) == ()


def test_thirty_two_conditions_are_enough() -> None:
    many = [f"pgd:{i / 100:g}" for i in range(1, 34)]
    assert len(spec_of(robustness=many[:32]).all_conditions()) == 32
    assert "at most 32" in violations(robustness=many)["robustness.conditions"]


def test_every_condition_at_fault_is_named_with_its_place() -> None:
    found = violations(robustness=["fog", "noise:3", "noise:6", "noise"])
    assert list(found) == [f"robustness.conditions[{place}]" for place in (0, 2, 3)]


def test_what_is_offered_in_its_place_can_be_of_these_learners() -> None:
    table = {"dataset": "iris", "robustness": ["blur"], "baseline": None}
    forest = violations(**table, searches=[FOREST])["robustness.conditions[0]"]
    nets = violations(**table, searches=[{"learner": "mlp"}])["robustness.conditions[0]"]
    assert forest.endswith("; transfer, decision, noise, missing, label_noise, imbalance can be")
    assert "; fgsm, pgd, transfer," in nets
