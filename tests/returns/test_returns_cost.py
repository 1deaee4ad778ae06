"""The trend is the least-squares line of the logarithms, holds as it says, and prices steps."""

import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from published_curves import columns
from scipy import stats

from tuner.curve import CostStep, Question
from tuner.returns.cost import cost_ratio, cost_trend, costs_of, gain_per_cost

unhurried = settings(deadline=None)
LADDER = (1, 2, 4, 8, 16)
QUESTION = Question("mlp/depth", "mlp", "depth", LADDER, "accuracy", "maximize", 0.01, alpha=0.1)


def gain(smaller: float, larger: float) -> float | None:
    """Returns a gain that names its step: 2.04 from 2 to 4."""
    return smaller + larger / 100


@pytest.mark.parametrize("exponent", [-0.5, 0.0, 1.0, 2.0])
def test_an_exact_power_is_found(exponent: float) -> None:
    capacities = [1, 3, 4, 10]
    trend = cost_trend(capacities, [0.7 * c**exponent for c in capacities], 0.05, "FLOPs")
    assert trend is not None
    assert trend.exponent == pytest.approx(exponent, abs=1e-12)
    assert (trend.low, trend.high) == pytest.approx((exponent, exponent), abs=1e-12)
    assert trend.scale == pytest.approx(0.7)
    assert trend.at(20) == pytest.approx(0.7 * 20**exponent)
    assert trend.unit == "FLOPs"


def test_it_is_the_textbook_s_regression() -> None:
    rng = np.random.default_rng(1)
    capacities = [1, 2, 4, 8, 16, 32]
    costs = [3 * c**1.3 * math.exp(rng.normal(0, 0.2)) for c in capacities]
    trend = cost_trend(capacities, costs, 0.1, "device-seconds")
    line = stats.linregress(np.log(capacities), np.log(costs))
    assert trend is not None
    assert trend.exponent == pytest.approx(line.slope)
    assert trend.scale == pytest.approx(math.exp(line.intercept))
    width = stats.t.ppf(0.95, 4) * line.stderr
    assert (trend.low, trend.high) == pytest.approx((line.slope - width, line.slope + width))


def test_the_interval_holds_as_often_as_it_says() -> None:
    """400 ladders of five levels, costs off by a tenth: not fewer than .90, nor all of them."""
    rng = np.random.default_rng(2)
    capacities = [1, 2, 4, 8, 16]
    held = 0
    for _ in range(400):
        costs = [5 * c**1.5 * math.exp(rng.normal(0, 0.1)) for c in capacities]
        trend = cost_trend(capacities, costs, 0.1, "s")
        assert trend is not None
        held += trend.low <= 1.5 <= trend.high
    least, most = stats.binom.ppf([0.001, 0.999], 400, 0.9)
    assert least <= held <= most


@pytest.mark.parametrize(
    ("table", "capacity", "cost", "exponent", "low", "high"),
    [
        ("efficientnet_imagenet_flops", "params_millions", "gflops", 1.85, 1.78, 1.93),
        ("resnet_imagenet_depth_torchvision_v1", "depth", "gflops", 0.84, 0.66, 1.01),
        ("resnet_cifar10_depth", "depth", "params_millions", 1.04, 1.01, 1.07),
        ("wrn40_cifar_width", "width_multiplier", "params_millions", 1.97, 1.87, 2.07),
    ],
)
def test_published_networks(table, capacity, cost, exponent, low, high) -> None:
    """Plain ResNets grow in proportion to depth, wide ones with the square of width.

    ResNet-50 on ImageNet changes the block: deeper by half, dearer by an eighth. The trend
    bends to it, and the interval doesn't tell.
    """
    trend = cost_trend(*columns(table, capacity, cost), 0.05, cost)
    assert trend is not None
    assert (trend.exponent, trend.low, trend.high) == pytest.approx(
        (exponent, low, high), abs=0.005
    )


