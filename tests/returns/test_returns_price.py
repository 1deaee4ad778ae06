"""A price on what levels cost judges them by the same rule, with another toll."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tuner.curve import CostUnit, Question, SearchState, VerdictOutcome
from tuner.record import Measurement, Outcome, Phase, measurement_id
from tuner.returns import DataError, analyze, analyze_examples, assess, curve
from tuner.returns.assessment import Assessment

unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=60)

LEVELS = (1, 2, 4, 8)
BY_MARGIN = Question("net/depth", "net", "depth", LEVELS, "error", "minimize", margin=0.02)
HOURS = CostUnit("device-hours", 3600.0, 40.0)
FORTY = 40 * 3600.0
"""Seconds for which 0.01 is worth paying below."""
PRICED = replace(BY_MARGIN, price=0.01 / FORTY, cost_unit=HOURS)
Scores = dict[float, dict[int, float]]


def at(question: Question, *costs: float) -> Question:
    return question.with_costs(zip(question.levels, costs, strict=False))


def scores(errors: tuple[float, ...], seed: int = 0, replicates: int = 8, noise=1e-3) -> Scores:
    rng = np.random.default_rng(seed)
    luck = rng.normal(0, 0.02, replicates)
    return {
        level: {i: float(error + luck[i] + rng.normal(0, noise)) for i in range(replicates)}
        for level, error in zip(LEVELS, errors, strict=False)
    }


def told(look: Assessment) -> str:
    return " | ".join([look.verdict.reason, *look.verdict.missing, look.needed.reason])


def same(a: Assessment, b: Assessment) -> None:
    """Two assessments say the same, up to rounding."""
    assert a.verdict.answer == b.verdict.answer
    assert a.verdict.not_excluded == b.verdict.not_excluded
    assert a.estimated_sufficient == b.estimated_sufficient
    assert a.needed.replicates == b.needed.replicates
    for one, other in zip(a.comparisons, b.comparisons, strict=True):
        assert (one.estimate, one.low, one.high) == pytest.approx(
            (other.estimate, other.low, other.high), rel=1e-9, abs=1e-9
        )


# The toll


def test_the_toll_is_the_margin_a_doubling_or_the_price_of_what_is_added():
    assert BY_MARGIN.toll(2, 8) == pytest.approx(0.04)
    question = at(PRICED, 1.0, 1.0 + FORTY, 1.0, 1.0 + 3 * FORTY)
    assert question.toll(1, 2) == pytest.approx(0.01)
    assert question.toll(2, 8) == pytest.approx(0.02)
    assert question.toll(1, 4) == 0
    assert question.toll(2, 4) == pytest.approx(-0.01)  # the larger one is cheaper


def test_a_level_without_a_cost_has_no_toll_at_a_price_and_one_by_the_margin():
    question = at(PRICED, 1.0, 2.0)
    assert [k for k in LEVELS if question.priced(k)] == [1, 2]
    with pytest.raises(ValueError, match=r"level 4 of 'net/depth' has no cost"):
        question.toll(1, 4)
    with pytest.raises(ValueError, match=r"level 4 of 'net/depth' has no cost"):
        assess(question, scores((0.3, 0.2, 0.1)))
    assert all(map(BY_MARGIN.priced, LEVELS))
    assess(question, scores((0.3, 0.2)))  # what isn't measured needs none
    assess(PRICED, scores((0.3,)))  # nor what there is nothing to compare with


# The rule is the same


ERRORS = st.tuples(*[st.floats(0.05, 0.4)] * len(LEVELS))


@unhurried
@given(ERRORS, st.integers(0, 10**6), st.floats(1e-3, 1e6), st.floats(0, 1e6))
def test_costs_that_grow_by_the_doubling_give_the_verdict_of_the_margin(errors, seed, unit, fixed):
    costs = [fixed * unit + unit * math.log2(level) for level in LEVELS]
    priced = at(replace(PRICED, price=BY_MARGIN.margin / unit), *costs)
    table = scores(errors, seed, noise=0.01)
    same(assess(priced, table), assess(BY_MARGIN, table))


@unhurried
@given(ERRORS, st.integers(0, 10**6), st.floats(1e-3, 1e3), st.floats(0, 1e5))
def test_neither_the_unit_nor_what_all_levels_cost_alike_matters(errors, seed, factor, fixed):
    table = scores(errors, seed, noise=0.01)
    costs = np.array([1.0, 1.7, 40.0, 11.0])
    before = assess(at(replace(PRICED, price=0.003), *costs), table)
    moved = replace(PRICED, price=0.003 / factor)
    same(assess(at(moved, *(factor * (costs + fixed))), table), before)


@unhurried
@given(ERRORS, st.integers(0, 10**6))
def test_where_nothing_is_added_or_hardly_asked_any_gain_is_worth_having(errors, seed):
    table = scores(errors, seed, noise=0.01)
    free = assess(replace(BY_MARGIN, margin=0.0), table)
    same(assess(at(PRICED, 5.0, 5.0, 5.0, 5.0), table), free)
    same(assess(at(replace(PRICED, price=1e-300), 1.0, 2.0, 3.0, 4.0), table), free)


@unhurried
@given(ERRORS, st.integers(0, 10**6))
def test_a_price_beyond_all_gains_leaves_the_cheapest(errors, seed):
    table = scores(errors, seed, noise=0.01)
    look = assess(at(replace(PRICED, price=100.0), 1.0, 2.0, 3.0, 4.0), table)
    assert look.verdict.level == 1


def test_a_larger_level_that_is_cheaper_wins_where_it_scores_the_same():
    look = assess(at(PRICED, 3 * FORTY, 2 * FORTY, FORTY, 5 * FORTY), scores((0.2,) * 4))
    assert look.verdict.answer == (VerdictOutcome.INCONCLUSIVE, None)  # patience asks for two
    assert look.estimated_sufficient == 4
    look = assess(
        at(replace(PRICED, patience=1), 3 * FORTY, 2 * FORTY, FORTY, 5 * FORTY), scores((0.2,) * 4)
    )
    assert look.verdict.answer == (VerdictOutcome.PLATEAUED, 4)
    two = at(replace(PRICED, levels=(1, 2)), 9 * FORTY, FORTY)
    look = assess(two, scores((0.3, 0.3)))
    assert look.verdict.answer == (VerdictOutcome.RISING, None)
    assert "for 320 fewer device-hours" in look.verdict.reason
    assert "where -0.08 is enough" in look.verdict.reason


def test_an_end_of_what_is_needed_reckons_with_the_price_and_not_the_margin():
    """Where larger levels gain nothing, the toll is the distance that replicates must show."""
    table = scores((0.2, 0.2, 0.2, 0.2), replicates=4, noise=0.02)
    few, many = (
        assess(at(replace(PRICED, patience=1), *(k * FORTY for k in tolls)), table).needed
        for tolls in ((0, 4, 8, 12), (0, 1, 2, 3))
    )
    assert few.replicates is not None
    assert many.replicates is not None
    assert few.replicates[0] < many.replicates[0]


# What it says


@pytest.mark.parametrize(
    ("errors", "outcome"),
    [
        ((0.30, 0.20, 0.20, 0.20), "PLATEAUED"),
        ((0.30, 0.20, 0.22, 0.25), "DECLINING"),
        ((0.40, 0.30, 0.20, 0.10), "RISING"),
    ],
)
def test_sentences_speak_of_the_price_and_not_of_doublings(errors, outcome):
    look = assess(at(PRICED, *(k * FORTY for k in (1, 2, 3, 4))), scores(errors))
    assert look.verdict.outcome == outcome
    assert "doubling" not in told(look)
    if outcome != "DECLINING":
        assert "0.01 error per 40 device-hours" in told(look)
        assert "more device-hours" in told(look)
    assert set(look.margin_supported.values()) == {None}


def test_a_plateau_names_the_closest_step_its_hours_and_what_would_be_enough():
    look = assess(at(PRICED, *(k * FORTY for k in (1, 2, 3, 4))), scores((0.3, 0.2, 0.2, 0.2)))
    assert look.verdict.reason.startswith(
        "2 suffices: no larger measured level gains 0.01 error per 40 device-hours over it (4: "
    )
    assert "for 40 more device-hours, at most" in look.verdict.reason
    assert "where 0.01 is enough)" in look.verdict.reason


def test_an_open_answer_speaks_of_the_price_too():
    table = scores((0.2, 0.195, 0.19, 0.185), replicates=5, noise=0.02)
    look = assess(at(PRICED, *(k * FORTY for k in (1, 2, 3, 4))), table)
    assert look.verdict.outcome is VerdictOutcome.INCONCLUSIVE
    assert "doubling" not in told(look)
    assert "is enough" in look.verdict.reason
    hopeless = assess(at(PRICED, 1.0, 1.0 + FORTY), {1: {0: 0.2, 1: 0.21}, 2: {0: 0.19, 1: 0.2}})
    assert "within noise of the margin" not in told(hopeless)


# The curve of a record


def rows(errors: tuple[float, ...], replicates: int = 6, seconds: float = 3.0):
    found = []
    for level, by_replicate in scores(errors, replicates=replicates).items():
        for i, error in by_replicate.items():
            name = measurement_id("j", "net/depth", Phase.MEASURING, int(level), (), i)
            row = Measurement(
                name, "net/depth", Phase.MEASURING, int(level), (), i, Outcome("COMPLETED")
            )
            found.append(replace(row, scores={"error": error}, standalone_device_seconds=seconds))
    return found


def test_a_curve_carries_its_price_and_takes_its_costs_from_the_question_alone():
    """Clocks differ: what a step fixed decides, and not what rows measured since."""
    question = at(PRICED, *(k * FORTY for k in (1, 2, 3, 4)))
    found = curve(question, rows((0.3, 0.2, 0.2, 0.2)))
    assert found == curve(question, rows((0.3, 0.2, 0.2, 0.2)))
    assert found.verdict is not None
    assert found.verdict.answer == (VerdictOutcome.PLATEAUED, 2)
    assert (found.price, found.worth) == (PRICED.price, "0.01 error per 40 device-hours")
    assert found.level_probabilities is not None
    assert found.level_probabilities[2] > 0.99
    assert found.costs.last_worthwhile is not None
    assert found.costs.last_worthwhile.gain == pytest.approx(0.1, abs=0.002)
    slower = curve(question, rows((0.3, 0.2, 0.2, 0.2), seconds=9e9))
    assert slower.verdict == found.verdict
    by_margin = curve(BY_MARGIN, rows((0.3, 0.2, 0.2, 0.2)))
    assert (by_margin.price, by_margin.worth) == (0, "")


@pytest.mark.parametrize("state", list(SearchState))
def test_a_curve_whose_levels_have_no_cost_yet_is_a_curve_without_a_verdict(state):
    broken = [replace(m, outcome=Outcome.CRASHED, scores={}) for m in rows((0.3,))[:1]]
    measured = [*rows((0.3, 0.2, 0.2, 0.2))[1:], *broken]
    found = curve(at(PRICED, 1.0, 2.0), measured, state=state)
    assert found.verdict is not None
    assert found.verdict.outcome is VerdictOutcome.INCONCLUSIVE
    assert found.verdict.not_excluded == LEVELS
    assert found.verdict.reason.startswith("what levels 4 and 8 cost isn't known yet")
    assert found.needed.reason == "levels 4 and 8 have no cost yet"
    plain = curve(BY_MARGIN, measured)
    for row, other in zip(found.levels, plain.levels, strict=True):
        assert (row.score, row.low, row.high, row.gain) == (
            other.score, other.low, other.high, other.gain,
        )  # fmt: skip
    assert found.level_probabilities is None


@pytest.mark.parametrize("measured", [[], rows((0.3,))], ids=["nothing", "one level"])
def test_a_curve_of_too_little_to_compare_asks_for_no_costs(measured):
    found = curve(PRICED, measured)
    assert found.verdict is not None
    assert "cost" not in found.verdict.reason


def test_what_turns_the_verdict_is_tried_at_half_and_twice_the_price():
    """A step of .012 for what .01 buys is worth it, at twice the price it isn't."""
    question = at(PRICED, *(k * FORTY for k in (1, 2, 3, 4)))
    found = curve(question, rows((0.3, 0.288, 0.288, 0.288)), state=SearchState.CONCLUDED)
    (note,) = [note for note in found.notes if "price" in note]
    assert note == "at twice the price the verdict would be PLATEAUED at 1"
    assert not any("margin" in note for note in found.notes)


