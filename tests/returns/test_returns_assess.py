"""An assessment is exactly the definition, whatever the order, direction, offset or scale."""

import math
import random
import time
import warnings
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from tuner.curve import Question, Verdict, VerdictOutcome
from tuner.returns import Assessment, assess, paired_bounds

Scores = dict[int, dict[int, float]]

# A busy machine is no failure of the property.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

QUESTION = Question("forest/trees", "forest", "trees", (1, 2, 4, 8, 16), "brier", "minimize", 0.02)


def question(levels: tuple[int, ...] = QUESTION.levels, **changes: object) -> Question:
    return replace(QUESTION, levels=levels, **changes)


def scored(
    truth: dict[int, float], replicates: int = 8, noise: float = 0.002, seed: int = 0
) -> Scores:
    """Returns paired scores around a truth: each replicate has its own luck, shared by levels."""
    rng = np.random.default_rng(seed)
    luck = rng.normal(0, 0.05, replicates)
    return {
        level: {i: mean + luck[i] + rng.normal(0, noise) for i in range(replicates)}
        for level, mean in truth.items()
    }


# Rounded, so that a property isn't lost to the last bit of a sum.
SCORE = st.integers(-2000, 2000).map(lambda n: n / 1000)
ROW = st.dictionaries(st.integers(0, 7), SCORE, max_size=8)
SCORES = st.dictionaries(st.sampled_from(QUESTION.levels), ROW, max_size=5)


def same_numbers(found: Assessment, expected: Assessment, factor: float = 1.0) -> None:
    """Compares bounds up to rounding, which a wide mixture multiplier may magnify."""

    def close(a: float, b: float) -> bool:
        return a == pytest.approx(b * factor, rel=1e-6, abs=1e-6 * factor)

    for a, b in zip(found.comparisons, expected.comparisons, strict=True):
        assert (a.smaller, a.larger, a.replicates) == (b.smaller, b.larger, b.replicates)
        assert close(a.estimate, b.estimate)
        assert close(a.low, b.low)
        assert close(a.high, b.high)


def far_from_a_tie(look: Assessment) -> bool:
    """Tells whether no bound is so near 0 that the last bit of a sum decides it."""
    numbers = [x for c in look.comparisons for x in (c.estimate, c.low, c.high)]
    numbers += [gain.high for gain in look.gains.values()]
    return all(x == 0 or abs(x) > 1e-9 for x in numbers)


# The definition


def test_a_comparison_is_the_paired_bound_of_u() -> None:
    asked = question()
    scores = scored({1: 0.5, 2: 0.4, 4: 0.35, 8: 0.34, 16: 0.34})
    look = assess(asked, scores)
    assert len(look.comparisons) == 10
    for c in look.comparisons:
        price = asked.margin * math.log2(c.larger / c.smaller)
        gains = [scores[c.smaller][i] - scores[c.larger][i] - price for i in range(8)]
        assert (c.estimate, c.low, c.high) == pytest.approx(paired_bounds(gains, 0.05 / 4))
        assert look.compare(c.smaller, c.larger) == c
    assert look.compare(2, 1) is None
    assert look.compare(1, 32) is None


def test_pairs_rest_on_the_replicates_that_both_have() -> None:
    scores = scored({1: 0.5, 2: 0.4})
    del scores[1][0], scores[1][1], scores[2][7]
    pair = assess(question(), scores).compare(1, 2)
    assert pair is not None
    assert pair.replicates == 5
    gains = [scores[1][i] - scores[2][i] - 0.02 for i in range(2, 7)]
    assert pair.estimate == pytest.approx(np.mean(gains))


def test_levels_without_a_common_replicate_are_estimated_and_not_bounded() -> None:
    look = assess(question(), {1: {0: 0.5, 1: 0.6}, 2: {2: 0.2, 3: 0.3}})
    pair = look.compare(1, 2)
    assert pair is not None
    assert (pair.replicates, pair.low, pair.high) == (0, -math.inf, math.inf)
    assert pair.estimate == pytest.approx(0.3 - 0.02)


def test_intervals_of_means_hold_together_over_the_ladder() -> None:
    scores = scored({1: 0.5, 2: 0.4})
    look = assess(question(), scores)
    mean, low, high = paired_bounds(list(scores[2].values()), 0.05 / (2 * 5))
    assert look.means[2] == pytest.approx(mean)
    assert look.intervals[2] == pytest.approx((low, high))


