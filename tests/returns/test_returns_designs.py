"""Bounds of a fixed number of replicates are SciPy's, at the levels that the design declares."""

import itertools
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import special, stats

from tuner.curve import Curve
from tuner.returns import analyze, paired_bounds
from tuner.returns.bounds import Floats
from tuner.returns.designs import (
    FIXED,
    SEQUENTIAL,
    Noise,
    Resampled,
    fewest_replicates,
    replicates_needed,
    t_quantile,
)

pytestmark = pytest.mark.filterwarnings("error")

# A busy machine is no failure of the property.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

LEVELS = (1, 2, 6, 8)
MARGIN, ALPHA = 0.1, 0.08
ONE_SIDED = ALPHA / (len(LEVELS) - 1)

TABLES = st.tuples(st.integers(2, 9), st.integers(0, 2**32 - 1))


def scores(replicates: int, seed: int) -> Floats:
    """Returns (levels, replicates), paired, with a few missing."""
    rng = np.random.default_rng(seed)
    values = rng.normal(0, 1, (len(LEVELS), 1)) + rng.normal(0, 2, replicates)
    values += rng.normal(0, rng.uniform(0.1, 1, (len(LEVELS), 1)), values.shape)
    missing = rng.random(values.shape) < 0.15
    missing[:, :2] = False
    values[missing] = np.nan
    return values


def analyzed(values: Floats, paired: bool = True, **changes: Any) -> Curve:
    cells = [(k, i) for k in range(len(LEVELS)) for i in range(values.shape[1])]
    table = {
        "level": [LEVELS[k] for k, _ in cells],
        "seed": [i for _, i in cells],
        "score": [values[k, i] for k, i in cells],
    }
    asked: Mapping[str, Any] = {
        "level": "level",
        "score": "score",
        "direction": "maximize",
        "margin": MARGIN,
        "alpha": ALPHA,
        "replicate": "seed" if paired else None,
    }
    return analyze(table, **{**asked, **changes})


def confidence(test: Any, x: Floats, y: Floats, level: float, **how: Any) -> tuple[float, float]:
    """Returns SciPy's one-sided bounds of the mean of x - y, each at the level."""
    less = test(x, y, alternative="less", **how).confidence_interval(1 - level)
    more = test(x, y, alternative="greater", **how).confidence_interval(1 - level)
    return float(more.low), float(less.high)


def both(a: Floats, b: Floats) -> tuple[Floats, Floats]:
    there = ~(np.isnan(a) | np.isnan(b))
    return a[there], b[there]


@unhurried
@given(TABLES)
def test_paired_bounds_are_the_paired_t_s(table: tuple[int, int]) -> None:
    values = scores(*table)
    found = analyzed(values, design="fixed")
    pairs = list(itertools.combinations(range(len(LEVELS)), 2))
    for c, (i, j) in zip(found.comparisons, pairs, strict=True):
        x, y = both(values[j], values[i])
        price = MARGIN * math.log2(LEVELS[j] / LEVELS[i])
        assert c.replicates == len(x)
        assert c.estimate == pytest.approx((x - y).mean() - price)
        expected = confidence(stats.ttest_rel, x - price, y, ONE_SIDED)
        assert (c.low, c.high) == pytest.approx(expected)
    for gain, (i, j) in zip(found.gains, itertools.pairwise(range(len(LEVELS))), strict=True):
        x, y = both(values[j], values[i])
        two_sided = stats.ttest_rel(x, y).confidence_interval(1 - ONE_SIDED)
        assert (gain.low, gain.high) == pytest.approx((two_sided.low, two_sided.high))
        assert gain.per_doubling * math.log2(LEVELS[j] / LEVELS[i]) == pytest.approx(gain.estimate)
    for row, own in zip(found.levels, values, strict=True):
        own = own[~np.isnan(own)]
        one = stats.ttest_1samp(own, 0).confidence_interval(1 - ALPHA / len(LEVELS))
        assert (row.low, row.high) == pytest.approx((one.low, one.high))


@unhurried
@given(TABLES)
def test_unpaired_bounds_are_welch_s(table: tuple[int, int]) -> None:
    values = scores(*table)
    found = analyzed(values, paired=False, design="fixed")
    rows = [row[~np.isnan(row)] for row in values]
    pairs = list(itertools.combinations(range(len(LEVELS)), 2))
    for c, (i, j) in zip(found.comparisons, pairs, strict=True):
        price = MARGIN * math.log2(LEVELS[j] / LEVELS[i])
        assert c.replicates == min(len(rows[i]), len(rows[j]))
        assert c.estimate == pytest.approx(rows[j].mean() - rows[i].mean() - price)
        expected = confidence(stats.ttest_ind, rows[j] - price, rows[i], ONE_SIDED, equal_var=False)
        assert (c.low, c.high) == pytest.approx(expected)
    for gain, (i, j) in zip(found.gains, itertools.pairwise(range(len(LEVELS))), strict=True):
        test = stats.ttest_ind(rows[j], rows[i], equal_var=False)
        two_sided = test.confidence_interval(1 - ONE_SIDED)
        assert (gain.low, gain.high) == pytest.approx((two_sided.low, two_sided.high))


