"""Specs and events as the bytes that the database holds: the wire's own messages."""

from __future__ import annotations

import functools

from services.coordinator.store.base import (
    JobState,
    JobStateEvent,
    RunnerStartedEvent,
    SearchStateEvent,
    What,
)
from tuner.curve import SearchState
from tuner.record import Measurement, PacketAttempt, PlanStep
from tuner.spec import JobSpec
from tuner.v1 import record_pb2, returns_pb2, spec_pb2
from tuner.v1 import tuner_service_pb2 as service_pb2
from tuner.wire.record import (
    enum_from_wire,
    enum_to_wire,
    measurement_from_wire,
    measurement_to_wire,
    packet_attempt_from_wire,
    packet_attempt_to_wire,
    step_from_wire,
    step_to_wire,
)
from tuner.wire.spec import spec_from_wire, spec_to_wire

MEASUREMENT = "measurement"
"""The kind of an event that carries a measurement."""


def pack_spec(spec: JobSpec) -> bytes:
    """Returns the spec's bytes."""
    return spec_to_wire(spec).SerializeToString(deterministic=True)


@functools.lru_cache(maxsize=1024)
def unpack_spec(data: bytes) -> JobSpec:
    """Returns the spec of its bytes; judging one takes long, and they never change."""
    return spec_from_wire(spec_pb2.JobSpec.FromString(data))


def pack(what: What) -> tuple[str, bytes]:
    """Returns an event's kind and bytes."""
    match what:
        case Measurement():
            return MEASUREMENT, measurement_to_wire(what).SerializeToString()
        case PacketAttempt():
            return "packet_attempt", packet_attempt_to_wire(what).SerializeToString()
        case PlanStep():
            return "plan_step", step_to_wire(what).SerializeToString(deterministic=True)
        case JobStateEvent():
            job = service_pb2.JobStateChanged(
                state=enum_to_wire(service_pb2.JobState, what.state), reason=what.reason
            )
            return "job_state", job.SerializeToString()
        case SearchStateEvent():
            search = service_pb2.SearchStateChanged(
                search=what.search,
                state=enum_to_wire(returns_pb2.SearchState, what.state),
                reason=what.reason,
            )
            return "search_state", search.SerializeToString()
        case RunnerStartedEvent():
            runner = service_pb2.RunnerStarted(
                attempt=what.attempt, submission_id=what.submission_id
            )
            return "runner_started", runner.SerializeToString()


def unpack(kind: str, data: bytes) -> What:
    """Returns the event of its kind and bytes. Raises ValueError on an unknown kind."""
    if kind == MEASUREMENT:
        return unpack_measurement(data)
    if kind == "packet_attempt":
        return packet_attempt_from_wire(record_pb2.PacketAttempt.FromString(data))
    if kind == "plan_step":
        return unpack_step(data)
    if kind == "job_state":
        job = service_pb2.JobStateChanged.FromString(data)
        state = JobState(enum_from_wire(service_pb2.JobState, job.state, "state"))
        return JobStateEvent(state, job.reason)
    if kind == "search_state":
        search = service_pb2.SearchStateChanged.FromString(data)
        search_state = SearchState(enum_from_wire(returns_pb2.SearchState, search.state, "state"))
        return SearchStateEvent(search.search, search_state, search.reason)
    if kind == "runner_started":
        runner = service_pb2.RunnerStarted.FromString(data)
        return RunnerStartedEvent(runner.attempt, runner.submission_id)
    raise ValueError(f"there is no kind of event {kind!r}")


def unpack_measurement(data: bytes) -> Measurement:
    """Returns the measurement of its bytes."""
    return measurement_from_wire(record_pb2.Measurement.FromString(data))


def unpack_step(data: bytes) -> PlanStep:
    """Returns the plan step of its bytes."""
    return step_from_wire(record_pb2.PlanStep.FromString(data))
