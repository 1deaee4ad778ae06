"""What steps up the ladder gain and cost, and what is needed, over the wire."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from tuner.curve import Costs, CostStep, CostTrend, Gain, Needed, NextDoubling
from tuner.v1 import returns_pb2 as pb


def present(message: Any, names: Iterable[str]) -> dict[str, Any]:
    """Returns the optional fields that are there, by their names."""
    return {name: getattr(message, name) for name in names if message.HasField(name)}


def gain_to_wire(gain: Gain) -> pb.Gain:
    """Returns the gain as a message. Its level is that of the row that holds it."""
    return pb.Gain(
        estimate=gain.estimate,
        low=gain.low,
        high=gain.high,
        per_doubling=gain.per_doubling,
        below=int(gain.below),
        doublings=gain.doublings,
        cost_ratio=gain.cost_ratio,
        gain_per_cost=gain.gain_per_cost,
    )


def gain_from_wire(message: pb.Gain, level: int, below: int) -> Gain:
    """Returns the gain.

    Args:
        message: The message.
        level: The level of the row that holds it.
        below: The measured level below, which older coordinators leave unsaid.
    """
    below = message.below or below
    return Gain(
        below=below,
        level=level,
        estimate=message.estimate,
        low=message.low,
        high=message.high,
        doublings=message.doublings or math.log2(level / below),
        **present(message, ("cost_ratio", "gain_per_cost")),
    )


def needed_to_wire(needed: Needed) -> pb.Needed:
    """Returns what is needed as a message."""
    replicates = None
    if needed.replicates is not None:
        low, high = needed.replicates
        replicates = pb.ReplicateRange(low=low, high=high)
    return pb.Needed(replicates=replicates, examples=needed.examples, reason=needed.reason)


def needed_from_wire(message: pb.Needed) -> Needed:
    """Returns what is needed."""
    replicates = None
    if message.HasField("replicates"):
        ends = present(message.replicates, ("low", "high"))
        replicates = ends.get("low"), ends.get("high")
    return Needed(replicates, reason=message.reason, **present(message, ("examples",)))


def next_doubling_to_wire(following: NextDoubling) -> pb.NextDoubling:
    """Returns the prediction as a message."""
    return pb.NextDoubling(
        level=following.level,
        gain=following.gain,
        low=following.low,
        high=following.high,
        method=following.method,
        beats_no_gain=following.beats_no_gain,
    )


def next_doubling_from_wire(message: pb.NextDoubling) -> NextDoubling:
    """Returns the prediction."""
    return NextDoubling(
        message.level,
        message.gain,
        message.low,
        message.high,
        message.method,
        message.beats_no_gain,
    )


def costs_to_wire(costs: Costs) -> pb.Costs:
    """Returns the costs as a message."""
    trend = costs.trend
    return pb.Costs(
        trend=None
        if trend is None
        else pb.CostTrend(
            exponent=trend.exponent,
            low=trend.low,
            high=trend.high,
            scale=trend.scale,
            unit=trend.unit,
        ),
        last_worthwhile=_step_to_wire(costs.last_worthwhile),
        first_worthless=_step_to_wire(costs.first_worthless),
    )


def costs_from_wire(message: pb.Costs) -> Costs:
    """Returns the costs."""
    trend = None
    if message.HasField("trend"):
        t = message.trend
        trend = CostTrend(t.exponent, t.low, t.high, t.scale, t.unit)
    return Costs(
        trend,
        **{
            name: _step_from_wire(step)
            for name, step in present(message, ("last_worthwhile", "first_worthless")).items()
        },
    )


def _step_to_wire(step: CostStep | None) -> pb.CostStep | None:
    if step is None:
        return None
    return pb.CostStep(
        below=int(step.below),
        level=int(step.level),
        gain=step.gain,
        cost=step.cost,
        measured=step.measured,
    )


def _step_from_wire(message: pb.CostStep) -> CostStep:
    gain = message.gain if message.HasField("gain") else None
    return CostStep(message.below, message.level, gain, message.cost, message.measured)