def test_what_stopping_forgoes_is_the_largest_upper_bound_above() -> None:
    look = assess(question(), scored({1: 0.5, 2: 0.4, 4: 0.3, 8: 0.32, 16: 0.35}))
    raw = {j: c.high + 0.02 * math.log2(j) for j in (2, 4, 8, 16) if (c := look.compare(1, j))}
    assert look.forgone[1] == pytest.approx(max(raw.values()))
    assert 0.2 < look.forgone[1] < 0.21
    assert look.forgone[8] == 0  # the only larger level is shown to be worse
    assert look.forgone[16] == 0


def test_a_level_plateaus_just_above_the_margin_it_supports() -> None:
    scores = scored({1: 0.5, 2: 0.4, 4: 0.36, 8: 0.34, 16: 0.335})
    supported = assess(question(), scores).margin_supported
    assert supported[8] is None  # patience
    assert supported[16] is None
    for level in (1, 2, 4):
        margin = supported[level]
        assert margin is not None
        above = assess(question(margin=margin * 1.001), scores).verdict
        below = assess(question(margin=margin * 0.999), scores).verdict
        assert above.outcome is VerdictOutcome.PLATEAUED
        assert above.level is not None
        assert above.level <= level
        assert below.level is None or below.level > level


# Verdicts


@pytest.mark.parametrize(
    ("truth", "outcome", "level"),
    [
        ({1: 0.5, 2: 0.4, 4: 0.35, 8: 0.345, 16: 0.34}, VerdictOutcome.PLATEAUED, 4),
        ({1: 0.5, 2: 0.5, 4: 0.5}, VerdictOutcome.PLATEAUED, 1),
        ({1: 0.5, 2: 0.4, 4: 0.3, 8: 0.2, 16: 0.1}, VerdictOutcome.RISING, None),
        ({1: 0.5, 2: 0.4, 4: 0.3, 8: 0.35, 16: 0.4}, VerdictOutcome.DECLINING, 4),
        # A step at the third doubling: no rule of neighbours sees it coming.
        ({1: 0.5, 2: 0.5, 4: 0.5, 8: 0.2, 16: 0.1}, VerdictOutcome.RISING, None),
        ({1: 0.5, 2: 0.5, 4: 0.5, 8: 0.2, 16: 0.2}, VerdictOutcome.INCONCLUSIVE, None),
        # A dip before the rise.
        ({1: 0.5, 2: 0.6, 4: 0.5, 8: 0.3, 16: 0.1}, VerdictOutcome.RISING, None),
        # Small gains that never pay: 0.8 of a margin each.
        ({1: 0.5, 2: 0.484, 4: 0.468, 8: 0.452, 16: 0.436}, VerdictOutcome.PLATEAUED, 1),
    ],
)
def test_verdicts_of_clear_cases(
    truth: dict[int, float], outcome: VerdictOutcome, level: int | None
) -> None:
    verdict = assess(question(), scored(truth, noise=0.001)).verdict
    assert (verdict.outcome, verdict.level) == (outcome, level)


def test_only_levels_of_u_decide_so_a_gap_counts_all_its_doublings() -> None:
    """0.05 over three doublings is less than three margins of 0.02, though more than one."""
    verdict = assess(question((1, 8, 16, 32)), scored({1: 0.5, 8: 0.45, 16: 0.45, 32: 0.45}))
    assert (verdict.verdict.outcome, verdict.verdict.level) == (VerdictOutcome.PLATEAUED, 1)


def test_a_gain_of_exactly_the_margin_is_worth_having() -> None:
    """U_j = U_k: k does not suffice, and rounding doesn't make it."""
    for offset in (0.0, 0.1, 0.7, 123.4):
        scores = {
            level: dict.fromkeys(range(6), offset - 0.02 * k)
            for k, level in enumerate(QUESTION.levels)
        }
        look = assess(question(), scores)
        assert {c.estimate for c in look.comparisons} == {0.0}
        assert look.estimated_sufficient == 16
        assert look.verdict.outcome is VerdictOutcome.INCONCLUSIVE


def test_work_without_noise_concludes_from_five_replicates_on() -> None:
    truth = {1: 0.5, 2: 0.4, 4: 0.4, 8: 0.4, 16: 0.4}

    def at(n: int) -> Verdict:
        return assess(question(), {k: dict.fromkeys(range(n), v) for k, v in truth.items()}).verdict

    assert at(4).outcome is VerdictOutcome.INCONCLUSIVE
    assert "at least 5 replicates" in at(4).missing[0]
    assert (at(5).outcome, at(5).level) == (VerdictOutcome.PLATEAUED, 2)


