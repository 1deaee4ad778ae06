"""What a step up the ladder gains and costs, and what the next one would."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Gain:
    """What a level gains over the measured level below it.

    Attributes:
        below: The measured level below.
        level: The level.
        estimate: Mean paired difference; positive is better, whatever the
            metric's direction. In the metric's units.
        low: Lower bound; -inf where too few pairs bound it. All gains of a curve
            lie within their bounds together with chance 1 - alpha.
        high: Upper bound; inf where too few pairs bound it.
        doublings: log2 of the level's capacity over that of the level below.
        cost_ratio: Standalone cost over that of the level below; None where unknown.
        gain_per_cost: The estimate over the cost added: per device-hour in a job, per
            unit of the cost column of a table. None where no cost is added or known.
    """

    below: float
    level: float
    estimate: float
    low: float
    high: float
    doublings: float
    cost_ratio: float | None = None
    gain_per_cost: float | None = None

    @property
    def per_doubling(self) -> float:
        """The estimate for each doubling of capacity."""
        return self.estimate / self.doublings


@dataclass(frozen=True)
class CostTrend:
    """Cost against capacity on log-log axes: cost = scale · capacity^exponent.

    Attributes:
        exponent: How cost grows: 1 is in proportion, 2 with the square.
        low: Lower bound of the exponent (two-sided at alpha); -inf where two levels
            leave no residual to judge it by.
        high: Upper bound.
        scale: Cost at a capacity of 1, in the unit.
        unit: What cost is counted in, such as "device-seconds".
    """

    exponent: float
    low: float
    high: float
    scale: float
    unit: str

    def at(self, capacity: float) -> float:
        """Returns what a capacity would cost by the trend.

        Raises:
            OverflowError: It is too large to be told.
        """
        return math.exp(math.log(self.scale) + self.exponent * math.log(capacity))


@dataclass(frozen=True)
class CostStep:
    """What one step up the ladder gains and what it adds to the cost.

    Attributes:
        below: From this level,
        level: to this one.
        gain: What it gains, estimated; None where the level isn't measured.
        cost: What it adds, in the trend's unit.
        measured: Whether both costs were measured; else the trend's are used.
    """

    below: float
    level: float
    gain: float | None
    cost: float
    measured: bool


@dataclass(frozen=True)
class Costs:
    """What capacity costs.

    Attributes:
        trend: How cost grows with capacity; None where fewer than two levels have a cost.
        last_worthwhile: The step up to the sufficient level; None where that is the
            first one, or isn't known.
        first_worthless: The step up from the sufficient level.
    """

    trend: CostTrend | None = None
    last_worthwhile: CostStep | None = None
    first_worthless: CostStep | None = None


@dataclass(frozen=True)
class NextDoubling:
    """What one more doubling of capacity above the largest measured level would gain.

    Attributes:
        level: Twice the largest measured capacity.
        gain: Predicted gain over the largest measured level; positive is better.
        low: Lower end of the prediction's interval (two-sided at alpha).
        high: Upper end.
        method: How it was predicted, such as "log-linear", or the weights of several.
        beats_no_gain: Whether it would have predicted the levels already seen better
            than "no further gain" would have.
    """

    level: float
    gain: float
    low: float
    high: float
    method: str
    beats_no_gain: bool