def test_a_fixed_overhead_flattens_it() -> None:
    capacities = [1, 2, 4, 8, 16]
    trend = cost_trend(capacities, [10 + c for c in capacities], 0.05, "s")
    assert trend is not None
    assert trend.exponent < 0.4


def test_two_levels_have_a_trend_that_nothing_bounds() -> None:
    trend = cost_trend([2, 8], [3, 12], 0.05, "s")
    assert trend is not None
    assert trend.exponent == pytest.approx(1)
    assert (trend.low, trend.high) == (-math.inf, math.inf)


@pytest.mark.parametrize(
    ("capacities", "costs"),
    [
        ([], []),
        ([1], [2]),
        ([1, 2, 4], [None, 3, None]),
        ([1, 2, 4], [0, 3, 0]),
        ([1, 2], [math.inf, 3]),
        ([4, 4], [2, 3]),
        ([1e300, math.nextafter(1e300, math.inf)], [2, 3]),
        ([1e6, 1e6 + 1], [1, 2]),  # to the power of 693,000
    ],
)
def test_where_fewer_than_two_levels_tell_there_is_no_trend(capacities, costs) -> None:
    assert cost_trend(capacities, costs, 0.05, "s") is None


def test_unknown_and_zero_costs_are_left_out() -> None:
    all_of_them = cost_trend([1, 2, 3, 4, 5], [None, 3, 0, 5, 9], 0.1, "s")
    assert all_of_them == cost_trend([2, 4, 5], [3, 5, 9], 0.1, "s")


@unhurried
@given(
    st.lists(st.tuples(st.floats(1e-6, 1e9), st.floats(0, 1e12)), max_size=9),
    st.randoms(use_true_random=False),
)
def test_ordered_silent_and_the_same_in_any_order(rows: list[tuple[float, float]], random) -> None:
    with warnings.catch_warnings(), np.errstate(over="raise", invalid="raise", divide="raise"):
        warnings.simplefilter("error")
        trend = cost_trend([c for c, _ in rows], [v for _, v in rows], 0.1, "s")
    random.shuffle(rows)
    assert cost_trend([c for c, _ in rows], [v for _, v in rows], 0.1, "s") == trend
    if trend is not None:
        assert trend.low <= trend.exponent <= trend.high
        assert math.isfinite(trend.exponent)
        assert 0 < trend.scale < math.inf


