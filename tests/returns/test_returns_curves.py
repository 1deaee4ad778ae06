"""A curve shows what the record holds: scores of measuring rows, every cost, every failure."""

import math
import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tuner.curve import Question, SearchState, VerdictOutcome
from tuner.record import (
    Measurement,
    Outcome,
    Phase,
    Setting,
    make_setting,
    measurement_id,
)
from tuner.returns import ANALYSIS_VERSION, assess, curve
from tuner.returns.evidence import Replicates
from tuner.returns.sensitivity import sensitivity

# A busy machine is no failure of the property.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

QUESTION = Question("mlp/depth", "mlp", "depth", (1, 2, 4, 8), "error", "minimize", 0.02)
FIRST = make_setting({"learning_rate": 0.1})
SECOND = make_setting({"learning_rate": 0.2})


def row(
    level: int,
    replicate: int,
    score: float | None,
    setting: Setting = FIRST,
    phase: Phase = Phase.MEASURING,
    outcome: Outcome = Outcome.COMPLETED,
    search: str = QUESTION.search,
    **changes: object,
) -> Measurement:
    name = measurement_id("namespaces/n/jobs/j", search, phase, level, setting, replicate)
    scores = {} if score is None else {"error": score, "accuracy": 1 - score}
    plain = Measurement(name, search, phase, level, setting, replicate, outcome, scores)
    return replace(plain, **changes)


def failed(level: int, replicate: int, outcome: Outcome = Outcome.DIVERGED) -> Measurement:
    return row(level, replicate, None, outcome=outcome, error="loss is NaN")


def measured(
    truth: dict[int, float], replicates: int = 6, noise: float = 0.001
) -> list[Measurement]:
    rng = np.random.default_rng(7)
    luck = rng.normal(0, 0.02, replicates)
    return [
        row(
            level,
            i,
            mean + luck[i] + rng.normal(0, noise),
            parameters=100 * level + i,
            standalone_device_seconds=1.0 * level,
            billed_device_seconds=0.1 * level,
        )
        for level, mean in truth.items()
        for i in range(replicates)
    ]


PLATEAU = {1: 0.5, 2: 0.4, 4: 0.39, 8: 0.39}


def test_a_curve_says_what_its_assessment_says() -> None:
    rows = measured(PLATEAU)
    found = curve(QUESTION, rows, SearchState.CONCLUDED, "answered", sequence=17)
    scores: dict[int, dict[int, float]] = {}
    for m in rows:
        scores.setdefault(m.level, {})[m.replicate] = m.scores["error"]
    look = assess(QUESTION, scores)
    assert found.verdict == look.verdict
    assert found.verdict is not None
    assert (found.verdict.outcome, found.verdict.level) == (VerdictOutcome.PLATEAUED, 2)
    assert found.comparisons == look.comparisons
    assert [r.level for r in found.levels] == [1, 2, 4, 8]
    unpriced = [replace(gain, cost_ratio=None, gain_per_cost=None) for gain in found.gains]
    assert unpriced == [look.gains[k] for k in (2, 4, 8)]
    level = found.at(4)
    assert level.score == pytest.approx(np.mean(list(scores[4].values())))
    assert (level.low, level.high) == look.intervals[4]
    assert level.margin_supported == look.margin_supported[4]
    assert (level.replicates, level.failed, level.setting) == (6, 0, FIRST)
    assert (found.state, found.state_reason, found.sequence) == (
        SearchState.CONCLUDED,
        "answered",
        17,
    )
    assert found.analysis_version == ANALYSIS_VERSION
    assert found.unmeasured == ()
    # Only what the verdict hangs on, for the search has ended.
    assert found.notes == tuple(
        sensitivity(QUESTION, Replicates.of(QUESTION, scores), look.verdict)
    )
    assert curve(QUESTION, rows, SearchState.RUNNING).notes == ()


def test_costs_are_what_a_level_costs_alone_and_what_was_spent() -> None:
    rows = measured({1: 0.5, 2: 0.4})
    rows += [
        row(2, 0, 0.1, SECOND, Phase.TUNING, billed_device_seconds=5.0, parameters=9999),
        row(4, 0, 0.1, SECOND, Phase.TUNING, billed_device_seconds=7.0),
    ]
    found = curve(QUESTION, rows)
    assert found.at(2).standalone_device_seconds == 2.0
    assert found.at(2).billed_device_seconds == pytest.approx(6 * 0.2 + 5)
    assert found.at(2).parameters == 202  # 202.5 to the even
    assert found.at(2).score == pytest.approx(0.4, abs=0.1)
    # A level that is only tuned has a bill and no score.
    assert found.at(4).score is None
    assert found.at(4).billed_device_seconds == 7.0
    assert found.unmeasured == (4, 8)
    total = math.fsum(m.billed_device_seconds for m in rows)
    assert sum(r.billed_device_seconds for r in found.levels) == pytest.approx(total)
    told = curve(QUESTION, rows, billed={1: 3.5, 8: 1.0})
    assert [r.billed_device_seconds for r in told.levels] == [3.5, 0.0, 1.0]


