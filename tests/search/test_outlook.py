"""What more replicates may show: chances that come true as often as they say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuner.curve import Question
from tuner.returns import assess
from tuner.search.outlook import HOPE, TIE, UNKNOWN, Outlook, Prospect

MARGIN = 0.02


def asked(levels=(1, 2, 4), margin=MARGIN, **more) -> Question:
    more = {"direction": "minimize", "patience": 1, **more}
    return Question("s", "t", "depth", levels, "error", margin=margin, **more)


def outlook(question: Question, scores, left=16) -> Outlook:
    look = assess(question, scores)
    by_level = left if isinstance(left, dict) else dict.fromkeys(look.levels, left)
    return Outlook(question, scores, look, by_level)


def pair(gains, margin=MARGIN, left=16, levels=(1, 2), **more) -> Prospect:
    """Returns the prospect of two levels whose replicates differ by these gains."""
    scores = {
        1: {i: 0.3 + 0.01 * i for i in range(len(gains))},
        2: {i: 0.3 + 0.01 * i - gain for i, gain in enumerate(gains)},
    }
    return outlook(asked(levels, margin, **more), scores, left).above(1)[0]


# Chances


def test_chances_come_true_about_as_often_as_they_say():
    """Of 600 pairs whose true gain may be anything, by chance in five bins.

    A chance is reckoned from 6 replicates; what comes of it is read off the bounds at 20.
    """
    rng = np.random.default_rng(7)
    runs, few, most = 600, 6, 20
    told, came = np.empty((runs, 2)), np.empty((runs, 2))
    for run in range(runs):
        # In units of the spread, from far below the margin to far above it.
        gains = MARGIN + 0.01 * (rng.uniform(-2, 2) + rng.normal(size=most))
        chance = pair(gains[:few], left=most - few)
        final = pair(gains, left=0).now
        told[run] = chance.bounded, chance.excluded
        came[run] = final.high < 0, final.low > 0
    for side in (0, 1):
        # Standard error of a share of some 100 is .05; the spread doesn't stay what it was.
        assert told[:, side].mean() == pytest.approx(came[:, side].mean(), abs=0.05)
        bins = np.minimum((told[:, side] * 5).astype(int), 4)
        for k in range(5):
            some = bins == k
            if some.sum() >= 30:
                assert told[some, side].mean() == pytest.approx(came[some, side].mean(), abs=0.17)
        hopeless = told[:, side] < HOPE
        assert hopeless.sum() > 100
        assert came[hopeless, side].mean() < 2 * HOPE


GAINS = st.lists(st.floats(-0.1, 0.1), min_size=2, max_size=12)


@settings(deadline=None)
@given(GAINS, st.floats(0.001, 0.1), st.floats(0.001, 0.1), st.integers(0, 30))
def test_a_larger_margin_is_easier_to_stay_below_and_harder_to_exceed(gains, one, other, left):
    small, large = (pair(gains, margin, left) for margin in sorted((one, other)))
    assert small.bounded <= large.bounded + 1e-9
    assert small.excluded >= large.excluded - 1e-9


@settings(deadline=None)
@given(GAINS, st.floats(0.001, 0.1), st.integers(0, 30))
def test_chances_are_chances_and_do_not_depend_on_which_way_is_better(gains, margin, left):
    here = pair(gains, margin, left)
    there = pair([-gain for gain in gains], margin, left, direction="maximize")
    assert 0 <= here.bounded <= 1
    assert 0 <= here.excluded <= 1
    assert here.bounded + here.excluded <= 1 + 1e-9
    assert there.bounded == pytest.approx(here.bounded, abs=1e-9)
    assert there.excluded == pytest.approx(here.excluded, abs=1e-9)


@settings(deadline=None)
@given(GAINS, st.floats(0.001, 0.1))
def test_what_is_shown_is_certain_and_what_cannot_be_shown_any_more_is_hopeless(gains, margin):
    found = pair(gains, margin, left=0)
    assert found.bounded == float(found.now.high < 0)
    assert found.excluded == float(found.now.low > 0)


@pytest.mark.parametrize("gain", [0.0, 0.05, 1 / 3, 7 / 450])
def test_equal_differences_say_nothing_of_the_noise(gain):
    """On a small test they are common, and equal to rounding only."""
    base = (0.1, 0.3, 0.7)
    scores = {1: dict(enumerate(base)), 2: {i: b - gain for i, b in enumerate(base)}}
    found = outlook(asked((1, 2)), scores).above(1)[0]
    assert found.now.low < 0 < found.now.high
    assert (found.bounded, found.excluded) == (UNKNOWN, UNKNOWN)


def test_a_pair_has_hope_while_either_level_may_still_catch_up():
    """Replicates are paired: those that one level has already are there for the other."""
    gains = [0.01, -0.01, 0.02, 0.0]
    assert pair(gains, left={1: 0, 2: 8}).bounded > 0
    assert pair(gains, left={1: 0, 2: 0}).bounded == 0


# Candidates


def scores_of(means: dict[int, float], sd=0.002, n=8, seed=0):
    rng = np.random.default_rng(seed)
    return {
        k: {i: mean + 0.01 * (i % 3) + sd * rng.normal() for i in range(n)}
        for k, mean in means.items()
    }


@pytest.mark.parametrize(
    ("means", "candidate"),
    [
        ({1: 0.10, 2: 0.10, 4: 0.10}, 1),
        ({1: 0.20, 2: 0.10, 4: 0.10}, 2),
        ({1: 0.30, 2: 0.20, 4: 0.10}, 4),  # nothing is above it, but all below may fall short
        ({1: 0.10, 2: 0.20, 4: 0.30}, 1),
    ],
)
def test_the_candidate_is_the_smallest_level_that_may_suffice(means, candidate):
    assert outlook(asked(), scores_of(means)).candidate() == candidate


def test_noise_leaves_no_candidate():
    """Each doubling seems to gain just its margin, and neither more nor less will be told."""
    ups = {1: (1, 1, -1, -1), 2: (1, -1, 1, -1), 4: (1, -1, -1, 1)}
    scores = {
        k: {i: 0.14 - 0.02 * k.bit_length() + 0.2 * ups[k][i % 4] for i in range(8)} for k in ups
    }
    found = outlook(asked(), scores, left=12)
    assert all(p.bounded < HOPE and p.excluded < HOPE for k in (1, 2) for p in found.above(k))
    assert found.candidate() is None


def test_a_level_that_looks_worth_less_than_a_smaller_one_is_no_candidate():
    """Level 1 is too noisy to be shown, and level 2 is easily shown against 4: not preferred."""
    quiet = scores_of({2: 0.12, 4: 0.12, 8: 0.12}, sd=0.001)
    loud = scores_of({1: 0.10}, sd=0.15, seed=1)
    loud[1] = {i: v - np.mean([*loud[1].values()]) + 0.11 for i, v in loud[1].items()}
    question = asked((1, 2, 4, 8))
    found = outlook(question, {**loud, **quiet}, left=6)
    assert min(p.bounded for p in found.above(1)) < HOPE
    assert min(p.bounded for p in found.above(2)) > 1 - HOPE
    assert -found.above(1)[0].now.estimate > TIE * MARGIN
    assert found.candidate() is None


def test_a_tie_with_a_smaller_level_is_no_reason_to_go_without_an_answer():
    """Level 2 is worth as much as level 1 to a quarter of the margin, and can be shown."""
    quiet = scores_of({2: 0.10, 4: 0.10, 8: 0.10}, sd=0.001)
    base = {i: 0.10 + 0.01 * (i % 3) + 0.15 * (-1) ** i for i in range(8)}
    shift = np.mean([base[i] - quiet[2][i] for i in range(8)])
    level = {i: v - shift + MARGIN - 0.003 for i, v in base.items()}  # .15 of a margin better
    question = asked((1, 2, 4, 8))
    found = outlook(question, {1: level, **quiet}, left=6)
    assert 0 < -found.above(1)[0].now.estimate < TIE * MARGIN
    assert found.candidate() == 2


def test_replicates_go_to_the_pair_that_is_likeliest_to_fail_for_its_cost():
    # 4 is a little likelier to be worth having than 2, and dearer by two thirds.
    noise = (0.006, -0.004, 0.003, -0.007, 0.002)
    scores = {k: {i: 0.2 + 0.01 * i for i in range(5)} for k in (1, 2, 4)}
    for i, off in enumerate(noise):
        scores[2][i] -= 0.008 + off
        scores[4][i] -= 0.0281 - off
    found = outlook(asked((1, 2, 4, 8)), scores)
    near, far = found.above(1)
    assert near.now.high > 0
    assert far.now.high > 0
    assert HOPE < far.bounded < near.bounded < 1
    assert found.candidate() == 1
    dearer = (1 - far.bounded) / 5 > (1 - near.bounded) / 3
    assert found.undecided(1) == ([1, 4] if dearer else [1, 2])
    assert not dearer  # or the cost was not put to the test


def test_where_all_is_decided_nothing_is_asked_for():
    found = outlook(asked(), scores_of({1: 0.3, 2: 0.2, 4: 0.1}, n=20))
    assert found.rivals() == []
    flat = outlook(asked(), scores_of({1: 0.1, 2: 0.1, 4: 0.1}, n=20))
    assert flat.undecided(1) == []


def test_rivals_are_what_is_not_excluded_with_the_likeliest_to_exclude_it():
    scores = scores_of({1: 0.40, 2: 0.134, 4: 0.1}, sd=0.006, n=5)
    found = outlook(asked(), scores)
    assert found.above(1)[0].excluded == 1
    assert found.candidate() == 4
    assert found.rivals() == [2, 4]
