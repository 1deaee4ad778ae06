"""Measurements, attempts and plan steps over the wire."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from tuner.errors import invalid
from tuner.record import (
    Comparison,
    Conclusion,
    Footprint,
    Look,
    Measurement,
    Outcome,
    Packet,
    PacketAttempt,
    PacketOutcome,
    Phase,
    Place,
    PlanStep,
    StepKind,
    Stress,
)
from tuner.v1 import record_pb2 as pb
from tuner.wire.values import setting_from_wire, setting_to_wire


def enum_to_wire(kind: Any, value: str) -> Any:
    """Returns the number of a value in a protobuf enum, whose names carry its own name first."""
    return kind.Value(_prefix(kind) + value)


def enum_from_wire(kind: Any, number: int, field: str) -> str:
    """Returns the bare name of a number in a protobuf enum.

    Raises:
        TunerError: INVALID_ARGUMENT where it is unspecified or unknown.
    """
    prefix = _prefix(kind)
    value = kind.DESCRIPTOR.values_by_number.get(number)
    if value is None or number == 0:
        names = [v.name for v in kind.DESCRIPTOR.values if v.number]
        raise invalid(field, f"{number} is none of {', '.join(names)}")
    return str(value.name.removeprefix(prefix))


def _prefix(kind: Any) -> str:
    return str(kind.DESCRIPTOR.values_by_number[0].name.removesuffix("UNSPECIFIED"))


def time_to_wire(time: datetime | None) -> Timestamp | None:
    """Returns the time as a message; None stays None."""
    if time is None:
        return None
    stamp = Timestamp()
    stamp.FromDatetime(time.astimezone(UTC))
    return stamp


def time_from_wire(message: Any, field: str) -> datetime | None:
    """Returns the time in a field of a message, in UTC; None where it isn't set.

    Raises:
        TunerError: INVALID_ARGUMENT where no calendar has it.
    """
    if not message.HasField(field):
        return None
    try:
        time: datetime = getattr(message, field).ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise invalid(field, "is no time from the year 1 to 9999") from error
    return time


def _place_to_wire(place: Place | None) -> pb.Predictions | None:
    if place is None:
        return None
    return pb.Predictions(sha256=place.sha256, offset=place.offset, size_bytes=place.size_bytes)


def _stress_to_wire(stress: Stress) -> pb.Stress:
    return pb.Stress(
        condition=stress.condition,
        outcome=enum_to_wire(pb.Outcome, stress.outcome),
        examples=stress.examples,
        device_seconds=stress.device_seconds,
        error=stress.error,
        note=stress.note,
    )


def _stress_from_wire(message: pb.Stress, field: str) -> Stress:
    return Stress(
        condition=message.condition,
        outcome=Outcome(enum_from_wire(pb.Outcome, message.outcome, f"{field}.outcome")),
        examples=message.examples,
        device_seconds=message.device_seconds,
        error=message.error,
        note=message.note,
    )


def _footprint_to_wire(footprint: Footprint | None) -> pb.Footprint | None:
    return None if footprint is None else pb.Footprint(**dataclasses.asdict(footprint))


def _footprint_from_wire(message: pb.Footprint) -> Footprint:
    size = message.model_bytes if message.HasField("model_bytes") else None
    return Footprint(message.latency_ms, message.batch_latency_ms, size, message.device_seconds)


def measurement_to_wire(m: Measurement) -> pb.Measurement:
    """Returns the measurement as a message."""
    return pb.Measurement(
        id=m.id,
        search=m.search,
        phase=enum_to_wire(pb.Phase, m.phase),
        level=m.level,
        hyperparameters=setting_to_wire(m.setting),
        replicate=m.replicate,
        outcome=enum_to_wire(pb.Outcome, m.outcome),
        scores=[pb.Score(metric=k, value=v) for k, v in sorted(m.scores.items())],
        train_scores=[pb.Score(metric=k, value=v) for k, v in sorted(m.train_scores.items())],
        parameters=m.parameters,
        standalone_device_seconds=m.standalone_device_seconds,
        billed_device_seconds=m.billed_device_seconds,
        error=m.error,
        packet=m.packet,
        packet_attempt=m.packet_attempt,
        record_time=time_to_wire(m.record_time),
        predictions=_place_to_wire(m.predictions),
        stresses=[_stress_to_wire(stress) for stress in m.stresses],
        footprint=_footprint_to_wire(m.footprint),
    )


def measurement_from_wire(message: pb.Measurement) -> Measurement:
    """Returns the measurement. Raises TunerError, INVALID_ARGUMENT, on a malformed one."""
    place = message.predictions
    return Measurement(
        id=message.id,
        search=message.search,
        phase=Phase(enum_from_wire(pb.Phase, message.phase, "phase")),
        level=message.level,
        setting=setting_from_wire(message.hyperparameters),
        replicate=message.replicate,
        outcome=Outcome(enum_from_wire(pb.Outcome, message.outcome, "outcome")),
        scores={s.metric: s.value for s in message.scores},
        train_scores={s.metric: s.value for s in message.train_scores},
        parameters=message.parameters,
        standalone_device_seconds=message.standalone_device_seconds,
        billed_device_seconds=message.billed_device_seconds,
        error=message.error,
        packet=message.packet,
        packet_attempt=message.packet_attempt,
        record_time=time_from_wire(message, "record_time"),
        predictions=Place(place.sha256, place.offset, place.size_bytes)
        if message.HasField("predictions")
        else None,
        stresses=tuple(
            _stress_from_wire(s, f"stresses[{i}]") for i, s in enumerate(message.stresses)
        ),
        footprint=_footprint_from_wire(message.footprint)
        if message.HasField("footprint")
        else None,
    )


def packet_attempt_to_wire(a: PacketAttempt) -> pb.PacketAttempt:
    """Returns the try at a packet as a message."""
    return pb.PacketAttempt(
        packet=a.packet,
        number=a.number,
        runner_attempt=a.runner_attempt,
        node=a.node,
        device_type=a.device_type,
        start_time=time_to_wire(a.start_time),
        end_time=time_to_wire(a.end_time),
        billed_device_seconds=a.billed_device_seconds,
        outcome=enum_to_wire(pb.PacketOutcome, a.outcome),
        error=a.error,
    )


def packet_attempt_from_wire(message: pb.PacketAttempt) -> PacketAttempt:
    """Returns the try at a packet. Raises TunerError, INVALID_ARGUMENT, on a malformed one."""
    start, end = time_from_wire(message, "start_time"), time_from_wire(message, "end_time")
    if start is None or end is None:
        raise invalid("start_time" if start is None else "end_time", "is missing; it must be given")
    return PacketAttempt(
        packet=message.packet,
        number=message.number,
        runner_attempt=message.runner_attempt,
        node=message.node,
        device_type=message.device_type,
        start_time=start,
        end_time=end,
        billed_device_seconds=message.billed_device_seconds,
        outcome=PacketOutcome(enum_from_wire(pb.PacketOutcome, message.outcome, "outcome")),
        error=message.error,
    )


def comparison_to_wire(c: Comparison) -> pb.Comparison:
    """Returns the comparison as a message."""
    return pb.Comparison(
        smaller=int(c.smaller),
        larger=int(c.larger),
        replicates=c.replicates,
        estimate=c.estimate,
        low=c.low,
        high=c.high,
    )


def comparison_from_wire(m: pb.Comparison) -> Comparison:
    """Returns the comparison."""
    return Comparison(m.smaller, m.larger, m.replicates, m.estimate, m.low, m.high)


def _packet_to_wire(packet: Packet) -> pb.Packet:
    return pb.Packet(
        id=packet.id,
        phase=enum_to_wire(pb.Phase, packet.phase),
        settings=[pb.Setting(hyperparameters=setting_to_wire(s)) for s in packet.settings],
        levels=packet.levels,
        replicates=packet.replicates,
    )


def _packet_from_wire(message: pb.Packet) -> Packet:
    return Packet(
        id=message.id,
        phase=Phase(enum_from_wire(pb.Phase, message.phase, "phase")),
        settings=tuple(setting_from_wire(s.hyperparameters) for s in message.settings),
        levels=tuple(message.levels),
        replicates=tuple(message.replicates),
    )


def step_to_wire(step: PlanStep) -> pb.PlanStep:
    """Returns the plan step as a message."""
    message = pb.PlanStep(
        search=step.search,
        number=step.number,
        kind=enum_to_wire(pb.StepKind, step.kind),
        packets=[_packet_to_wire(p) for p in step.packets],
        decision=step.decision,
        policy=step.policy,
        costs=[pb.LevelCost(level=level, device_seconds=cost) for level, cost in step.costs],
        barred=[pb.BarredLevel(level=level, reason=how) for level, how in step.barred],
    )
    if step.look is not None:
        message.look.measurements = step.look.measurements
        message.look.digest = step.look.digest
        message.look.comparisons.extend(comparison_to_wire(c) for c in step.look.comparisons)
    if step.conclusion is not None:
        message.conclusion = enum_to_wire(pb.Conclusion, step.conclusion)
    return message


def step_from_wire(message: pb.PlanStep) -> PlanStep:
    """Returns the plan step. Raises TunerError, INVALID_ARGUMENT, on a malformed one."""
    look = None
    if message.HasField("look"):
        look = Look(
            message.look.measurements,
            message.look.digest,
            tuple(comparison_from_wire(c) for c in message.look.comparisons),
        )
    kind = StepKind(enum_from_wire(pb.StepKind, message.kind, "kind"))
    conclusion = None
    if kind is StepKind.CONCLUDE:
        name = enum_from_wire(pb.Conclusion, message.conclusion, "conclusion")
        conclusion = Conclusion(name)
    return PlanStep(
        search=message.search,
        number=message.number,
        kind=kind,
        decision=message.decision,
        policy=message.policy,
        packets=tuple(_packet_from_wire(p) for p in message.packets),
        look=look,
        conclusion=conclusion,
        costs=tuple((c.level, c.device_seconds) for c in message.costs),
        barred=tuple((b.level, b.reason) for b in message.barred),
    )
