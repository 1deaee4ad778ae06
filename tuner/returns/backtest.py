"""How each method would have predicted the levels that are already measured.

A rolling-origin backtest (Tashman 2000, "Out-of-sample tests of forecasting
accuracy: an analysis and review"): from each origin a method is fitted to the
levels up to it and predicts the next measured one. Steps of a ladder differ in
length, so an error is what the step gained less what was predicted, divided by
the step's doublings: what the method would be off by over one doubling, if its
error grows in proportion. A short step therefore counts its noise many times
over, as would a prediction over a doubling that rests on it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tuner.curve import Direction
from tuner.returns.bounds import ROUNDING, Floats
from tuner.returns.laws import Law, exponential, last_value, log_linear, power

NO_GAIN = "no further gain"
"""The method that all others have to beat."""

LAWS: Mapping[str, Law] = {
    NO_GAIN: last_value,
    "log-linear": log_linear,
    "power": power,
    "exponential": exponential,
}

LAWS_OF_FEW_LEVELS = (NO_GAIN, "log-linear")
FEW_LEVELS = 6
"""With fewer levels than this only those two are tried: a law of three parameters takes
four levels to be fitted, the fifth to be weighed and the sixth to be judged."""

PERFECT = 1e-6
"""Mean squared error, over that of no further gain, below which methods are equally good."""


@dataclass(frozen=True)
class Backtest:
    """What each method got wrong, and what it says of the next doubling.

    Scores count in units of `unit`, so that no square of theirs over- or underflows.

    Attributes:
        errors: By method and origin (the first level to the last but one), per
            doubling; positive where more was gained than predicted. None where the
            method could not be fitted.
        predicted: By method, what one more doubling above the largest level gains;
            None where the method could not be fitted.
        unit: A power of two, in the metric's units.
        rounding: Errors up to this are rounding.
    """

    errors: Mapping[str, tuple[float | None, ...]]
    predicted: Mapping[str, float | None]
    unit: float
    rounding: float

    @property
    def gains(self) -> tuple[float, ...]:
        """What each step gained per doubling: the errors of "no further gain"."""
        return tuple(error for error in self.errors[NO_GAIN] if error is not None)

    @property
    def exact(self) -> float:
        """Errors up to this are none: rounding, or those of a method that is perfect."""
        return max(self.rounding, math.sqrt(PERFECT) * max(map(abs, self.gains)))

    @cached_property
    def weighted(self) -> Mapping[int, float]:
        """By origin, the error of the weighted prediction.

        The weights at an origin are those of the origins before it, so that nothing
        is predicted with what it shows. Where those leave only "no further gain" there
        is nothing to judge, and the origin is left out. Log-linear takes two levels to
        be fitted and the third to be weighed: it is first judged by the fourth.
        """
        judged = {}
        for origin in range(len(self.gains)):
            here = {name: own[origin] for name, own in self.errors.items()}
            weights = self._weights(origin, here)
            if any(name != NO_GAIN for name in weights):
                judged[origin] = _average(weights, here)
        return judged

    @property
    def beats_no_gain(self) -> bool:
        """Whether the weighted prediction's errors are the smaller, over the same origins."""
        if not self.weighted:
            return False
        gains = mean_square(self.gains[origin] for origin in self.weighted)
        return gains > self.rounding**2 and mean_square(self.weighted.values()) < gains

    @cached_property
    def weights(self) -> Mapping[str, float]:
        """Each method's share in predicting the next doubling; together 1."""
        return self._weights(len(self.gains), self.predicted)

    @property
    def gain(self) -> float:
        """The weighted prediction of what the next doubling gains."""
        return _average(self.weights, self.predicted)

    def typical_error(self, method: str, since: int = 0) -> float | None:
        """Returns a method's root mean squared error, in the metric's units.

        Args:
            method: Its name in `LAWS`.
            since: The first origin that counts.

        Returns:
            None where it has no error there.
        """
        own = [error for error in self.errors[method][since:] if error is not None]
        return math.sqrt(mean_square(own)) * self.unit if own else None

    def _weights(self, before: int, here: Mapping[str, float | None]) -> dict[str, float]:
        """Returns weights by the origins before one, of methods that can be fitted there.

        They go by the inverse of the mean squared error (Bates and Granger 1969, "The
        combination of forecasts", without the covariances). Methods start at different
        origins, and all errors shrink as a curve comes to rest, so a method's is taken
        relative to that of "no further gain" over the same origins. A method without
        any has no weight.
        """
        inverse = {}
        unseen = self.rounding**2
        for name, errors in self.errors.items():
            own = {i: error for i, error in enumerate(errors[:before]) if error is not None}
            if own and here[name] is not None:
                gains = mean_square(self.gains[i] for i in own)
                ratio = (mean_square(own.values()) + unseen) / (gains + unseen)
                inverse[name] = 1 / max(ratio, PERFECT)
        total = math.fsum(inverse.values())
        return {name: share / total for name, share in inverse.items()}


