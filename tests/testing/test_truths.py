"""The judge of verdicts is the definition, and the simulated noise is what it says it is."""

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuner.curve import Question, Verdict, VerdictOutcome
from tuner.testing.noise import FALLING, Noise, gaussian, heavy_tailed, skewed
from tuner.testing.truths import CASES, Case, Judgement, Truth, tally

PLATEAUED, RISING = VerdictOutcome.PLATEAUED, VerdictOutcome.RISING
DECLINING, INCONCLUSIVE = VerdictOutcome.DECLINING, VerdictOutcome.INCONCLUSIVE


def verdict(outcome: VerdictOutcome, level: float | None = None) -> Verdict:
    return Verdict(outcome, level, "")


# Levels 1, 2, 4, 8 and 16; below each, what it is worth after its price.
PLATEAU = Truth.of_gains(3, 2, 0, 0)  # 0, 2, 3, 2, 1: level 4 suffices
FLAT = Truth.of_gains(0, 0, 0, 0)  # 0, -1, -2, -3, -4: level 1 does
TIED = Truth.of_gains(1, 0, 0, 0)  # 0, 0, -1, -2, -3: level 2 does, for 2 is worth no less than 1
STEP = Truth.of_gains(0, 0, 0, 5)  # 0, -1, -2, -3, 1: only the top does
WANING = Truth.of_gains(2, -1, -1, -1)  # 0, 1, -1, -3, -5: level 2 does, and more does harm


@pytest.mark.parametrize(
    ("truth", "outcome", "level", "judgement"),
    [
        (PLATEAU, PLATEAUED, 4, Judgement.RIGHT),
        (PLATEAU, PLATEAUED, 8, Judgement.WASTEFUL),
        (PLATEAU, PLATEAUED, 2, Judgement.WRONG),
        (PLATEAU, DECLINING, 4, Judgement.WRONG),  # the top is no worse
        (PLATEAU, RISING, None, Judgement.WRONG),
        (PLATEAU, INCONCLUSIVE, None, Judgement.ABSTAINED),
        (FLAT, PLATEAUED, 1, Judgement.RIGHT),
        (FLAT, PLATEAUED, 16, Judgement.WASTEFUL),
        (TIED, PLATEAUED, 1, Judgement.WRONG),
        (TIED, PLATEAUED, 2, Judgement.RIGHT),
        (STEP, PLATEAUED, 1, Judgement.WRONG),
        (STEP, RISING, None, Judgement.RIGHT),
        (WANING, PLATEAUED, 2, Judgement.RIGHT),  # it may say less than is so
        (WANING, DECLINING, 2, Judgement.RIGHT),
        (WANING, DECLINING, 4, Judgement.WASTEFUL),
        (WANING, DECLINING, 1, Judgement.WRONG),
    ],
)
def test_verdicts_are_judged_by_what_is_so(
    truth: Truth, outcome: VerdictOutcome, level: float | None, judgement: Judgement
) -> None:
    assert truth.judge(verdict(outcome, level)) is judgement


def test_a_level_that_was_not_measured_is_counted_apart() -> None:
    """Of the first four levels 1 suffices; the fifth, which nobody measured, is worth more."""
    seen = (1, 2, 4, 8)
    assert STEP.judge(verdict(PLATEAUED, 1), seen) is Judgement.UNMEASURED
    assert STEP.judge(verdict(PLATEAUED, 1)) is Judgement.WRONG
    assert PLATEAU.judge(verdict(PLATEAUED, 2), (1, 2, 4)) is Judgement.WRONG
    # Level 4 was not there to be named.
    assert PLATEAU.judge(verdict(PLATEAUED, 8), (8, 16)) is Judgement.RIGHT


@pytest.mark.parametrize(
    ("level", "measured"), [(3, None), (None, None), (8, (1, 2, 4)), (16, (1, 2, 4, 8))]
)
def test_a_verdict_on_no_measured_level_is_refused(
    level: float | None, measured: tuple[float, ...] | None
) -> None:
    with pytest.raises(ValueError, match="not a measured level"):
        FLAT.judge(verdict(PLATEAUED, level), measured)


@st.composite
def situations(draw: st.DrawFn) -> tuple[list[int], list[Fraction], Verdict, list[int]]:
    """Draws doublings of levels, their means, a verdict, and which levels were measured."""
    k = draw(st.integers(1, 6))
    doublings = sorted(draw(st.sets(st.integers(0, 9), min_size=k, max_size=k)))
    means = draw(st.lists(st.integers(-8, 8).map(lambda n: Fraction(n, 2)), min_size=k, max_size=k))
    measured = sorted(draw(st.sets(st.sampled_from(range(k)), min_size=1)))
    outcome = draw(st.sampled_from(VerdictOutcome))
    level = None
    if outcome in (PLATEAUED, DECLINING):
        level = 2.0 ** doublings[draw(st.sampled_from(measured))]
    return doublings, means, verdict(outcome, level), measured


