"""What a spec becomes when it is extended, and what can't be asked for."""

from __future__ import annotations

from typing import Any

import pytest
from coordinator_harness import a_spec
from hypothesis import given, settings
from hypothesis import strategies as st

from services.coordinator.extension import extended
from tuner.errors import Status, TunerError
from tuner.spec import JobSpec, Search
from tuner.v1 import tuner_service_pb2 as pb


def several(**changes: Any) -> JobSpec:
    searches = (
        Search("cnn", axis="depth", levels=[1, 2, 4]),
        Search("mlp", axis="depth", levels=[1, 2]),
        Search("forest", axis="trees", levels=[1, 4, 16]),
    )
    return a_spec(searches=searches, baseline="", **changes)


def levels(search: str, *more: int) -> pb.MoreLevels:
    return pb.MoreLevels(search=search, levels=more)


def problems(spec: JobSpec, **request: Any) -> dict[str, str]:
    with pytest.raises(TunerError) as caught:
        extended(spec, pb.ExtendJobRequest(**request))
    assert caught.value.status is Status.INVALID_ARGUMENT
    return {v.field: v.problem for v in caught.value.violations}


def test_everything_can_grow_at_once_and_is_told_in_sentences() -> None:
    spec = several(budget={"device_hours": 2.5, "wall_clock_hours": 1, "trials": 10})
    request = pb.ExtendJobRequest(
        max_replicates=40,
        levels=[levels("trees", 64, 8), levels("cnn/depth", 8)],
        more_device_hours=1.5,
        more_wall_clock_hours=2,
        more_trials=5,
    )
    new, changes = extended(spec, request)
    assert new.measuring.max_replicates == 40
    assert [s.levels for s in new.searches] == [(1, 2, 4, 8), (1, 2), (1, 4, 8, 16, 64)]
    assert new.budget.model_dump() == {"device_hours": 4, "wall_clock_hours": 3, "trials": 15}
    assert changes == [
        "at most 40 replicates of a level, where it was 20",
        "forest/trees: the levels 8, 64 in addition, which makes 5 declared levels of 3",
        "cnn/depth: the level 8 in addition, which makes 4 declared levels of 3",
        "at most 4 device-hours, where it was 2.5",
        "at most 3 hours by the clock, where it was 1",
        "at most 15 candidates a search, where it was 10",
    ]


def test_an_axis_means_every_search_along_it() -> None:
    new, _ = extended(several(), pb.ExtendJobRequest(levels=[levels("depth", 8)]))
    assert [s.levels for s in new.searches] == [(1, 2, 4, 8), (1, 2, 8), (1, 4, 16)]


@settings(max_examples=30, deadline=None)
@given(
    st.integers(21, 1000),
    st.sets(st.integers(1, 64), max_size=20),
    st.none() | st.floats(1e-3, 1e3),
)
def test_nothing_else_changes(most: int, more: set[int], hours: float | None) -> None:
    """Seeds, margin, data and all that decides what a measurement is stay as they were."""
    spec = several(budget={} if hours is None else {"device_hours": 1.0}, seed=7, margin=0.03)
    fresh = sorted(more - {1, 4, 16})
    request = pb.ExtendJobRequest(
        max_replicates=most,
        levels=[levels("forest/trees", *fresh)] if fresh else [],
        more_device_hours=hours or 0.0,
    )
    new, _ = extended(spec, request)
    assert set(new.searches[2].levels) == {1, 4, 16, *fresh}
    assert new.budget.device_hours == (None if hours is None else 1.0 + hours)
    back = new.model_copy(
        update={
            "budget": spec.budget,
            "searches": spec.searches,
            "measuring": new.measuring.model_copy(update={"max_replicates": 20}),
        }
    )
    assert back == spec
    for before, after in zip(spec.searches, new.searches, strict=True):
        assert after.model_copy(update={"levels": before.levels}) == before


@pytest.mark.parametrize(
    ("request_", "field", "said"),
    [
        ({}, "max_replicates", "nothing is asked for"),
        ({"max_replicates": 20}, "max_replicates", "20 already"),
        ({"max_replicates": 19}, "max_replicates", "20 already"),
        ({"max_replicates": -3}, "max_replicates", "give more"),
        ({"max_replicates": 1001}, "max_replicates", "1000"),
        ({"levels": [levels("svm", 8)]}, "levels[0].search", "'svm' is no search and no axis"),
        ({"levels": [levels("", 8)]}, "levels[0].search", "forest/trees"),
        ({"levels": [levels("perceptron", 8)]}, "levels[0].search", "no search"),
        ({"levels": [levels("depth")]}, "levels[0].levels", "is empty"),
        ({"levels": [levels("trees", 8, 16)]}, "levels[0].levels", "16 is a level of forest/trees"),
        ({"levels": [levels("trees", 8, 8)]}, "levels[0].levels", "8 is repeated"),
        ({"levels": [levels("depth", 4)]}, "levels[0].levels", "4 is a level of cnn/depth"),
        (
            {"levels": [levels("trees", 8), levels("forest/trees", 8)]},
            "levels[1].levels",
            "8 is a level of forest/trees already",
        ),
        ({"levels": [levels("trees", -8)]}, "levels[0].levels", "of forest/trees: "),
        ({"levels": [levels("trees", 10**9)]}, "levels[0].levels", "outside"),
        ({"levels": [levels("trees", *range(17, 90))]}, "levels[0].levels", "at most 64"),
        ({"more_device_hours": 1.0}, "more_device_hours", "no limit on device-hours"),
        ({"more_trials": 1}, "more_trials", "no limit on candidates"),
        ({"more_wall_clock_hours": -1.0}, "more_wall_clock_hours", "give how many"),
        ({"more_device_hours": float("nan")}, "more_device_hours", "give how many"),
        ({"more_device_hours": float("inf")}, "more_device_hours", "give how many"),
    ],
)
def test_what_cant_be_is_refused_with_its_field(
    request_: dict[str, Any], field: str, said: str
) -> None:
    found = problems(several(), **request_)
    assert list(found) == [field]
    assert said in found[field]


def test_what_is_hostile_is_refused_in_few_words() -> None:
    spec = several(budget={"device_hours": 1e308, "trials": 2**63 - 1})
    assert list(problems(spec, more_device_hours=1e308)) == ["more_device_hours"]
    assert list(problems(spec, more_trials=1)) == ["more_trials"]
    assert list(problems(spec, levels=[levels("x")] * 65)) == ["levels"]
    assert len(problems(spec, levels=[levels(f"x{n}", 1) for n in range(64)])) == 20
    assert len(problems(spec, levels=[levels("x" * 10_000, 1)])["levels[0].search"]) < 300
    assert list(problems(spec, levels=[levels("trees", *[9] * 100_000)])) == ["levels[0].levels"]


def test_every_fault_is_told_at_once() -> None:
    found = problems(several(), max_replicates=2, levels=[levels("x", 1)], more_trials=-1)
    assert list(found) == ["max_replicates", "levels[0].search", "more_trials"]


def test_a_model_that_is_fitted_to_be_kept_has_nothing_to_extend() -> None:
    refit = {"job": "j", "search": "forest/trees", "level": 4, "setting": ()}
    spec = a_spec(searches=(Search("forest", axis="trees", levels=[1, 4]),), refit=refit)
    with pytest.raises(TunerError) as caught:
        extended(spec, pb.ExtendJobRequest(max_replicates=40))
    assert caught.value.reason == "NOT_EXTENDABLE"