def backtest(
    capacities: Sequence[float], scores: Sequence[float], direction: Direction
) -> Backtest:
    """Returns how each method would have predicted the levels already seen.

    Args:
        capacities: Of the measured levels, at least two: positive, finite, distinct,
            in any order.
        scores: The mean score at each, finite.
        direction: Which way is better.

    Raises:
        ValueError: They are something else.
    """
    _judge(capacities, scores)
    order = sorted(range(len(capacities)), key=capacities.__getitem__)
    x = np.log2([capacities[i] for i in order])
    y, unit, rounding = _normalised([scores[i] for i in order], direction)
    steps = np.diff(x).tolist()
    names = LAWS if len(order) >= FEW_LEVELS else LAWS_OF_FEW_LEVELS
    errors: dict[str, tuple[float | None, ...]] = {}
    for name in names:
        own: list[float | None] = []
        for i, step in enumerate(steps):
            rise = LAWS[name](x[: i + 1], y[: i + 1], step)
            own.append(None if rise is None else (float(y[i + 1] - y[i]) - rise) / step)
        errors[name] = tuple(own)
    return Backtest(
        errors=errors,
        predicted={name: LAWS[name](x, y, 1.0) for name in names},
        unit=unit,
        rounding=rounding / min(1.0, *steps),
    )


def mean_square(values: Iterable[float]) -> float:
    """Returns the mean of squares, of at least one value."""
    squares = [value * value for value in values]
    return math.fsum(squares) / len(squares)


def _average(weights: Mapping[str, float], values: Mapping[str, float | None]) -> float:
    """Returns the weighted mean of the values that have a weight."""
    return math.fsum(
        weights[name] * value
        for name, value in values.items()
        if name in weights and value is not None
    )


def _judge(capacities: Sequence[float], scores: Sequence[float]) -> None:
    if len(capacities) != len(scores):
        raise ValueError(f"{len(capacities)} capacities have {len(scores)} scores")
    if len(capacities) < 2:
        raise ValueError("a backtest needs at least two levels")
    for capacity in capacities:
        if not (math.isfinite(capacity) and capacity > 0):
            raise ValueError(f"a capacity is {capacity}; give positive finite numbers")
    if len(set(capacities)) < len(capacities):
        raise ValueError("two levels have the same capacity; give each once")
    for score in scores:
        if not math.isfinite(score):
            raise ValueError(f"a score is {score}; leave out levels without a finite one")


def _normalised(scores: Sequence[float], direction: Direction) -> tuple[Floats, float, float]:
    """Returns scores over the last one's, higher is better, their unit and their rounding.

    Both units are powers of two, which changes no digit.
    """
    raw = np.asarray(scores, dtype=np.float64)
    outer = _power_of_two(float(np.abs(raw).max()))
    over_last = raw / outer - raw[-1] / outer
    inner = _power_of_two(float(np.abs(over_last).max()))
    sign = -1.0 if direction == "minimize" else 1.0
    return sign * over_last / inner, outer * inner, ROUNDING * (1 + 2 / inner)


def _power_of_two(value: float) -> float:
    """Returns the largest power of two that isn't above the value; 1 for 0."""
    return math.ldexp(1.0, math.frexp(value)[1] - 1) if value > 0 else 1.0