@settings(deadline=None)
@given(situations())
def test_the_judge_is_the_definition(
    situation: tuple[list[int], list[Fraction], Verdict, list[int]],
) -> None:
    """Against exact arithmetic and the definition, word by word."""
    doublings, means, given_verdict, measured = situation
    levels = tuple(2.0**d for d in doublings)
    truth = Truth(levels, tuple(map(float, means)))
    u = [m - d for m, d in zip(means, doublings, strict=True)]

    def suffices(k: int, among: list[int]) -> bool:
        return all(u[j] < u[k] for j in among if j > k)

    everything = list(range(len(levels)))
    outcome = given_verdict.outcome
    if outcome is INCONCLUSIVE:
        expected = Judgement.ABSTAINED
    elif outcome is RISING:
        some = any(suffices(k, everything) for k in everything[:-1])
        expected = Judgement.WRONG if some else Judgement.RIGHT
    else:
        assert given_verdict.level is not None
        k = levels.index(given_verdict.level)
        wrong = not suffices(k, measured)
        if outcome is DECLINING:
            wrong = wrong or means[measured[-1]] >= means[k]
        if wrong:
            expected = Judgement.WRONG
        elif not suffices(k, everything):
            expected = Judgement.UNMEASURED
        elif any(suffices(i, measured) for i in measured if i < k):
            expected = Judgement.WASTEFUL
        else:
            expected = Judgement.RIGHT
    assert truth.judge(given_verdict, [levels[i] for i in measured]) is expected


def test_gains_are_per_doubling() -> None:
    truth = Truth.of_gains(2, 0.5, levels=(1, 8, 16))
    assert truth.means == pytest.approx((0, 6, 6.5))
    assert truth.worth(8) == pytest.approx(3)


def test_a_case_asks_in_margins() -> None:
    case = CASES["two levels, no gain"]
    assert case.question == Question(
        case.name, "", "level", (1.0, 2.0), "margins", "maximize", 1.0, patience=1
    )


@pytest.mark.parametrize("name", ["just the margin", "just the margin, noise falling"])
def test_what_lies_on_the_margin_is_a_tie_in_spite_of_rounding(name: str) -> None:
    truth = CASES[name].truth
    assert truth.sufficient() == truth.levels[-1]
    assert truth.judge(verdict(PLATEAUED, 8.0)) is Judgement.WRONG


MANY = 40_000


@pytest.mark.parametrize("shape", [gaussian, skewed])
def test_shapes_differ_in_nothing_but_shape(shape: object) -> None:
    drawn = shape(np.random.default_rng(0), (MANY,))
    assert drawn.mean() == pytest.approx(0, abs=5 / math.sqrt(MANY))
    assert drawn.std() == pytest.approx(1, rel=0.03)


def test_heavy_tails_have_the_same_deviation() -> None:
    """Its own estimate of it converges too slowly, so quantiles are compared: t with 3 degrees."""
    drawn = heavy_tailed(np.random.default_rng(0), (MANY,))
    quartile, far = np.quantile(np.abs(drawn), [0.5, 0.99])
    assert quartile == pytest.approx(0.7649 / math.sqrt(3), rel=0.03)
    assert far == pytest.approx(5.8409 / math.sqrt(3), rel=0.06)


def test_bad_runs_are_the_rare_ones() -> None:
    drawn = skewed(np.random.default_rng(0), (MANY,))
    assert drawn.max() <= 1
    assert drawn.min() < -6


def test_differences_scatter_as_asked_and_luck_cancels() -> None:
    noise = Noise(0.5, luck=100.0)
    drawn = noise.draw(np.random.default_rng(0), 3, MANY)
    assert (drawn[2] - drawn[0]).std() == pytest.approx(0.5, rel=0.03)
    assert drawn[0].std() == pytest.approx(100, rel=0.03)


def test_noise_falls_with_the_level() -> None:
    drawn = Noise(FALLING, luck=0.0).draw(np.random.default_rng(0), 6, MANY)
    assert drawn.std(axis=1) * math.sqrt(2) == pytest.approx(FALLING, rel=0.03)


def test_replicates_correlate_as_asked() -> None:
    rng = np.random.default_rng(0)
    noise = Noise(1.0, correlation=0.3, luck=0.0)
    pairs = np.array([noise.draw(rng, 1, 2)[0] for _ in range(MANY // 4)])
    assert np.corrcoef(pairs.T)[0, 1] == pytest.approx(0.3, abs=0.05)
    assert pairs.std() == pytest.approx(1 / math.sqrt(2), rel=0.03)
    assert not noise.gaussian


def test_curves_repeat_and_do_not_hang_on_how_many_are_asked_for() -> None:
    case = CASES["plateau early"]
    few, many = list(case.curves(2, 5, seed=3)), list(case.curves(4, 5, seed=3))
    for one, other in zip(few, many, strict=False):
        np.testing.assert_array_equal(one, other)
    assert not np.array_equal(many[0], many[1])
    assert not np.array_equal(many[0], next(case.curves(1, 5, seed=4)))
    other_case = replace(case, name="another")
    assert not np.array_equal(many[0], next(other_case.curves(1, 5, seed=3)))


def test_curves_scatter_around_the_truth() -> None:
    case = Case("steps", Truth.of_gains(3, -1), Noise(0.5, luck=0.5))
    means = np.mean(list(case.curves(500, 20)), axis=(0, 2))
    assert means == pytest.approx((0, 3, 2), abs=0.05)


def test_a_rule_of_ones_own_is_tallied() -> None:
    """One that always names the first level it sees, whatever the scores."""

    def hasty(question: Question, scores: np.ndarray) -> Verdict:
        assert scores.shape == (len(question.levels), 7)
        return verdict(PLATEAUED, question.levels[0])

    none = dict.fromkeys(Judgement, 0)
    assert tally(CASES["no gain"], hasty, 5, 7) == none | {Judgement.RIGHT: 5}
    assert tally(CASES["rising"], hasty, 5, 7) == none | {Judgement.WRONG: 5}
