"""Nothing is predicted with what it shows, weights are earned, and published tables read so."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from published_curves import (
    EFFICIENTNET,
    RESNET_CIFAR,
    RESNET_IMAGENET,
    VGG,
    WRN_CIFAR10,
    WRN_CIFAR100,
    columns,
)

from tuner.returns.backtest import LAWS, NO_GAIN, Backtest, backtest

LINE, POWER, EXPONENTIAL = "log-linear", "power", "exponential"
unhurried = settings(deadline=None)
scores = st.lists(st.floats(-100, 100).map(lambda v: round(v, 3)), min_size=3, max_size=9)
# Differences and powers of two of these round nothing, so that no fit hangs on rounding.
whole_scores = st.lists(st.integers(-100, 100).map(float), min_size=3, max_size=9)


def ladder(n: int) -> list[float]:
    """Returns capacities with unequal steps."""
    return [float(2 ** (i + 0.2 * math.sin(i))) for i in range(n)]


def test_errors_by_hand_per_doubling() -> None:
    """Levels 1, 2, 8: the second step is two doublings long and gains .2 of the line's .8."""
    past = backtest([1, 2, 8], [0.1, 0.5, 0.7], "maximize")
    errors = {name: [e and e * past.unit for e in own] for name, own in past.errors.items()}
    assert errors == {
        NO_GAIN: [pytest.approx(0.4), pytest.approx(0.1)],
        LINE: [None, pytest.approx((0.2 - 0.8) / 2)],
    }
    assert past.typical_error(NO_GAIN) == pytest.approx(math.sqrt((0.4**2 + 0.1**2) / 2))
    assert past.typical_error(LINE, since=1) == pytest.approx(0.3)
    assert past.typical_error(LINE, since=2) is None


def test_the_curved_laws_come_in_at_six_levels() -> None:
    five, six = ([1 - 2.0**-i for i in range(n)] for n in (5, 6))
    assert list(backtest(ladder(5), five, "maximize").errors) == [NO_GAIN, LINE]
    past = backtest(ladder(6), six, "maximize")
    assert list(past.errors) == list(LAWS)
    assert [e is None for e in past.errors[POWER]] == [True, True, True, False, False]


def test_weights_by_hand() -> None:
    """Levels 1, 2, 4, 8 gain 4, 2 and 1: log-linear was off by 2 and, through three, by 1.8.

    Over the same two steps "no further gain" was off by 2 and 1: 5/2 against (4 + 3.24)/2.
    At the last origin both had been off by 2, so half of log-linear's 2.8 was predicted.
    """
    past = backtest([1, 2, 4, 8], [0, 4, 6, 7], "maximize")
    assert past.errors[LINE][1:] == pytest.approx((-2 / past.unit, -1.8 / past.unit))
    line = 1 / (7.24 / 5)
    assert past.weights == pytest.approx({NO_GAIN: 1 / (1 + line), LINE: line / (1 + line)})
    assert past.weighted == {2: pytest.approx((1 - 2.8 / 2) / past.unit)}
    assert past.beats_no_gain


def test_a_method_without_a_backtest_has_no_weight() -> None:
    assert backtest([1, 2], [0, 1], "maximize").weights == {NO_GAIN: 1.0}
    assert not backtest([1, 2], [0, 1], "maximize").beats_no_gain
    three = backtest([1, 2, 4], [0, 1, 2], "maximize")
    assert three.weights[LINE] > 0.999
    assert three.weighted == {}
    assert not three.beats_no_gain


@unhurried
@given(whole_scores, st.integers(-50, 50))
def test_no_prediction_sees_what_it_predicts(y: list[float], change: int) -> None:
    """Another score at the last level changes no error before, and the last by itself alone."""
    x = ladder(len(y))
    before, after = (backtest(x, row, "maximize") for row in (y, [*y[:-1], y[-1] + change]))
    step = math.log2(x[-1] / x[-2])
    for name, errors in before.errors.items():
        *one, last = (e if e is None else e * before.unit for e in errors)
        *other, changed = (e if e is None else e * after.unit for e in after.errors[name])
        assert one == other
        if last is None:
            assert changed is None
        else:
            assert changed == pytest.approx(last + change / step, abs=1e-9)


