"""A result has every curve and comparison under the job's conditions, in few calls."""

from __future__ import annotations

import pytest
from coordinator_double import Double, make_comparison, make_curves, make_spec

from tuner import Client
from tuner.client.export import choose
from tuner.client.result import Result

KEYS = {"cnn/depth", "forest/trees", "perceptron"}
ALL = make_spec(robustness=["noise:3", "transfer:0.1"])
SOME = make_spec(
    searches=[
        {"learner": "cnn", "levels": [1, 2, 4, 8], "conditions": ["pgd:0.1"]},
        {"learner": "forest", "levels": [1, 4, 16]},
    ]
)


@pytest.fixture
def client(address: str):
    with Client(address) as client:
        yield client


def test_a_job_without_conditions_asks_for_none(client: Client, double: Double) -> None:
    result = client.submit(make_spec()).result()
    assert (result.robustness, result.comparisons_under) == ({}, {})
    assert {request.metric for request in double.listed} == {""}
    assert double.calls["CompareSearches"] == 1


def test_each_condition_takes_one_list_and_one_comparison(client: Client, double: Double) -> None:
    job = client.submit(ALL)
    for result in (job.result(), job.snapshot()):
        assert list(result.robustness) == ["clean", "noise:3", "transfer:0.1"]
        for condition, curves in result.robustness.items():
            assert set(curves) == KEYS
            own = {curve.search: curve.metric for curve in make_curves()}
            assert {key: curve.metric for key, curve in curves.items()} == {
                key: f"{metric}@{condition}" for key, metric in own.items()
            }
        assert list(result.comparisons_under) == ["clean", "noise:3", "transfer:0.1"]
        assert result.comparisons_under["noise:3"].metric == "error@noise:3"
        assert result.comparison == make_comparison()
        assert {curve.metric for curve in result.curves.values()} == {"error", "brier"}
    asked = [request.metric for request in double.listed if not request.page_token]
    assert sorted(asked) == sorted(["", "@clean", "@noise:3", "@transfer:0.1"] * 2)
    assert sorted(request.metric for request in double.compared) == sorted(asked)


def test_only_searches_that_have_a_condition_are_under_it(client: Client, double: Double) -> None:
    others = ("forest/trees", "perceptron")
    double.spared = {"pgd:0.1": others, "clean": others}
    result: Result = client.submit(SOME).result()
    assert {name: set(curves) for name, curves in result.robustness.items()} == {
        "clean": {"cnn/depth"},
        "pgd:0.1": {"cnn/depth"},
    }
    assert result.comparisons_under == {}  # no two to compare
    assert result.comparison is not None


def test_curves_and_comparisons_are_asked_for_under_a_condition(
    client: Client, double: Double
) -> None:
    job = client.submit(ALL)
    curves = job.curves("brier@noise:3", margin=0.05)
    assert {curve.metric for curve in curves.values()} == {"brier@noise:3"}
    assert (double.listed[-1].metric, double.listed[-1].margin) == ("brier@noise:3", 0.05)
    compared = job.compare("@noise:3", rope=True)
    assert compared is not None
    assert compared.metric == "error@noise:3"


def test_a_model_is_fitted_once_more_without_being_broken(client: Client, double: Double) -> None:
    spec = make_spec(
        searches=[{"learner": "cnn", "levels": [1, 2, 4, 8], "conditions": ["pgd:0.1"]}],
        robustness=["noise:3"],
        limits={"model_mb": 2},
    )
    refit = choose(client.submit(spec), "cnn/depth").spec()
    assert refit.refit is not None
    assert refit.all_conditions() == ()
    assert not refit.footprint