def test_patience_asks_for_larger_levels() -> None:
    scores = scored({1: 0.5, 2: 0.5})
    look = assess(question(), scores)
    assert look.estimated_sufficient == 1
    assert look.verdict.outcome is VerdictOutcome.INCONCLUSIVE
    assert "patience asks for 2" in look.verdict.reason
    assert look.verdict.missing == ("levels above 2 are not measured",)
    assert assess(question(patience=1), scores).verdict.level == 1
    # Even without patience a level needs something to be compared with.
    assert assess(question(patience=0), {1: scores[1]}).verdict.level is None


def test_rising_needs_every_declared_level() -> None:
    truth = {1: 0.5, 2: 0.4, 4: 0.3, 8: 0.2, 16: 0.1}
    del truth[4]
    verdict = assess(question(), scored(truth)).verdict
    assert verdict.outcome is VerdictOutcome.INCONCLUSIVE
    assert verdict.not_excluded == (16,)
    assert verdict.missing == ("level 4 is not measured",)


def test_not_excluded_are_the_levels_that_no_larger_one_beats() -> None:
    look = assess(question(), scored({1: 0.5, 2: 0.3, 4: 0.28, 8: 0.26}, noise=0.002))
    assert look.verdict.outcome is VerdictOutcome.INCONCLUSIVE
    beaten = {c.smaller for c in look.comparisons if c.low > 0}
    assert look.verdict.not_excluded == tuple(k for k in look.levels if k not in beaten)


def test_a_verdict_is_settled_where_no_smaller_level_seems_to_suffice() -> None:
    settled = assess(question(), scored({1: 0.5, 2: 0.4, 4: 0.35, 8: 0.345, 16: 0.34}))
    assert settled.settled
    assert "may suffice too" not in settled.verdict.reason
    # 1 and 2 are too noisy to be told apart, 4 is not.
    scores = scored({4: 0.5, 8: 0.5, 16: 0.5}, replicates=6, noise=0.001)
    scores |= scored({1: 0.49, 2: 0.5}, replicates=6, noise=0.2, seed=1)
    early = assess(question(), scores)
    assert (early.verdict.outcome, early.verdict.level) == (VerdictOutcome.PLATEAUED, 4)
    assert early.estimated_sufficient in (1, 2)
    assert not early.settled
    assert early.verdict.reason.endswith("; 1 and 2 may suffice too")
    assert not assess(question(), {}).settled


# Words


def test_reasons_have_numbers_units_and_directions() -> None:
    plateau = assess(question(), scored({1: 0.5, 2: 0.4, 4: 0.39, 8: 0.39})).verdict
    assert plateau.reason.startswith(
        "2 suffices: no larger measured level gains 0.02 brier per doubling over it (4: +0.0"
    )
    assert "for 1 doubling, at most +0.0" in plateau.reason
    decline = assess(question(), scored({1: 0.5, 2: 0.4, 4: 0.45, 8: 0.5})).verdict
    assert decline.reason.startswith("2 suffices and more does harm: 8 is worse by 0.")
    rising = assess(question(), scored({1: 0.5, 2: 0.4, 4: 0.3, 8: 0.2, 16: 0.1})).verdict
    assert rising.reason.startswith("still rising at 16, the largest level")
    assert "at least +0.0" in rising.reason


def test_missing_names_the_replicates_that_would_settle_it() -> None:
    scores = scored({1: 0.5, 2: 0.4, 4: 0.39, 8: 0.39, 16: 0.39}, replicates=4, noise=0.008)
    verdict = assess(question(), scores).verdict
    assert verdict.outcome is VerdictOutcome.INCONCLUSIVE
    assert any(
        m.startswith("2 against ") and m.endswith("more replicates at the present spread")
        for m in verdict.missing
    )
    one = assess(question(), scored({1: 0.5, 2: 0.5, 4: 0.5}, replicates=1)).verdict
    assert "of both, there are 1" in one.missing[-1]