# Anybody's table


TABLE = {
    "k": [level for level in LEVELS for _ in range(6)],
    "i": list(range(6)) * 4,
    "s": [v for row in scores((0.3, 0.2, 0.2, 0.2), replicates=6).values() for v in row.values()],
    "hours": [10.0 * level for level in LEVELS for _ in range(6)],
}
ASKED = {"level": "k", "score": "s", "direction": "minimize", "replicate": "i", "design": "fixed"}


def test_a_table_is_judged_by_its_column_of_costs():
    found = analyze(TABLE, cost="hours", worth=(0.01, 40), **ASKED)
    assert found.verdict is not None
    assert found.verdict.answer == (VerdictOutcome.PLATEAUED, 2)
    assert found.worth == "0.01 s per 40 hours"
    assert "for 20 more hours" in found.verdict.reason
    assert found.price == pytest.approx(0.01 / 40)
    # A hundred times as dear, ten hours ask for .25.
    dear = analyze(TABLE, cost="hours", worth=(1.0, 40), **ASKED)
    assert dear.verdict is not None
    assert dear.verdict.answer == (VerdictOutcome.PLATEAUED, 1)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({}, "margin is missing"),
        ({"worth": (0.01, 40)}, "worth prices what levels cost"),
        ({"worth": (0.01, 40), "cost": "hours", "margin": 0.1}, "give one of them"),
        ({"worth": (0.0, 40), "cost": "hours"}, "above 0"),
        ({"worth": (0.01, 0.0), "cost": "hours"}, "above 0"),
        ({"worth": (math.nan, 1.0), "cost": "hours"}, "above 0"),
        ({"worth": (0.01, math.inf), "cost": "hours"}, "above 0"),
    ],
)
def test_a_price_that_makes_no_sense_is_refused(asked, words):
    with pytest.raises(ValueError, match=words):
        analyze(TABLE, **ASKED, **asked)


