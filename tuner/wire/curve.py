"""Returns curves over the wire."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal, cast

from tuner.curve import Curve, CurveLevel, SearchState, Verdict, VerdictOutcome
from tuner.v1 import returns_pb2 as pb
from tuner.wire import steps
from tuner.wire.record import (
    comparison_from_wire,
    comparison_to_wire,
    enum_from_wire,
    enum_to_wire,
)
from tuner.wire.spec import DIRECTIONS, direction_name
from tuner.wire.values import setting_from_wire, setting_to_wire

_OPTIONAL = (
    "score",
    "low",
    "high",
    "margin_supported",
    "standalone_device_seconds",
    "forgone",
    "latency_ms",
    "batch_latency_ms",
    "model_bytes",
)


def curve_to_wire(curve: Curve) -> pb.Curve:
    """Returns the curve, whose levels are whole numbers, as a message."""
    verdict = None
    if curve.verdict is not None:
        verdict = pb.Verdict(
            outcome=enum_to_wire(pb.VerdictOutcome, curve.verdict.outcome),
            level=int(curve.verdict.level or 0),
            reason=curve.verdict.reason,
            not_excluded=map(int, curve.verdict.not_excluded),
            missing=curve.verdict.missing,
        )
    probabilities = None
    if curve.level_probabilities is not None:
        probabilities = pb.LevelProbabilities(
            levels=[
                pb.LevelProbability(level=int(level), probability=probability)
                for level, probability in curve.level_probabilities.items()
            ]
        )
    following = curve.next_doubling
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
        design=curve.design,
        alpha=curve.alpha,
        per=curve.per,
        level_probabilities=probabilities,
        needed=steps.needed_to_wire(curve.needed),
        next_doubling=None if following is None else steps.next_doubling_to_wire(following),
        costs=steps.costs_to_wire(curve.costs),
        knee=curve.knee,
        price=curve.price,
        worth=curve.worth,
    )


def _level_to_wire(row: CurveLevel) -> pb.CurveLevel:
    message = pb.CurveLevel(
        level=int(row.level),
        replicates=row.replicates,
        failed=row.failed,
        gain=None if row.gain is None else steps.gain_to_wire(row.gain),
        billed_device_seconds=row.billed_device_seconds,
        parameters=row.parameters,
        hyperparameters=setting_to_wire(row.setting),
        robustness_device_seconds=row.robustness_device_seconds,
        barred=row.barred,
    )
    for name in _OPTIONAL:
        value = getattr(row, name)
        if value is not None:
            setattr(message, name, value)
    return message


def curve_from_wire(message: pb.Curve) -> Curve:
    """Returns the curve. What an older coordinator doesn't tell is at its default."""
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
    probabilities: dict[float, float] | None = None
    if message.HasField("level_probabilities"):
        probabilities = {
            entry.level: entry.probability for entry in message.level_probabilities.levels
        }
    following = None
    if message.HasField("next_doubling"):
        following = steps.next_doubling_from_wire(message.next_doubling)
    direction = cast(Literal["minimize", "maximize"], direction_name(message.direction))
    return Curve(
        search=message.search,
        learner=message.learner,
        axis=message.axis,
        metric=message.metric,
        direction=direction,
        margin=message.margin,
        levels=tuple(_levels_from_wire(message.levels)),
        verdict=verdict,
        comparisons=tuple(comparison_from_wire(c) for c in message.comparisons),
        notes=tuple(message.notes),
        unmeasured=tuple(message.unmeasured),
        baseline=message.baseline,
        state=SearchState(enum_from_wire(pb.SearchState, message.state, "state")),
        state_reason=message.state_reason,
        sequence=message.sequence,
        analysis_version=message.analysis_version,
        design=message.design or Curve.design,
        alpha=message.alpha or Curve.alpha,
        per=message.per,
        level_probabilities=probabilities,
        needed=steps.needed_from_wire(message.needed),
        next_doubling=following,
        costs=steps.costs_from_wire(message.costs),
        price=message.price,
        worth=message.worth,
        **steps.present(message, ("knee",)),
    )


def _levels_from_wire(messages: Iterable[pb.CurveLevel]) -> Iterator[CurveLevel]:
    below = 0  # the measured level below
    for message in messages:
        gain = None
        if message.HasField("gain"):
            gain = steps.gain_from_wire(message.gain, message.level, below)
        if message.HasField("score"):
            below = message.level
        yield CurveLevel(
            level=message.level,
            replicates=message.replicates,
            failed=message.failed,
            gain=gain,
            billed_device_seconds=message.billed_device_seconds,
            parameters=message.parameters,
            setting=setting_from_wire(message.hyperparameters),
            robustness_device_seconds=message.robustness_device_seconds,
            barred=message.barred,
            **steps.present(message, _OPTIONAL),
        )
