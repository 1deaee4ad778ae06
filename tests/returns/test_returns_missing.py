"""What is said to be needed follows from the definition, and is empty where a verdict stands."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from tuner.curve import Needed, Question, VerdictOutcome
from tuner.returns import analyze, assess, curve
from tuner.returns.bounds import Floats
from tuner.returns.designs import FIXED, SEQUENTIAL, Resampled
from tuner.returns.uncertainty import Unpaired

pytestmark = pytest.mark.filterwarnings("error")

# A busy machine is no failure of the property.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

LEVELS = (1, 2, 4, 8)
QUESTION = Question("d", "", "d", LEVELS, "accuracy", "maximize", 0.1)
ONE_SIDED = 0.05 / 3

Range = tuple[int | None, int | None] | None


def as_scores(values: Floats) -> dict[float, dict[int, float]]:
    return {
        k: {i: float(x) for i, x in enumerate(row) if not math.isnan(x)}
        for k, row in zip(LEVELS, values, strict=True)
    }


def smallest(distance: float, spread: float) -> int | None:
    for n in range(2, 1001):
        error = spread / math.sqrt(n)
        if (stats.t.isf(ONE_SIDED, n - 1) + 0.84) * error <= distance:
            return n
    return None


def by_hand(values: Floats) -> tuple[bool, Range]:
    """Returns whether the verdict stands, and else the range of replicates, from the definition."""
    n = values.shape[1]
    price, u, s = {}, {}, {}
    for i, j in itertools.combinations(range(4), 2):
        d = values[j] - values[i]
        price[i, j] = 0.1 * math.log2(LEVELS[j] / LEVELS[i])
        u[i, j], s[i, j] = d.mean() - price[i, j], d.std(ddof=1)
    width = {pair: stats.t.isf(ONE_SIDED, n - 1) * s[pair] / math.sqrt(n) for pair in u}
    assume(all(abs(abs(u[pair]) - width[pair]) > 1e-9 and abs(u[pair]) > 1e-9 for pair in u))
    above = {i: [(i, j) for j in range(i + 1, 4)] for i in range(4)}
    for i in (0, 1):  # patience is 2
        if all(u[p] + width[p] < 0 for p in above[i]):
            return True, None
    shut = [any(u[p] - width[p] > 0 for p in above[i]) for i in range(3)]
    if all(shut):
        return True, None
    suffices = next(i for i in range(4) if all(u[p] < 0 for p in above[i]))
    if suffices < 3:
        pairs = [p for p in above[suffices] if u[p] + width[p] >= 0]
    else:
        pairs = [max(above[i], key=lambda p: u[p]) for i in range(3) if not shut[i]]
    if not pairs:
        return False, None
    ends = []
    for distance in ({p: abs(u[p]) for p in pairs}, price):
        each = [smallest(distance[p], s[p]) for p in pairs]
        ends.append(None if None in each else max(max(x for x in each if x), n + 1))
    low, high = sorted(ends, key=lambda x: (x is None, x or 0))
    return False, None if low is None else (low, high)


@unhurried
@given(
    st.integers(3, 8),
    st.integers(0, 2**32 - 1),
    st.sampled_from([0.0, 0.05, 0.1, 0.12, 0.2]),
    st.sampled_from([0.01, 0.1, 0.5]),
)
def test_what_is_needed_is_by_the_definition(n: int, seed: int, slope: float, noise: float) -> None:
    rng = np.random.default_rng(seed)
    values = slope * np.log2(LEVELS)[:, None] + rng.normal(0, 1, n) + rng.normal(0, noise, (4, n))
    look = assess(QUESTION, as_scores(values), FIXED)
    stands, wanted = by_hand(values)
    assert (look.verdict.outcome is not VerdictOutcome.INCONCLUSIVE) == stands
    assert look.needed.replicates == wanted
    assert look.needed.examples is None
    assert (look.needed.reason == "") == stands
    if stands:
        assert look.needed == Needed()


@unhurried
@given(
    st.dictionaries(
        st.sampled_from(LEVELS),
        st.dictionaries(st.integers(0, 6), st.integers(-9, 9).map(lambda x: x / 16), max_size=7),
        max_size=4,
    ),
    st.integers(1, 4),
    st.sampled_from([FIXED, SEQUENTIAL, Resampled(1, 4)]),
)
def test_there_is_a_reason_exactly_where_no_verdict_stands(
    scores: dict[float, dict[int, float]], patience: int, design: object
) -> None:
    look = assess(replace(QUESTION, patience=patience), scores, design)  # type: ignore[arg-type]
    inconclusive = look.verdict.outcome is VerdictOutcome.INCONCLUSIVE
    assert (look.needed.reason != "") == inconclusive
    assert (look.verdict.missing != ()) == inconclusive
    if look.needed.replicates is not None:
        low, high = look.needed.replicates
        assert low is not None
        assert low > 0
        assert high is None or high >= low


def test_with_so_many_the_verdict_comes_four_times_in_five() -> None:
    asked = Question("d", "", "d", (1, 2), "accuracy", "maximize", 0.1, patience=1)
    d = np.array([1, -1, 1, -1, 1, -1, 1, -1]) * 0.1
    there = {1: dict.fromkeys(range(8), 0.5), 2: dict(enumerate((0.56 + d).tolist()))}
    look = assess(asked, there, FIXED)
    assert look.needed.replicates is not None
    n = look.needed.replicates[1]  # if the gain of .06 is right, which is near the margin
    assert n is not None
    rng = np.random.default_rng(5)
    shown = 0
    for _ in range(400):
        gains = rng.normal(0.06, d.std(ddof=1), n)
        scores = {1: dict.fromkeys(range(n), 0.5), 2: dict(enumerate((0.5 + gains).tolist()))}
        shown += assess(asked, scores, FIXED).verdict.answer == (VerdictOutcome.PLATEAUED, 1)
    assert 0.74 < shown / 400 < 0.88


def test_two_ends_are_the_estimated_gain_and_none() -> None:
    # The only open pair: 8 over 2, estimated at half its price of .2.
    d = np.array([1, -1, 1, -1, 1, -1]) * 0.3
    values = np.array([np.full(6, -5.0), np.zeros(6), np.full(6, -1.0), 0.1 + d])
    look = assess(QUESTION, as_scores(values), FIXED)
    spread = float(d.std(ddof=1))
    assert look.needed.replicates == (smallest(0.2, spread), smallest(0.1, spread))
    more = smallest(0.1, spread)
    assert more is not None
    assert (
        look.needed.reason == f"2 against 8: about {more - 6} more replicates at the present spread"
    )
    assert look.verdict.missing == (look.needed.reason,)


def test_splits_of_the_same_data_may_never_do() -> None:
    d = np.array([1, -1, 1, -1, 1, -1]) * 0.3
    values = np.array([np.full(6, -5.0), np.zeros(6), np.full(6, -1.0), 0.1 + d])
    look = assess(QUESTION, as_scores(values), Resampled(500, 500))
    assert look.needed.replicates is None
    assert look.needed.reason == (
        "2 against 8: not by replicates: however many, splits of the same data bound no more"
    )


def test_a_gain_that_is_the_margin_is_never_told_from_it() -> None:
    d = np.array([1, -1, 1, -1, 1, -1]) * 0.3
    values = np.array([np.full(6, -5.0), np.zeros(6), np.full(6, -1.0), 0.1999 + d])
    look = assess(QUESTION, as_scores(values), FIXED)
    low, high = look.needed.replicates or (None, None)
    assert low == smallest(0.2, float(d.std(ddof=1)))  # if it gains nothing after all
    assert high is None
    assert "not by replicates: the gain is within noise of the margin" in look.needed.reason


@pytest.mark.parametrize(("design", "least"), [("fixed", 2), ("sequential", 4)])
def test_one_replicate_says_how_many_bound_anything(design: str, least: int) -> None:
    table = {"d": LEVELS, "i": [0] * 4, "s": [0.1, 0.5, 0.5, 0.5]}
    found = analyze(
        table,
        level="d",
        score="s",
        direction="maximize",
        margin=0.1,
        replicate="i",
        design=design,  # type: ignore[arg-type]
    )
    assert found.needed.replicates == (least, None)
    assert f"at least {least} replicates of both, there are 1" in found.needed.reason


@pytest.mark.parametrize("counts", [(2, 2), (4, 9), (30, 3)])
@pytest.mark.parametrize("distance", [0.3, 0.8, 3.0])
def test_of_runs_that_nothing_pairs_as_many_are_needed_at_both_levels(
    counts: tuple[int, int], distance: float
) -> None:
    spreads = 0.4, 0.9
    found = Unpaired(counts, spreads).replicates_needed(distance, ONE_SIDED)

    def reach(n: int) -> float:
        parts = [s * s / n for s in spreads]
        degrees = sum(parts) ** 2 / sum(v * v / (n - 1) for v in parts)
        return float((stats.t.isf(ONE_SIDED, degrees) + 0.84) * math.sqrt(sum(parts)))

    assert found == next(n for n in range(2, 1000) if reach(n) <= distance)
    assert Unpaired(counts, spreads).replicates_needed(1e-4, ONE_SIDED) is None
    assert Unpaired(counts, spreads).replicates_needed(0.0, ONE_SIDED) is None
    assert Unpaired(counts, (0.4, math.inf)).replicates_needed(distance, ONE_SIDED) is None


def test_a_learner_without_an_axis_needs_nothing() -> None:
    base = Question("perceptron", "perceptron", "", (1,), "error", "minimize", 0.1, baseline=True)
    found = curve(base, [])
    assert found.verdict is None
    assert found.needed == Needed()


def test_levels_are_missing_before_replicates_are() -> None:
    values = {1: {i: 0.1 * i for i in range(6)}, 4: {i: 1 + 0.1 * i for i in range(6)}}
    look = assess(QUESTION, values, FIXED)  # type: ignore[arg-type]
    assert look.needed.reason == "level 2 is not measured; levels above 4 are not measured"
    assert look.needed.replicates is None
