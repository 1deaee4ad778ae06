"""Verdicts on curves whose truth is known: seldom wrong at any look, and not for lack of any.

The quick version of `make validate`, by the public functions and with its own loop. A
search looks after every replicate from 4 to 20 and stops at the first verdict that
isn't INCONCLUSIVE. `Truth.judge` says what is wrong.
"""

from collections.abc import Iterator
from functools import cache

import pytest
from scipy import stats

from tuner.curve import Question, Verdict, VerdictOutcome
from tuner.returns import Assessment, assess
from tuner.returns.designs import FIXED, SEQUENTIAL, Design
from tuner.testing.noise import Floats
from tuner.testing.truths import CASES, Judgement, Rule, tally

CURVES = 150
LOOKS = range(4, 21)
GAUSSIAN = [name for name, case in CASES.items() if case.noise.gaussian]
LIMIT = stats.binom.ppf(0.99, CURVES, 0.05)

by_case = pytest.mark.parametrize("name", GAUSSIAN)


def look(question: Question, scores: Floats, n: int, design: Design = SEQUENTIAL) -> Assessment:
    """Assesses the first n replicates."""
    table = dict(zip(question.levels, scores[:, :n].tolist(), strict=True))
    return assess(question, {k: dict(enumerate(row)) for k, row in table.items()}, design)


def first_verdict(question: Question, scores: Floats) -> Verdict:
    """Stops at the first verdict, or at the last look."""
    for n in LOOKS:
        found = look(question, scores, n).verdict
        if found.outcome is not VerdictOutcome.INCONCLUSIVE:
            break
    return found


def first_settled(question: Question, scores: Floats) -> Verdict:
    """Stops at the first verdict that more replicates aren't likely to better."""
    for n in LOOKS:
        found = look(question, scores, n)
        if found.settled:
            break
    return found.verdict


def fixed(question: Question, scores: Floats) -> Verdict:
    """Looks once, at ten."""
    return look(question, scores, 10, FIXED).verdict


@cache
def tallied(name: str, rule: Rule) -> dict[Judgement, int]:
    return tally(CASES[name], rule, CURVES)


@by_case
def test_wrong_verdicts_are_as_rare_as_alpha_says(name: str) -> None:
    assert tallied(name, first_verdict)[Judgement.WRONG] <= LIMIT


@by_case
def test_so_are_they_where_the_number_was_fixed(name: str) -> None:
    assert tallied(name, fixed)[Judgement.WRONG] <= LIMIT


@pytest.mark.parametrize(
    "name",
    [
        "no gain",
        "plateau early",
        "plateau late",
        "step at the third doubling",
        "rising",
        "dip before a rise",
        "two levels, no gain",
        "three levels, plateau",
    ],
)
def test_clear_truths_are_found(name: str) -> None:
    """And not a larger level than the sufficient one, where there are replicates left."""
    assert tallied(name, first_settled)[Judgement.RIGHT] >= 0.95 * CURVES


@pytest.mark.parametrize("name", ["decline", "slow decline"])
def test_a_decline_is_found_and_called_so(name: str) -> None:
    case = CASES[name]
    found = [first_settled(case.question, scores).answer for scores in case.curves(CURVES)]
    declining = found.count((VerdictOutcome.DECLINING, 2))
    assert declining + found.count((VerdictOutcome.PLATEAUED, 2)) >= 0.95 * CURVES
    if name == "decline":
        assert declining >= 0.95 * CURVES


@pytest.mark.parametrize("name", ["just the margin", "two levels, just the margin"])
def test_what_lies_on_the_margin_is_left_open(name: str) -> None:
    """The answer hangs on a hair, so nearly every search must say that it doesn't know."""
    assert tallied(name, first_verdict)[Judgement.ABSTAINED] >= 0.9 * CURVES


def test_a_rule_that_reads_not_significant_as_equal_is_found_out() -> None:
    """The judge has to tell: the same looks, and a plateau where no gain is significant."""

    def hasty(question: Question, scores: Floats) -> Verdict:
        found = look(question, scores, LOOKS[0], FIXED)
        gaining = [c.smaller for c in found.comparisons if c.low > 0]
        level = next(k for k in question.levels if k not in gaining)
        return Verdict(VerdictOutcome.PLATEAUED, level, "")

    assert tallied("1.2 margins", hasty)[Judgement.WRONG] >= 0.9 * CURVES


def missed(name: str, looks: Iterator[list[Assessment]]) -> tuple[int, int]:
    """Counts the curves where a gain, and those where a mean, lies outside at any look."""
    truth = CASES[name].truth
    gains = means = 0
    for curve in looks:
        gains += any(
            not g.low <= truth.mean(g.level) - truth.mean(g.below) <= g.high
            for found in curve
            for g in found.gains.values()
        )
        means += any(
            not low <= truth.mean(k) <= high
            for found in curve
            for k, (low, high) in found.intervals.items()
        )
    return gains, means


@pytest.mark.parametrize("name", ["no gain", "decline", "no gain, noise falling"])
def test_all_bounds_hold_together_at_every_look(name: str) -> None:
    """Gains and means, over every look at once and not only at the stop."""
    case = CASES[name]
    curves = case.curves(CURVES)
    gains, means = missed(name, ([look(case.question, s, n) for n in LOOKS] for s in curves))
    assert gains <= LIMIT
    assert means <= LIMIT


def test_all_bounds_hold_together_where_the_number_was_fixed() -> None:
    """Over all cases at once: the bounds are exact there, and one case in 100 would be beyond."""
    gains = means = 0
    for name in GAUSSIAN:
        case = CASES[name]
        curves = case.curves(CURVES)
        more = missed(name, ([look(case.question, s, 10, FIXED)] for s in curves))
        gains, means = gains + more[0], means + more[1]
    limit = stats.binom.ppf(0.99, CURVES * len(GAUSSIAN), 0.05)
    assert gains <= limit
    assert means <= limit


@pytest.mark.parametrize("name", ["no gain", "two levels, no gain"])
def test_ten_replicates_decide_pairs_without_any_gain(name: str) -> None:
    """With a paired deviation of half a margin, 19 pairs of 20 are decided by then."""
    case = CASES[name]
    decided = pairs = 0
    for scores in case.curves(CURVES, 10):
        looks = [look(case.question, scores, n) for n in range(LOOKS[0], 11)]
        for found in zip(*(each.comparisons for each in looks), strict=True):
            pairs += 1
            decided += any(c.high < 0 for c in found)
    assert decided >= 0.95 * pairs