def test_failures_cost_too_and_are_not_averaged() -> None:
    rows = [*measured({1: 0.5, 2: 0.4}), replace(failed(2, 6), billed_device_seconds=4.0)]
    found = curve(QUESTION, rows).at(2)
    assert (found.replicates, found.failed) == (6, 1)
    assert found.billed_device_seconds == pytest.approx(5.2)
    assert found.score == curve(QUESTION, measured({1: 0.5, 2: 0.4})).at(2).score


def test_failures_are_noted_with_their_kinds() -> None:
    rows = [
        *measured(PLATEAU),
        failed(4, 6),
        failed(4, 7, Outcome.CRASHED),
        row(4, 8, math.nan),
        row(4, 9, None, scores={"accuracy": 0.5}),
    ]
    notes = curve(QUESTION, rows).notes
    assert notes[0] == (
        "level 4: 4 of 10 replicates failed (1 CRASHED, 1 DIVERGED, 2 without a finite error) "
        "and are not in its mean"
    )


def test_a_verdict_that_hangs_on_failures_says_so() -> None:
    rows = [*measured(PLATEAU, replicates=6), failed(8, 6)]
    rows += [r for r in measured(PLATEAU, replicates=7) if r.level != 8 and r.replicate == 6]
    found = curve(QUESTION, rows)
    assert found.verdict is not None
    assert found.verdict.outcome is VerdictOutcome.PLATEAUED
    assert (
        "the verdict depends on the 1 failed replicate: with the worst score seen in their place "
        "it would be INCONCLUSIVE"
    ) in found.notes


def test_a_verdict_that_does_not_hang_on_failures_says_nothing() -> None:
    """A failed replicate that no other level has is in no pair, whatever its score."""
    found = curve(QUESTION, [*measured(PLATEAU), failed(8, 6)])
    assert [note for note in found.notes if "depends" in note] == []
    assert len(found.notes) == 1


def test_a_level_where_all_failed_is_shown_and_not_judged() -> None:
    rows = [*measured({1: 0.5, 2: 0.4, 4: 0.4}), *(failed(8, i) for i in range(4))]
    found = curve(QUESTION, rows)
    level = found.at(8)
    assert (level.replicates, level.failed, level.score, level.gain) == (0, 4, None, None)
    assert (level.low, level.high, level.standalone_device_seconds) == (None, None, None)
    assert found.unmeasured == (8,)
    assert "level 8: all 4 replicates failed (4 DIVERGED); the verdict leaves it out" in found.notes


def test_where_all_failed_everywhere_there_is_a_verdict_still() -> None:
    found = curve(QUESTION, [failed(k, i) for k in (1, 2) for i in range(4)], SearchState.FAILED)
    assert found.verdict is not None
    assert found.verdict.outcome is VerdictOutcome.INCONCLUSIVE
    assert found.unmeasured == QUESTION.levels


def test_no_rows() -> None:
    found = curve(QUESTION, [])
    assert found.levels == ()
    assert found.unmeasured == QUESTION.levels
    assert found.state is SearchState.PENDING
    assert found.verdict is not None
    assert found.verdict.reason == "no level is measured"


def test_a_learner_without_an_axis_has_a_score_and_no_verdict() -> None:
    asked = Question("perceptron", "perceptron", "", (1,), "error", "minimize", 0.02, baseline=True)
    rows = [row(1, i, 0.2 + 0.01 * i, search="perceptron") for i in range(6)]
    found = curve(asked, rows)
    assert found.verdict is None
    assert found.comparisons == ()
    assert found.baseline
    level = found.at(1)
    assert level.score == pytest.approx(0.225)
    assert level.low is not None
    assert level.high is not None
    assert 0 < level.low < 0.225 < level.high < 0.3


