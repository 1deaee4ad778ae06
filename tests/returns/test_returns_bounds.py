"""The bounds are design.md's, hold at every look, and are never narrower than they should be."""

import math
import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import stats

from tuner.returns import mixture_multiplier, paired_bounds
from tuner.returns.bounds import EQUAL_PAIRS
from tuner.returns.designs import (
    MOST_REPLICATES,
    POWER_QUANTILE,
    SEQUENTIAL,
    fewest_replicates,
)
from tuner.returns.uncertainty import OfReplicates


def half_width(n: int, spread: float, level: float) -> float:
    return OfReplicates(SEQUENTIAL, n, spread).half_width(level)


def replicates_needed(distance: float, spread: float, level: float) -> int | None:
    return OfReplicates(SEQUENTIAL, 4, spread).replicates_needed(distance, level)


# A busy machine is no failure of the property.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.mark.parametrize(("n", "known"), [(3, 11.1), (4, 5.1), (6, 4.0), (10, 3.5), (20, 3.3)])
def test_known_multipliers(n: int, known: float) -> None:
    assert round(mixture_multiplier(n, 0.10), 1) == known


def test_the_formula_of_the_design_in_its_own_words() -> None:
    for n, alpha2, g in [(5, 0.1, 4.0), (12, 0.02, 4.0), (40, 0.05, 1.0)]:
        r = 1 + n * g
        a = (r / alpha2**2) ** (1 / n)
        assert mixture_multiplier(n, alpha2, g) == pytest.approx(
            math.sqrt((n - 1) * (a - 1) / (1 - a / r))
        )


def test_too_few_values_bound_nothing() -> None:
    assert [mixture_multiplier(n, 0.1) for n in (0, 1, 2)] == [math.inf] * 3
    assert math.isinf(mixture_multiplier(3, 0.01))
    assert math.isinf(mixture_multiplier(4, 1e-300))
    assert fewest_replicates(SEQUENTIAL, 0.05) == 3


@pytest.mark.parametrize("alpha2", [0.0, 1.0, -0.1, math.nan])
def test_a_level_that_is_none_is_refused(alpha2: float) -> None:
    with pytest.raises(ValueError, match="alpha2 is"):
        mixture_multiplier(4, alpha2)


def test_a_mixture_without_width_is_refused() -> None:
    with pytest.raises(ValueError, match="g is 0"):
        mixture_multiplier(4, 0.1, 0)


def test_looking_after_every_replicate_keeps_the_level() -> None:
    """The bound is crossed anywhere in 2 to 200 looks by at most alpha2 of the sequences."""
    runs, most, alpha2 = 4000, 200, 0.10
    x = np.random.default_rng(1).normal(size=(runs, most))
    n = np.arange(1, most + 1)
    mean = x.cumsum(axis=1) / n
    deviation = np.sqrt((np.square(x).cumsum(axis=1) - n * mean**2) / np.maximum(n - 1, 1))
    multiplier = np.array([mixture_multiplier(int(i), alpha2) for i in n])
    with np.errstate(invalid="ignore"):  # the first deviation is 0, its multiplier infinite
        width = multiplier * deviation / np.sqrt(n)
    either = (np.abs(mean) > width)[:, 1:].any(axis=1).sum()
    above = (mean > width)[:, 1:].any(axis=1).sum()
    assert either <= stats.binom.ppf(0.99, runs, alpha2)
    assert above <= stats.binom.ppf(0.99, runs, alpha2 / 2)


def test_a_gain_of_nothing_is_told_from_a_margin_by_ten_replicates() -> None:
    """With paired sd half a margin, 95 % of pairs are decided at ten replicates."""
    rng = np.random.default_rng(2)
    decided = sum(paired_bounds(rng.normal(-1, 0.5, 10), 0.05)[2] < 0 for _ in range(1000))
    assert decided >= 950


def test_bounds_lie_around_the_mean() -> None:
    values = [0.1, 0.3, 0.2, 0.25, 0.05]
    mean, low, high = paired_bounds(values, 0.05)
    width = mixture_multiplier(5, 0.1) * np.std(values, ddof=1) / math.sqrt(5)
    assert (mean, low, high) == pytest.approx((0.18, 0.18 - width, 0.18 + width))


def test_one_difference_bounds_nothing() -> None:
    assert paired_bounds([0.3], 0.05) == (0.3, -math.inf, math.inf)


@pytest.mark.parametrize("values", [[], [math.nan, 1.0], [math.inf], [[1.0, 2.0]]])
def test_what_is_no_row_of_finite_numbers_is_refused(values: list[float]) -> None:
    with pytest.raises(ValueError, match="differences must be"):
        paired_bounds(values, 0.05)


def test_equal_differences_are_believed_only_from_five_on() -> None:
    assert paired_bounds([0.25] * (EQUAL_PAIRS - 1), 0.05) == (0.25, -math.inf, math.inf)
    assert paired_bounds([0.25] * EQUAL_PAIRS, 0.05) == (0.25, 0.25, 0.25)
    # Equal up to rounding is equal.
    assert paired_bounds([0.3 - 0.2, 0.4 - 0.3, 0.1, 0.6 - 0.5], 0.05)[1] == -math.inf


def test_equal_differences_of_a_stepped_metric_count_one_step() -> None:
    mean, low, high = paired_bounds([0.0] * 4, 0.05, step=0.05)
    assert mean == 0
    assert high == -low == pytest.approx(half_width(4, 0.025, 0.05))


def test_a_coarse_metric_does_not_plateau_by_chance() -> None:
    """Error on 20 examples, margin .02, true gain just above it: wrong at most at the level.

    Four pairs come out equal in one run of eight; without the step that would be
    taken for certainty.
    """
    rng, runs, step, level = np.random.default_rng(3), 400, 0.05, 0.05
    wrong = 0
    for _ in range(runs):
        differences = step * (rng.random(20) < 0.41) - 0.02
        wrong += any(paired_bounds(differences[:n], level, step=step)[2] < 0 for n in range(4, 21))
    assert wrong <= stats.binom.ppf(0.99, runs, level)


@unhurried
@given(
    st.floats(1e-6, 10),
    st.floats(1e-6, 10),
    st.sampled_from([0.05, 0.0125, 0.005]),
)
def test_needed_replicates_are_the_fewest_that_fit(
    distance: float, spread: float, level: float
) -> None:
    def fits(n: int) -> bool:
        return half_width(n, spread, level) + POWER_QUANTILE * spread / math.sqrt(n) <= distance

    needed = replicates_needed(distance, spread, level)
    if needed is None:
        assert not fits(MOST_REPLICATES - 1)
    else:
        assert fits(needed) or math.isclose(
            half_width(needed, spread, level) + POWER_QUANTILE * spread / math.sqrt(needed),
            distance,
        )
        assert not any(fits(n) for n in range(2, needed - 1))


def test_no_replicates_settle_what_lies_on_the_threshold() -> None:
    assert replicates_needed(0, 1, 0.05) is None
    assert replicates_needed(1e-9, 1, 0.05) is None
    assert replicates_needed(0.1, 0, 0.05) == EQUAL_PAIRS


@unhurried
@given(
    st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30), st.floats(1e-9, 0.49), st.floats(0, 1)
)
def test_never_nan_and_never_a_warning(values: list[float], level: float, step: float) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mean, low, high = paired_bounds(values, level, step=step)
    assert low <= mean <= high
