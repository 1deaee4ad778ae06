"""Returns curves over the wire."""

from __future__ import annotations

from typing import Any, Literal, cast

from tuner.curve import Curve, CurveLevel, Gain, SearchState, Verdict, VerdictOutcome
from tuner.v1 import returns_pb2 as pb
from tuner.wire.record import (
    comparison_from_wire,
    comparison_to_wire,
    enum_from_wire,
    enum_to_wire,
)
from tuner.wire.spec import DIRECTIONS, direction_name, setting_from_wire, setting_to_wire

_OPTIONAL = ("score", "low", "high", "margin_supported", "standalone_device_seconds")


def curve_to_wire(curve: Curve) -> pb.Curve:
    """Returns the curve as a message."""
    verdict = None
    if curve.verdict is not None:
        verdict = pb.Verdict(
            outcome=enum_to_wire(pb.VerdictOutcome, curve.verdict.outcome),
            level=int(curve.verdict.level or 0),
            reason=curve.verdict.reason,
            not_excluded=map(int, curve.verdict.not_excluded),
            missing=curve.verdict.missing,
        )
    return pb.Curve(
        search=curve.search,
        learner=curve.learner,
        axis=curve.axis,
        metric=curve.metric,
        direction=DIRECTIONS[curve.direction],
        margin=curve.margin,
        levels=[_level_to_wire(row) for row in curve.levels],
        verdict=verdict,
        comparisons=[comparison_to_wire(c) for c in curve.comparisons],
        notes=curve.notes,
        sequence=curve.sequence,
        analysis_version=curve.analysis_version,
        state=enum_to_wire(pb.SearchState, curve.state),
        state_reason=curve.state_reason,
        baseline=curve.baseline,
        unmeasured=map(int, curve.unmeasured),
    )


def _level_to_wire(row: CurveLevel) -> pb.CurveLevel:
    message = pb.CurveLevel(
        level=int(row.level),
        replicates=row.replicates,
        failed=row.failed,
        billed_device_seconds=row.billed_device_seconds,
        parameters=row.parameters,
        hyperparameters=setting_to_wire(row.setting),
    )
    for name in _OPTIONAL:
        value = getattr(row, name)
        if value is not None:
            setattr(message, name, value)
    if row.gain is not None:
        gain = row.gain
        message.gain.CopyFrom(
            pb.Gain(
                estimate=gain.estimate,
                low=gain.low,
                high=gain.high,
                per_doubling=gain.per_doubling,
            )
        )
    return message


def curve_from_wire(message: pb.Curve) -> Curve:
    """Returns the curve."""
    verdict = None
    if message.HasField("verdict"):
        v = message.verdict
        verdict = Verdict(
            outcome=VerdictOutcome(enum_from_wire(pb.VerdictOutcome, v.outcome, "outcome")),
            level=v.level or None,
            reason=v.reason,
            not_excluded=tuple(v.not_excluded),
            missing=tuple(v.missing),
        )
    direction = cast(Literal["minimize", "maximize"], direction_name(message.direction))
    return Curve(
        search=message.search,
        learner=message.learner,
        axis=message.axis,
        metric=message.metric,
        direction=direction,
        margin=message.margin,
        levels=tuple(_level_from_wire(row) for row in message.levels),
        verdict=verdict,
        comparisons=tuple(comparison_from_wire(c) for c in message.comparisons),
        notes=tuple(message.notes),
        unmeasured=tuple(message.unmeasured),
        baseline=message.baseline,
        state=SearchState(enum_from_wire(pb.SearchState, message.state, "state")),
        state_reason=message.state_reason,
        sequence=message.sequence,
        analysis_version=message.analysis_version,
    )


def _level_from_wire(message: pb.CurveLevel) -> CurveLevel:
    optional: dict[str, Any] = {
        name: getattr(message, name)
        for name in _OPTIONAL
        if message.HasField(name)  # type: ignore[arg-type]
    }
    gain = None
    if message.HasField("gain"):
        g = message.gain
        gain = Gain(g.estimate, g.low, g.high, g.per_doubling)
    return CurveLevel(
        level=message.level,
        replicates=message.replicates,
        failed=message.failed,
        gain=gain,
        billed_device_seconds=message.billed_device_seconds,
        parameters=message.parameters,
        setting=setting_from_wire(message.hyperparameters),
        **optional,
    )