def test_what_lies_on_the_margin_is_not_settled_by_replicates() -> None:
    noise = [0.01, -0.01, 0.01, -0.01, 0.01, -0.01]
    scores = {1: dict.fromkeys(range(6), 0.5)}
    scores |= {
        2 ** (k + 1): {i: 0.48 - 0.02 * k + e for i, e in enumerate(noise)} for k in range(4)
    }
    verdict = assess(question(), scores).verdict
    assert any("not by replicates" in m for m in verdict.missing)


# Degenerate input


def test_nothing_measured() -> None:
    for scores in ({}, {1: {}, 2: {}}):
        look = assess(question(), scores)
        assert look.estimated_sufficient is None
        assert (look.levels, look.comparisons, look.gains, look.intervals) == ((), (), {}, {})
        assert look.verdict.outcome is VerdictOutcome.INCONCLUSIVE
        assert look.verdict.reason == "no level is measured"


def test_one_level() -> None:
    look = assess(question((1,)), {1: {0: 0.5, 1: 0.4}})
    assert look.estimated_sufficient == 1
    assert look.verdict.outcome is VerdictOutcome.INCONCLUSIVE
    assert "only declared level" in look.verdict.reason
    look = assess(question(), {4: {0: 0.5}})
    assert look.verdict.missing == (
        "levels 1 and 2 are not measured",
        "levels above 4 are not measured",
    )


def test_a_ladder_of_two_says_that_it_can_not_plateau() -> None:
    verdict = assess(question((1, 2)), scored({1: 0.5, 2: 0.5})).verdict
    assert "declare a larger one" in verdict.missing[0]
    assert assess(question((1, 2)), scored({1: 0.5, 2: 0.4})).verdict.outcome is (
        VerdictOutcome.RISING
    )


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_score_that_is_not_finite_is_refused_by_name(value: float) -> None:
    with pytest.raises(ValueError, match=r"scores\[2\]\[1\] is"):
        assess(question(), {1: {0: 0.1}, 2: {0: 0.1, 1: value}})


def test_a_level_that_is_not_declared_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="level 3 of 'forest/trees'"):
        assess(question(), {1: {0: 0.1}, 3: {0: 0.1}})


def test_equal_pairs_are_noted() -> None:
    scores = {1: {0: 0.5, 1: 0.4, 2: 0.45}, 2: {0: 0.4, 1: 0.3, 2: 0.35}}
    (note,) = assess(question(), scores).notes
    assert "1 and 2 differ by the same amount" in note
    assert "0.05 brier" in note


@unhurried
@given(
    st.dictionaries(
        st.sampled_from(QUESTION.levels),
        st.dictionaries(
            st.integers(0, 7), st.floats(allow_nan=False, allow_infinity=False), max_size=8
        ),
        max_size=5,
    ),
    st.sampled_from(["minimize", "maximize"]),
    st.floats(0, 1),
    st.floats(1e-6, 0.49),
)
@example({1: {0: 1e308, 1: -1e308}, 2: {0: -1e308, 1: 1e308}}, "minimize", 0.02, 0.05)
@example({1: {0: 5e-324, 1: 0.0}, 2: {0: 0.0, 1: 5e-324}}, "maximize", 0.0, 0.05)
def test_never_nan_and_never_a_warning(
    scores: Scores, direction: str, margin: float, alpha: float
) -> None:
    asked = question(direction=direction, margin=margin, alpha=alpha)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        look = assess(asked, scores)
    for c in look.comparisons:
        assert c.low <= c.estimate <= c.high
    for gain in look.gains.values():
        assert gain.low <= gain.estimate <= gain.high
        assert not math.isnan(gain.per_doubling)
    for level, (low, high) in look.intervals.items():
        assert low <= look.means[level] <= high
    assert all(x >= 0 for x in look.forgone.values())
    assert not any(x is not None and math.isnan(x) for x in look.margin_supported.values())
    assert "nan" not in look.verdict.reason


# Properties


@unhurried
@given(SCORES, st.randoms(use_true_random=False))
def test_order_makes_no_difference_to_any_digit(scores: Scores, rng: random.Random) -> None:
    def shuffled(mapping: dict[int, object]) -> dict[int, object]:
        items = list(mapping.items())
        rng.shuffle(items)
        return dict(items)

    other = shuffled({level: shuffled(row) for level, row in scores.items()})
    assert repr(assess(question(), other)) == repr(assess(question(), scores))