@pytest.mark.parametrize(
    ("capacities", "costs", "alpha", "message"),
    [
        ([1, 2], [1], 0.1, "2 capacities have 1 costs"),
        ([0, 2], [1, 2], 0.1, "a capacity is 0"),
        ([1, math.nan], [1, 2], 0.1, "a capacity is nan"),
        ([1, 2], [1, 2], 1.0, "alpha is 1"),
    ],
)
def test_what_is_no_ladder_is_refused(capacities, costs, alpha, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        cost_trend(capacities, costs, alpha, "s")


def test_the_steps_around_the_sufficient_level() -> None:
    """Level 2 isn't measured: the step up to 4 starts at 1."""
    said = costs_of(QUESTION, {1: 10.0, 4: 50.0, 8: 90.0, 16: 170.0}, gain, 4, "device-seconds")
    assert said.last_worthwhile == CostStep(1, 4, 1.04, 40, measured=True)
    assert said.first_worthless == CostStep(4, 8, 4.08, 40, measured=True)
    assert said.trend == cost_trend([1, 4, 8, 16], [10, 50, 90, 170], 0.1, "device-seconds")


def test_a_step_that_was_never_measured_is_priced_by_the_trend() -> None:
    said = costs_of(QUESTION, {1: 10.0, 2: 20.0, 4: 40.0}, gain, 4, "s")
    assert said.first_worthless == CostStep(4, 8, None, pytest.approx(40), measured=False)


def test_a_step_without_one_of_its_costs_is_priced_by_the_trend_at_both_ends() -> None:
    """Costs 10, 30, none, 90 at 1, 2, 4, 8: the trend's, not 90 less the trend's."""
    costs = {1: 10.0, 2: 30.0, 4: None, 8: 90.0}
    said = costs_of(QUESTION, costs, gain, 4, "s")
    trend = said.trend
    assert trend is not None
    up, on = said.last_worthwhile, said.first_worthless
    assert up == CostStep(2, 4, 2.04, trend.at(4) - trend.at(2), measured=False)
    assert on == CostStep(4, 8, 4.08, trend.at(8) - trend.at(4), measured=False)


def test_without_a_cost_or_a_trend_there_is_no_step() -> None:
    said = costs_of(QUESTION, {2: None, 4: 40.0, 8: math.inf}, gain, 4, "s")
    assert (said.trend, said.last_worthwhile, said.first_worthless) == (None, None, None)


def test_at_the_ends_of_the_ladder_there_is_one_step_and_without_a_verdict_none() -> None:
    costs = {1: 10.0, 2: 20.0, 16: 160.0}
    first = costs_of(QUESTION, costs, gain, 1, "s")
    assert first.last_worthwhile is None
    assert first.first_worthless == CostStep(1, 2, 1.02, 10, measured=True)
    top = costs_of(QUESTION, costs, gain, 16, "s")
    assert top.last_worthwhile == CostStep(2, 16, 2.16, 140, measured=True)
    assert top.first_worthless is None
    none = costs_of(QUESTION, costs, gain, None, "s")
    assert (none.last_worthwhile, none.first_worthless) == (None, None)
    assert none.trend is not None


def test_a_level_of_zero_cost_has_a_step_though_no_place_on_the_trend() -> None:
    said = costs_of(QUESTION, {1: 0.0, 2: 5.0}, gain, 2, "s")
    assert said.trend is None
    assert said.last_worthwhile == CostStep(1, 2, 1.02, 5, measured=True)


def test_capacities_other_than_levels_count() -> None:
    question = Question(
        "t", "", "depth", (18, 34, 50), "top1", "maximize", 0.5, per="gflops",
        capacities=(1.0, 2.0, 4.0),
    )  # fmt: skip
    said = costs_of(question, {18: 3.0, 34: 6.0}, gain, 34, "s")
    assert said.trend is not None
    assert said.trend.exponent == pytest.approx(1)
    assert said.first_worthless == CostStep(34, 50, None, pytest.approx(6), measured=False)


def test_a_trend_that_no_number_can_follow_prices_nothing() -> None:
    """Costs of 1 and 1,000 at 1 and 1.01: the trend at 1000 would have 2,000 digits."""
    question = Question("t", "", "x", (1, 1.01, 1000), "top1", "maximize", 0.5)
    said = costs_of(question, {1: 1.0, 1.01: 1000.0}, gain, 1.01, "s")
    assert said.trend is not None
    assert said.first_worthless is None


def test_levels_that_aren_t_there_are_refused() -> None:
    with pytest.raises(ValueError, match="sufficient level 8 has no row"):
        costs_of(QUESTION, {1: 10.0, 2: 20.0}, gain, 8, "s")
    with pytest.raises(ValueError, match="level 3 is not on the declared ladder"):
        costs_of(QUESTION, {1: 10.0, 3: 20.0}, gain, 1, "s")


def test_ratio_of_costs() -> None:
    assert cost_ratio(10, 25) == 2.5
    for below, above in [(None, 1), (1, None), (0, 1), (1, 0), (0, 0)]:
        assert cost_ratio(below, above) is None


def test_gain_per_cost() -> None:
    """.03 for 90 more device-seconds is 1.2 a device-hour; losses count too."""
    assert gain_per_cost(0.03, 10, 100, 3600) == pytest.approx(1.2)
    assert gain_per_cost(-0.03, 10, 100) == pytest.approx(-0.03 / 90)
    for below, above in [(None, 1), (1, None), (0, 1), (1, 0), (2, 2), (3, 2)]:
        assert gain_per_cost(0.03, below, above) is None