def test_the_weights_at_an_origin_are_those_of_the_origins_before() -> None:
    """The weighted error at each origin is what the levels up to the next one say it is."""
    rng = np.random.default_rng(1)
    x = ladder(9)
    y = [1 - 2.0 ** -(0.7 * i) + rng.normal(0, 0.02) for i in range(9)]
    whole = backtest(x, y, "maximize")
    for levels in (6, 7, 8):
        origin = levels - 1
        known = backtest(x[:levels], y[:levels], "maximize")
        step = math.log2(x[levels] / x[origin])
        at_origin = {name: own[origin] for name, own in whole.errors.items()}
        gained = (y[levels] - y[origin]) / step
        predicted = gained - whole.weighted[origin] * whole.unit
        assert all(error is not None for error in at_origin.values())
        mixed = sum(
            share * (gained - (at_origin[name] or 0.0) * whole.unit)
            for name, share in known.weights.items()
        )
        assert predicted == pytest.approx(mixed, rel=1e-6)


@unhurried
@given(scores)
def test_weights_are_shares(y: list[float]) -> None:
    weights = backtest(ladder(len(y)), y, "minimize").weights
    assert all(0 <= share <= 1 for share in weights.values())
    assert math.fsum(weights.values()) == pytest.approx(1)


@unhurried
@given(scores, st.randoms(use_true_random=False))
def test_the_order_of_levels_changes_no_digit(y: list[float], random) -> None:
    rows = list(zip(ladder(len(y)), y, strict=True))
    ordered = backtest(*zip(*rows, strict=True), "maximize")
    random.shuffle(rows)
    assert backtest(*zip(*rows, strict=True), "maximize") == ordered


PUBLISHED = [
    # From the second level on, where log-linear starts; of six levels and more from the
    # fourth, where the curved laws do.
    (EFFICIENTNET, 3, {NO_GAIN: 0.66, LINE: 0.55, POWER: 0.20, EXPONENTIAL: 0.47}, True),
    (RESNET_CIFAR, 3, {NO_GAIN: 0.50, LINE: 0.71, POWER: 0.45, EXPONENTIAL: 0.46}, True),
    (RESNET_IMAGENET, 1, {NO_GAIN: 3.14, LINE: 1.99}, False),
    (VGG, 1, {NO_GAIN: 4.10, LINE: 4.61}, False),
    (WRN_CIFAR10, 1, {NO_GAIN: 0.34, LINE: 0.90}, True),
    (WRN_CIFAR100, 1, {NO_GAIN: 3.15, LINE: 1.70}, False),
]


def published(table: tuple[str, str, str, str]) -> Backtest:
    name, capacity, score, direction = table
    assert direction in ("minimize", "maximize")
    return backtest(*columns(name, capacity, score), direction)


@pytest.mark.parametrize(("table", "since", "errors", "beats"), PUBLISHED)
def test_typical_errors_on_published_tables(table, since: int, errors, beats: bool) -> None:
    """Root mean squared error in points per doubling."""
    past = published(table)
    assert {name: past.typical_error(name, since) for name in past.errors} == {
        name: pytest.approx(error, abs=0.005) for name, error in errors.items()
    }
    assert past.beats_no_gain is beats


@pytest.mark.parametrize(
    ("capacities", "values", "message"),
    [
        ([1, 2], [0.5], "2 capacities have 1 scores"),
        ([1], [0.5], "at least two"),
        ([0, 1], [0.5, 0.6], "a capacity is 0"),
        ([1, math.inf], [0.5, 0.6], "a capacity is inf"),
        ([2, 2], [0.5, 0.6], "same capacity"),
        ([1, 2], [0.5, math.nan], "a score is nan"),
    ],
)
def test_what_is_no_curve_is_refused(capacities, values, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        backtest(capacities, values, "maximize")
