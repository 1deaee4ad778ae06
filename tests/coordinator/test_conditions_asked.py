"""What curves may be asked for under conditions, and what they ask then."""

from __future__ import annotations

from dataclasses import replace

import pytest
from coordinator_harness import a_spec

from services.coordinator.asked import Other, compared_metric, other_question
from services.coordinator.rescoring import chosen_rows
from tuner import returns
from tuner.errors import Status, TunerError
from tuner.record import (
    Measurement,
    Outcome,
    Phase,
    Stress,
    make_setting,
    measurement_id,
)
from tuner.spec import JobSpec, Search

DEPTH, TREES, PLAIN = "simulated/depth", "simulated/trees", "forest/trees"


def spec_of(**changes: object) -> JobSpec:
    """One search under noise, one judged on brier under noise and blur, one under nothing."""
    searches = [
        Search("simulated", axis="depth", levels=[1, 2, 4], conditions=["noise:3"]),
        Search(
            "simulated",
            axis="trees",
            levels=[1, 2],
            metric="brier@noise:3",
            conditions=["blur"],
        ),
        Search("forest", levels=[1, 4], metric="error"),
    ]
    return a_spec(**{"searches": searches, **changes})


def refused(spec: JobSpec, metric: str, **asked: object) -> tuple[str, str]:
    with pytest.raises(TunerError) as caught:
        other_question(spec, metric, asked.get("margin"), bool(asked.get("examples")))
    assert caught.value.status is Status.INVALID_ARGUMENT
    [violation] = caught.value.violations
    return violation.field, violation.problem


@pytest.mark.parametrize(
    ("written", "metric", "searches"),
    [
        ("error@noise:3", "error@noise:3", [DEPTH, TREES]),
        ("error@noise:3.0", "error@noise:3", [DEPTH, TREES]),
        ("brier@noise", "brier@noise:3", [DEPTH, TREES]),
        ("error@blur", "error@blur:3", [TREES]),
        ("@blur:3", "@blur:3", [TREES]),
        ("auc@clean", "auc@clean", [DEPTH, TREES]),
        ("brier", "brier", [DEPTH, TREES, PLAIN]),
    ],
)
def test_only_searches_that_are_measured_under_it_are_asked(
    written: str, metric: str, searches: list[str]
) -> None:
    spec = spec_of()
    other = other_question(spec, written, None, examples=False)
    assert other is not None
    assert other.metric == metric
    assert other.searches(spec) == searches


def test_a_search_under_a_condition_keeps_its_units_and_its_own_metric() -> None:
    spec = spec_of(worth={"gain": 0.01, "device_hours": 2})
    own = spec.question(TREES).with_costs([(1, 5.0), (2, 9.0)])
    asked = {}
    for metric in ("@blur:3", "@clean", "brier@blur:3"):
        other = other_question(spec, metric, None, examples=False)
        assert other is not None
        asked[metric] = other.question(own)
        assert not other.predicted(own)
        assert f"scores are {asked[metric].metric}, as measured" in other.note(own)
        assert "those chosen under brier@noise:3" in other.note(own)
    assert [q.metric for q in asked.values()] == ["brier@blur:3", "brier@clean", "brier@blur:3"]
    # A point of brier is a point of brier, whatever it is under: the price holds.
    assert {(q.price, q.costs) for q in asked.values()} == {(own.price, own.costs)}
    priced = other_question(spec, "@blur:3", 0.05, examples=False)
    assert priced is not None
    assert (priced.question(own).price, priced.question(own).margin) == (0.0, 0.05)
    assert refused(spec, "error@noise:3")[0] == "margin"


def test_asking_for_what_is_asked_anyway_is_nothing_else() -> None:
    spec = spec_of()
    for metric in ("", "brier@noise:3", "@noise:3.0"):
        other = other_question(spec, metric, spec.margin, examples=False)
        assert other is not None
        assert other.nothing_else(spec.question(TREES))
        assert other.note(spec.question(TREES)) == ""
    other = other_question(spec, "brier", None, examples=False)
    assert other is not None
    assert not other.nothing_else(spec.question(TREES))
    assert other.predicted(spec.question(TREES))


@pytest.mark.parametrize(
    ("metric", "words"),
    [
        ("error@noise:4", "'noise:4'; there are clean, noise:3, blur:3"),
        ("error@pgd:0.1", "'pgd:0.1'; there are clean, noise:3, blur:3"),
        ("error@fog:2", "'fog:2'; there are clean, noise:3, blur:3"),
        ("error@", "''; there are clean, noise:3, blur:3"),
        ("@noise:3@blur", "'noise:3@blur'; there are clean"),
        ("nonsense@noise:3", "'nonsense' is no score of a classification; error, accuracy"),
        ("mine:cost@noise:3", "'mine:cost' is no score of a classification"),
    ],
)
def test_a_condition_that_no_search_has_is_refused_with_those_there_are(
    metric: str, words: str
) -> None:
    field, problem = refused(spec_of(), metric)
    assert field == "metric"
    assert words in problem
    with pytest.raises(TunerError):
        compared_metric(spec_of(), metric)


def test_a_job_without_conditions_says_where_they_are_named() -> None:
    field, problem = refused(a_spec(), "error@clean")
    assert field == "metric"
    assert "name them in `robustness`" in problem


def test_other_examples_are_refused_under_a_condition() -> None:
    for metric, named in (("error@noise:3", "error@noise:3"), ("", "brier@noise:3")):
        field, problem = refused(spec_of(), metric, examples=True)
        assert field == "examples"
        assert f"can't be with {named}" in problem
        assert "without a condition" in problem
    assert other_question(spec_of(), "brier", None, examples=True) is not None