@unhurried
@given(TABLES, st.integers(1, 500), st.integers(1, 500))
def test_resampled_bounds_are_nadeau_and_bengio_s(
    table: tuple[int, int], test: int, train: int
) -> None:
    values = scores(*table)
    found = analyzed(values, resampled=(test, train))
    assert found.design == "resampled"
    assert any("Nadeau and Bengio" in note for note in found.notes)
    pairs = list(itertools.combinations(range(len(LEVELS)), 2))
    for c, (i, j) in zip(found.comparisons, pairs, strict=True):
        x, y = both(values[j], values[i])
        d = [a - b for a, b in zip(x, y, strict=True)]
        n, mean = len(d), sum(d) / len(d)
        s = math.sqrt(sum((v - mean) ** 2 for v in d) / (n - 1))
        width = stats.t.isf(ONE_SIDED, n - 1) * s * math.sqrt(1 / n + test / train)
        price = MARGIN * math.log2(LEVELS[j] / LEVELS[i])
        assert (c.low, c.high) == pytest.approx((mean - price - width, mean - price + width))
        if j == i + 1:
            gain = found.gains[i]
            wider = width * stats.t.isf(ONE_SIDED / 2, n - 1) / stats.t.isf(ONE_SIDED, n - 1)
            assert (gain.low, gain.high) == pytest.approx((mean - wider, mean + wider))


@unhurried
@given(TABLES)
def test_sequential_bounds_are_the_anytime_valid_ones(table: tuple[int, int]) -> None:
    values = scores(*table)
    found = analyzed(values, design="sequential")
    pairs = list(itertools.combinations(range(len(LEVELS)), 2))
    for c, (i, j) in zip(found.comparisons, pairs, strict=True):
        x, y = both(values[j], values[i])
        price = MARGIN * math.log2(LEVELS[j] / LEVELS[i])
        expected = paired_bounds(x - y - price, ONE_SIDED)
        assert (c.estimate, c.low, c.high) == pytest.approx(expected)
        if j == i + 1:
            wider = paired_bounds(x - y, ONE_SIDED / 2)
            gain = found.gains[i]
            assert (gain.estimate, gain.low, gain.high) == pytest.approx(wider)


def test_levels_that_never_ran_keep_their_share_of_alpha() -> None:
    values = scores(6, 1)
    found = analyzed(values, design="fixed", ladder=[*LEVELS, 16, 32])
    x, y = both(values[1], values[0])
    two_sided = stats.ttest_rel(x, y).confidence_interval(1 - ALPHA / 5)
    assert (found.gains[0].low, found.gains[0].high) == pytest.approx(tuple(two_sided))


def test_levels_without_a_common_replicate_are_estimated_and_not_bounded() -> None:
    values = np.array([[1.0, 2, 3, np.nan, np.nan], [np.nan, np.nan, np.nan, 5, 7]])
    values = np.vstack([values, [[1.0, 2, 4, 8, 16]] * 2])
    found = analyzed(values, design="fixed")
    c = found.comparisons[0]
    assert (c.replicates, c.low, c.high) == (0, -math.inf, math.inf)
    assert c.estimate == pytest.approx(6 - 2 - MARGIN)


@pytest.mark.parametrize("paired", [True, False])
def test_how_many_pairs_are_taken_at_once_changes_no_digit(
    paired: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for replicates in (2, 9, 300):
        values = scores(replicates, 3)
        expected = analyzed(values, paired)
        for most in (1, 2 * replicates, 5 * replicates):
            monkeypatch.setattr("tuner.returns.evidence.MOST_AT_ONCE", most)
            assert analyzed(values, paired) == expected
        monkeypatch.undo()


# Quantiles and numbers of replicates


@unhurried
@given(st.floats(1, 1e6), st.floats(1e-7, 0.4))
def test_a_quantile_is_exceeded_with_its_chance(degrees: float, level: float) -> None:
    """By the incomplete beta function, which is another way than the one that finds it."""
    t = t_quantile(level, degrees)
    exceeded = special.betainc(degrees / 2, 0.5, degrees / (degrees + t * t)) / 2
    assert exceeded == pytest.approx(level, rel=1e-7)


def test_an_infinite_number_of_degrees_is_the_normal_s() -> None:
    assert t_quantile(0.025, math.inf) == pytest.approx(1.959963984540054)
    assert Noise(0.1).multiplier(3, 0.025) == t_quantile(0.025, math.inf)
    assert Noise(0.1, 5).multiplier(3, 0.025) == pytest.approx(stats.t.isf(0.025, 4))


@pytest.mark.parametrize("design", [FIXED, SEQUENTIAL, Resampled(10, 90), Noise(1.0), Noise(1, 5)])
@given(distance=st.floats(0.05, 5), spread=st.floats(0.1, 3))
@unhurried
def test_the_replicates_that_are_needed_are_the_fewest(
    design: Any, distance: float, spread: float
) -> None:
    level = 0.0125
    found = replicates_needed(design, distance, spread, level)

    def reach(n: int) -> float:
        return float((design.multiplier(n, level) + 0.84) * design.scale(n) * spread)

    if found is None:
        assert all(reach(n) > distance for n in range(1, 1001))
    else:
        assert reach(found) <= distance * (1 + 1e-12)
        assert all(reach(n) > distance * (1 - 1e-12) for n in range(1, found))


def test_no_number_of_splits_gets_below_the_floor() -> None:
    design = Resampled(10, 90)
    floor = (stats.norm.isf(0.0125) + 0.84) * math.sqrt(10 / 90)
    assert replicates_needed(design, 0.99 * floor, 1.0, 0.0125) is None
    assert replicates_needed(design, 1.05 * floor, 1.0, 0.0125) is not None
    assert replicates_needed(FIXED, 0.0, 1.0, 0.0125) is None


def test_the_fewest_that_bound_anything() -> None:
    assert fewest_replicates(FIXED, 0.01) == 2
    assert fewest_replicates(Resampled(1, 9), 0.01) == 2
    assert fewest_replicates(Noise(1.0), 0.01) == 1
    n = fewest_replicates(SEQUENTIAL, 0.01)
    rng = np.random.default_rng(0)
    assert paired_bounds(rng.normal(size=n), 0.01)[2] < math.inf
    assert paired_bounds(rng.normal(size=n - 1), 0.01)[2] == math.inf