@unhurried
@given(SCORES)
def test_accuracy_maximised_is_error_minimised(errors: Scores) -> None:
    accuracies = {k: {i: 1 - e for i, e in row.items()} for k, row in errors.items()}
    minimised = assess(question(), errors)
    maximised = assess(question(direction="maximize"), accuracies)
    same_numbers(maximised, minimised)
    assume(far_from_a_tie(minimised))
    assert minimised.estimated_sufficient == maximised.estimated_sufficient
    assert minimised.verdict.outcome == maximised.verdict.outcome
    assert minimised.verdict.level == maximised.verdict.level
    assert minimised.verdict.not_excluded == maximised.verdict.not_excluded


@unhurried
@given(SCORES, SCORE)
def test_a_constant_changes_nothing(scores: Scores, constant: float) -> None:
    plain = assess(question(), scores)
    moved = assess(
        question(), {k: {i: s + constant for i, s in row.items()} for k, row in scores.items()}
    )
    same_numbers(moved, plain)
    assume(far_from_a_tie(plain))
    assert (moved.verdict.outcome, moved.verdict.level) == (
        plain.verdict.outcome,
        plain.verdict.level,
    )


@unhurried
@given(SCORES, st.sampled_from([0.01, 0.25, 3.0, 100.0]))
def test_scaling_scores_and_margin_scales_the_bounds(scores: Scores, factor: float) -> None:
    plain = assess(question(), scores)
    scaled = assess(
        question(margin=0.02 * factor),
        {k: {i: s * factor for i, s in row.items()} for k, row in scores.items()},
    )
    same_numbers(scaled, plain, factor)
    assume(far_from_a_tie(plain))
    assert (scaled.verdict.outcome, scaled.verdict.level) == (
        plain.verdict.outcome,
        plain.verdict.level,
    )


@unhurried
@given(SCORES)
def test_gains_agree_with_comparisons(scores: Scores) -> None:
    asked = question()
    look = assess(asked, scores)
    assert set(look.gains) == set(look.levels[1:])
    for below, level in zip(look.levels, look.levels[1:], strict=False):
        gain, pair = look.gains[level], look.compare(below, level)
        assert pair is not None
        price = asked.margin * math.log2(level / below)
        assert gain.estimate == pytest.approx(pair.estimate + price)
        # Two-sided where the comparison is one-sided: the same distance, at half the level.
        both = sorted(set(scores[below]) & set(scores[level]))
        differences = [scores[below][i] - scores[level][i] for i in both]
        if len(both) > 1 and np.ptp(differences) > 1e-9:
            bounds = paired_bounds(differences, 0.05 / 4 / 2)
            assert (gain.low, gain.high) == pytest.approx(bounds[1:])
        assert gain.low <= pair.low + price + 1e-12
        assert gain.high >= pair.high + price - 1e-12
        assert gain.per_doubling == pytest.approx(gain.estimate / math.log2(level / below))


@unhurried
@given(SCORES)
def test_the_verdict_follows_from_the_comparisons(scores: Scores) -> None:
    """Written anew from the definition, without the code that decides."""
    look = assess(question(), scores)
    above = {k: [c for c in look.comparisons if c.smaller == k] for k in look.levels}
    plateaus = [k for k in look.levels if len(above[k]) >= 2 and all(c.high < 0 for c in above[k])]
    verdict = look.verdict
    if plateaus:
        assert verdict.outcome in (VerdictOutcome.PLATEAUED, VerdictOutcome.DECLINING)
        assert verdict.level == plateaus[0]
    elif look.levels == QUESTION.levels and all(
        any(c.low > 0 for c in above[k]) for k in look.levels[:-1]
    ):
        assert verdict.outcome is VerdictOutcome.RISING
    else:
        assert verdict.outcome is VerdictOutcome.INCONCLUSIVE
        assert verdict.missing
    sufficient = [k for k in look.levels if all(c.estimate < 0 for c in above[k])]
    assert look.estimated_sufficient == (sufficient[0] if sufficient else None)


def test_a_look_is_fast_enough_to_take_after_every_step() -> None:
    """10 levels by 20 replicates; the best of many, for the machine may be busy."""
    levels = tuple(2**k for k in range(10))
    asked = question(levels)
    scores = scored(dict.fromkeys(levels, 0.5), replicates=20, noise=0.02)
    assess(asked, scores)
    best = math.inf
    for _ in range(30):
        start = time.perf_counter()
        assess(asked, scores)
        best = min(best, time.perf_counter() - start)
    assert best < 0.005