def test_a_measured_level_without_a_cost_is_refused_with_its_column():
    holes = {
        **TABLE,
        "hours": [
            math.nan if k == 4 else h for k, h in zip(TABLE["k"], TABLE["hours"], strict=True)
        ],
    }
    with pytest.raises(DataError, match="column 'hours': level 4 has no cost"):
        analyze(holes, cost="hours", worth=(0.01, 40), **ASKED)
    assert analyze(holes, cost="hours", margin=0.01, **ASKED).verdict is not None


def test_predictions_are_judged_by_what_fits_cost():
    rng = np.random.default_rng(0)
    hard = rng.random(4000)
    right = {level: hard < share for level, share in zip(LEVELS, (0.6, 0.9, 0.9, 0.9), strict=True)}
    costs = {level: float(level) for level in LEVELS}
    found = analyze_examples(right, worth=(0.01, 1.0), costs=costs, cost="hours")
    assert found.verdict is not None
    assert found.verdict.answer == (VerdictOutcome.PLATEAUED, 2)
    assert found.worth == "0.01 accuracy per hour"
    with pytest.raises(DataError, match="level 8 has no cost"):
        analyze_examples(right, worth=(0.01, 1.0), costs={1: 1.0, 2: 2.0, 4: 4.0})
    with pytest.raises(ValueError, match="worth prices what levels cost"):
        analyze_examples(right, worth=(0.01, 1.0))