def test_of_several_settings_on_a_replicate_the_one_that_was_measured_most_is_shown() -> None:
    rows = measured({1: 0.5, 2: 0.4})
    rows += [row(2, i, 0.9, SECOND, billed_device_seconds=1.0) for i in range(3)]
    found = curve(QUESTION, rows)
    assert found.at(2).setting == FIRST
    assert found.at(2).replicates == 6
    assert found.at(2).billed_device_seconds == pytest.approx(6 * 0.2 + 3)
    assert found.notes == (
        "level 2: 2 settings were measured; the curve shows the winner's 6 replicates",
    )


def test_replicates_that_were_tuned_anew_all_count() -> None:
    rows = [
        replace(m, setting=SECOND) if m.level == 2 and m.replicate % 2 else m
        for m in measured({1: 0.5, 2: 0.4})
    ]
    found = curve(QUESTION, rows)
    assert [level.replicates for level in found.levels] == [6, 6]
    assert found.at(2).score == curve(QUESTION, measured({1: 0.5, 2: 0.4})).at(2).score
    assert found.notes[0].startswith("replicates were tuned anew, each for itself")


def test_rows_of_other_searches_are_passed_over() -> None:
    rows = measured({1: 0.5, 2: 0.4})
    other = [row(16, 0, 0.1, search="mlp/units")]
    assert curve(QUESTION, rows + other) == curve(QUESTION, rows)


def test_a_level_off_the_ladder_is_refused() -> None:
    with pytest.raises(ValueError, match="level 3 of 'mlp/depth' is not on the declared ladder"):
        curve(QUESTION, [row(3, 0, 0.1)])


def test_two_results_of_one_id_are_refused() -> None:
    with pytest.raises(ValueError, match="twice with different results"):
        curve(QUESTION, [row(1, 0, 0.1), row(1, 0, 0.2)])


def test_two_ids_of_one_replicate_are_refused() -> None:
    with pytest.raises(ValueError, match="replicate 0 of level 1 is there twice"):
        curve(QUESTION, [row(1, 0, 0.1), row(1, 0, 0.1, id="another job's")])


ROWS = st.lists(
    st.builds(
        lambda level, replicate, setting, phase, failure, thousandths: row(
            level,
            replicate,
            None if failure else thousandths / 1000,
            setting,
            phase,
            failure or Outcome.COMPLETED,
            parameters=thousandths,
            billed_device_seconds=thousandths / 7,
            standalone_device_seconds=thousandths / 3,
        ),
        st.sampled_from(QUESTION.levels),
        st.integers(0, 7),
        st.sampled_from([FIRST, SECOND]),
        st.sampled_from(Phase),
        st.sampled_from([None, None, None, Outcome.CRASHED, Outcome.OUT_OF_MEMORY]),
        st.integers(0, 1000),
    ),
    max_size=60,
    unique_by=lambda m: m.id,
)


@unhurried
@given(ROWS, st.randoms(use_true_random=False))
def test_neither_order_nor_repeats_of_rows_matter(
    rows: list[Measurement], rng: random.Random
) -> None:
    shuffled = [*rows, *rows[::2]]
    rng.shuffle(shuffled)
    assert repr(curve(QUESTION, shuffled)) == repr(curve(QUESTION, rows))


@unhurried
@given(ROWS)
def test_every_second_is_billed_and_every_replicate_counted(rows: list[Measurement]) -> None:
    found = curve(QUESTION, rows)
    assert sum(r.billed_device_seconds for r in found.levels) == pytest.approx(
        math.fsum(m.billed_device_seconds for m in rows)
    )
    for level in found.levels:
        chosen = [m for m in rows if m.phase is Phase.MEASURING and m.level == level.level]
        if len({m.replicate for m in chosen}) < len(chosen):  # one was measured with both settings
            chosen = [m for m in chosen if m.setting == level.setting]
        assert level.replicates + level.failed == len(chosen)
        assert (level.score is None) == (level.replicates == 0)
        assert (level.level in found.unmeasured) == (level.replicates == 0)


@unhurried
@given(ROWS)
def test_direction_only_turns_the_sign(rows: list[Measurement]) -> None:
    """Accuracy, maximised, gives the gains that error, minimised, gives."""
    error = curve(QUESTION, rows)
    accuracy = curve(replace(QUESTION, metric="accuracy", direction="maximize"), rows)
    for a, b in zip(error.levels, accuracy.levels, strict=True):
        if a.score is not None:
            assert b.score == pytest.approx(1 - a.score)
        if a.gain is not None:
            assert b.gain is not None
            assert b.gain.estimate == pytest.approx(a.gain.estimate)
