"""Whether what a runner reports can belong to its job."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import TypeVar

from services.coordinator.store.rows import JobRow
from tuner.errors import TunerError, Violation, invalid
from tuner.record import Measurement, PacketAttempt, PlanStep, measurement_id
from tuner.v1 import record_pb2
from tuner.wire.record import measurement_from_wire, packet_attempt_from_wire, step_from_wire

_Message = TypeVar("_Message")
_Row = TypeVar("_Row")


def judged_measurements(
    job: JobRow, messages: Iterable[record_pb2.Measurement], name: str = "measurements"
) -> list[Measurement]:
    """Returns the measurements, which the request has under that name.

    Raises:
        TunerError: INVALID_ARGUMENT where one is malformed, is of no search or
            level of the job, or bears an id that isn't its own.
    """
    levels = {search.key: search.levels for search in job.spec.all_searches()}
    measurements = []
    for index, message in enumerate(messages):
        field = f"{name}[{index}]"
        m = _within(field, measurement_from_wire, message)
        if m.search not in levels:
            raise invalid(f"{field}.search", f"{m.search!r} is no search of {job.name}")
        if m.level not in levels[m.search]:
            raise invalid(f"{field}.level", f"{m.level} is no level of {m.search}")
        own = measurement_id(str(job.name), m.search, m.phase, m.level, m.setting, m.replicate)
        if m.id != own:
            raise invalid(f"{field}.id", f"{m.id[:100]!r} is not what its content makes it, {own}")
        measurements.append(m)
    return measurements


def judged_attempts(
    runner_attempt: int, messages: Iterable[record_pb2.PacketAttempt]
) -> list[PacketAttempt]:
    """Returns the tries at packets.

    Raises:
        TunerError: INVALID_ARGUMENT where one is malformed or another attempt's.
    """
    attempts = []
    for index, message in enumerate(messages):
        field = f"packet_attempts[{index}]"
        a = _within(field, packet_attempt_from_wire, message)
        if a.runner_attempt != runner_attempt:
            raise invalid(
                f"{field}.runner_attempt",
                f"is {a.runner_attempt}, but the caller is attempt {runner_attempt}",
            )
        attempts.append(a)
    return attempts


def judged_step(message: record_pb2.PlanStep) -> PlanStep:
    """Returns the plan step.

    Raises:
        TunerError: INVALID_ARGUMENT where it is malformed, or a cost that it fixes is
            none that a curve could be judged by.
    """
    step = _within("step", step_from_wire, message)
    for index, (level, cost) in enumerate(step.costs):
        field = f"step.costs[{index}]"
        if not 0 <= cost < math.inf:
            problem = f"{cost} is no cost; give a finite number of seconds, 0 or more"
            raise invalid(f"{field}.device_seconds", problem)
        if index and level <= step.costs[index - 1][0]:
            raise invalid(f"{field}.level", f"{level} stands behind a larger one, or twice")
    return step


def _within(field: str, convert: Callable[[_Message], _Row], message: _Message) -> _Row:
    """Converts a message; fields at fault are named as the request's."""
    try:
        return convert(message)
    except TunerError as error:
        violations = [Violation(f"{field}.{v.field}", v.problem) for v in error.violations]
        raise TunerError(error.status, error.reason, error.message, violations) from error