def test_a_metric_of_the_users_own_is_known_under_a_condition_by_its_search() -> None:
    searches = [
        Search("simulated", axis="depth", metric="mine:gain", direction="maximize"),
        Search("simulated", axis="trees", metric="error"),
    ]
    spec = spec_of(searches=searches, robustness=["noise:3"], margin=0.5)
    other = other_question(spec, "mine:gain@noise:3", None, examples=False)
    assert other is not None
    for key in other.searches(spec):
        asked = other.question(spec.question(key))
        assert (asked.metric, asked.direction) == ("mine:gain@noise:3", "maximize")
    own = other_question(spec, "@noise:3", None, examples=False)
    assert own is not None
    directions = [own.question(spec.question(key)).direction for key in own.searches(spec)]
    assert directions == ["maximize", "minimize"]
    assert compared_metric(spec, "mine:gain@noise") == "mine:gain@noise:3"
    # Without a condition it would have to be taken from predictions, by the user's own code.
    assert "'mine:gain' is no score" in refused(spec, "mine:gain")[1]


def test_searches_are_compared_under_what_one_of_them_is_measured_under() -> None:
    spec = spec_of()
    assert compared_metric(spec, "") == "error"
    assert compared_metric(spec, "@noise:3.0") == "error@noise:3"
    assert compared_metric(spec, "brier@clean") == "brier@clean"
    robust = spec_of(metric="error@noise:3", searches=[Search("simulated", axis="depth")])
    assert compared_metric(robust, "") == "error@noise:3"
    assert compared_metric(robust, "@clean") == "error@clean"


def a_row(level: int, replicate: int, error: float | None, **changes: object) -> Measurement:
    """A measuring row, undisturbed at 0.1; under noise it has a score, or timed out."""
    values = {"search": DEPTH, "phase": Phase.MEASURING, "setting": make_setting({"rate": 0.1})}
    values |= changes
    scores = {"error": 0.1 + replicate / 1000}
    stress = Stress("noise:3", Outcome.TIMED_OUT, error="the time ran out")
    if error is not None:
        scores |= {"error@clean": 0.1, "error@noise:3": error + replicate / 1000}
        stress = Stress("noise:3", Outcome.COMPLETED, 400, 0.5, note="gradients are masked")
    row = Measurement(
        "", values["search"], values["phase"], level, values["setting"], replicate,
        Outcome.COMPLETED, scores, stresses=(stress,),
    )  # fmt: skip
    id_ = measurement_id("j", row.search, row.phase, level, row.setting, replicate)
    return replace(row, id=id_)


def test_a_curve_under_a_condition_tells_what_came_of_it() -> None:
    rows = [a_row(level, i, 0.5 / level) for level in (1, 2) for i in range(5)]
    rows += [a_row(4, i, None if i < 2 else 0.1) for i in range(5)]
    question = replace(spec_of().question(DEPTH), metric="error@noise:3")
    curve = returns.curve(question, rows)
    assert [(row.replicates, row.failed) for row in curve.levels] == [(5, 0), (5, 0), (3, 2)]
    assert "level 4 under noise:3: 2 of 5 replicates TIMED_OUT: the time ran out" in curve.notes
    assert "level 2 under noise:3, 5 of 5 replicates: gradients are masked" in curve.notes
    assert "level 4 under noise:3, 3 of 5 replicates: gradients are masked" in curve.notes
    clean = returns.curve(spec_of().question(DEPTH), rows)
    assert [(row.replicates, row.failed) for row in clean.levels] == [(5, 0)] * 3
    assert not [note for note in clean.notes if "noise:3" in note]


def test_runners_up_that_were_not_measured_under_it_did_not_fail() -> None:
    second = make_setting({"rate": 0.5})
    rows = [a_row(level, i, 0.5 / level) for level in (1, 2, 4) for i in range(5)]
    seconds = [
        replace(a_row(2, i, None, phase=Phase.RUNNER_UP, setting=second), stresses=())
        for i in range(5)
    ]
    own = spec_of().question(DEPTH)
    other = Other("@noise:3")
    for measured in ([], [a_row(2, i, 0.9, phase=Phase.RUNNER_UP, setting=second) for i in (0, 1)]):
        all_rows = [*rows, *seconds[len(measured) :], *measured]
        chosen = chosen_rows(own, all_rows, other.condition)
        notes = returns.curve(other.question(own), chosen).notes
        assert not [note for note in notes if "failed on" in note]
        assert bool([note for note in notes if "tuning" in note]) is bool(measured)
        assert len(chosen_rows(own, all_rows)) == len(all_rows)


def test_searches_without_a_score_under_it_are_left_out_of_a_comparison_by_name() -> None:
    spec = spec_of()
    rows = [
        a_row(level, i, 0.5 / level, search=key)
        for key in (DEPTH, TREES)
        for level in (1, 2)
        for i in range(5)
    ]
    rows = [replace(row, scores={**row.scores, "brier@noise:3": 0.2}) for row in rows]
    plain = [replace(a_row(1, i, None, search=PLAIN), stresses=()) for i in range(5)]
    questions = [spec.question(search.key) for search in spec.all_searches()]
    found = returns.compare_record(questions, [*rows, *plain], metric="error@noise:3", margin=0.01)
    assert found is not None
    assert found.metric == "error@noise:3"
    assert {c.search for c in found.contenders} == {DEPTH, TREES}
    assert any(PLAIN in note for note in found.notes)
    best = max(found.contenders, key=lambda c: -c.score)
    assert best.search == found.contenders[0].search  # lower is better under a condition, too
