"""The store's rows as messages, and lists of messages in portions that fit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

from google.protobuf.message import Message

from services.coordinator.store.base import (
    EventRow,
    JobRow,
    JobState,
    JobStateEvent,
    RunnerStartedEvent,
    SearchRow,
    SearchStateEvent,
)
from tuner.record import Measurement, PacketAttempt, PlanStep
from tuner.v1 import returns_pb2, tuner_service_pb2
from tuner.wire.record import (
    enum_to_wire,
    measurement_to_wire,
    packet_attempt_to_wire,
    step_to_wire,
    time_to_wire,
)
from tuner.wire.spec import spec_to_wire

MAX_BYTES = 1024 * 1024
"""A portion is closed once it is so large; gRPC's clients take four times as much."""

_Item = TypeVar("_Item", bound=Message)


def portions(items: Iterable[_Item], most: int) -> Iterator[list[_Item]]:
    """Yields the messages in lists of so many at most, closed early where they grow large."""
    portion: list[_Item] = []
    size = 0
    for item in items:
        portion.append(item)
        size += item.ByteSize()
        if len(portion) == most or size >= MAX_BYTES:
            yield portion
            portion, size = [], 0
    if portion:
        yield portion


def job_to_wire(row: JobRow, position: int = 0) -> tuner_service_pb2.Job:
    """Returns the job as a message, with its place in the queue, 0 where it isn't queued."""
    return tuner_service_pb2.Job(
        name=str(row.name),
        spec=spec_to_wire(row.spec),
        state=state_to_wire(row.state),
        state_reason=row.reason,
        create_time=time_to_wire(row.create_time),
        start_time=time_to_wire(row.start_time),
        end_time=time_to_wire(row.end_time),
        last_sequence=row.last_sequence,
        attempt=row.attempt,
        searches=[_search_to_wire(search) for search in row.searches],
        billed_device_seconds=row.billed_device_seconds,
        queue_position=position,
        owner=row.owner,
    )


def state_to_wire(state: JobState) -> tuner_service_pb2.JobState.ValueType:
    """Returns the state's number."""
    number: tuner_service_pb2.JobState.ValueType = enum_to_wire(tuner_service_pb2.JobState, state)
    return number


def _search_to_wire(row: SearchRow) -> tuner_service_pb2.SearchStatus:
    return tuner_service_pb2.SearchStatus(
        key=row.key,
        state=enum_to_wire(returns_pb2.SearchState, row.state),
        reason=row.reason,
    )


def event_to_wire(row: EventRow) -> tuner_service_pb2.Event:
    """Returns the event as a message."""
    event = tuner_service_pb2.Event(sequence=row.sequence, time=time_to_wire(row.time))
    match row.what:
        case JobStateEvent(state, reason):
            event.job_state_changed.state = state_to_wire(state)
            event.job_state_changed.reason = reason
        case SearchStateEvent(search, search_state, reason):
            event.search_state_changed.search = search
            event.search_state_changed.state = enum_to_wire(returns_pb2.SearchState, search_state)
            event.search_state_changed.reason = reason
        case RunnerStartedEvent(attempt, submission_id):
            event.runner_started.attempt = attempt
            event.runner_started.submission_id = submission_id
        case PlanStep() as step:
            event.plan_step_committed.CopyFrom(step_to_wire(step))
        case Measurement() as measurement:
            event.measurement_recorded.CopyFrom(measurement_to_wire(measurement))
        case PacketAttempt() as attempt:
            event.packet_attempted.CopyFrom(packet_attempt_to_wire(attempt))
    return event
