"""The queue and the namespaces over protobuf, both ways."""

from __future__ import annotations

import math
from typing import Literal

from tuner.errors import TunerError, Violation, invalid
from tuner.jobs import JobState
from tuner.queue import Namespace, Queue, QueueEntry, Quota
from tuner.v1 import tuner_service_pb2 as pb
from tuner.wire.names import namespace_name, parse_parent
from tuner.wire.record import enum_from_wire, enum_to_wire, time_from_wire, time_to_wire

MAX_WEIGHT = 1000.0
"""Weights are compared with one another; none is larger, nor less than its inverse."""

_COUNTS: tuple[Literal["max_running_jobs", "max_slots", "max_jobs"], ...] = (
    "max_running_jobs",
    "max_slots",
    "max_jobs",
)


def queue_to_wire(queue: Queue) -> pb.Queue:
    """Returns the queue as a message."""
    return pb.Queue(
        entries=map(_entry_to_wire, queue.entries),
        capacity=queue.capacity,
        reserved=queue.reserved,
        reserved_idle_share=queue.reserved_idle_share,
        leader=queue.leader,
        leader_since=time_to_wire(queue.leader_since),
    )


def queue_from_wire(message: pb.Queue) -> Queue:
    """Returns the queue. Raises TunerError, INVALID_ARGUMENT, on a malformed one."""
    return Queue(
        entries=tuple(map(_entry_from_wire, message.entries)),
        capacity=message.capacity,
        reserved=message.reserved,
        reserved_idle_share=message.reserved_idle_share,
        leader=message.leader,
        leader_since=time_from_wire(message, "leader_since"),
    )


def namespace_to_wire(namespace: Namespace) -> pb.Namespace:
    """Returns a namespace as a message."""
    quota = namespace.quota
    return pb.Namespace(
        name=namespace_name(namespace.name),
        weight=quota.weight,
        max_running_jobs=quota.max_running_jobs,
        max_slots=quota.max_slots,
        max_device_hours=quota.max_device_hours,
        max_jobs=quota.max_jobs,
        running_jobs=namespace.running_jobs,
        slots_held=namespace.slots_held,
        device_hours=namespace.device_hours,
    )


def namespace_from_wire(message: pb.Namespace, field: str = "") -> Namespace:
    """Returns the namespace.

    Args:
        message: The message; a weight of 0 is one that wasn't set, and so 1.
        field: What the message's own fields are named below.

    Raises:
        TunerError: INVALID_ARGUMENT, naming every field at fault.
    """
    at = f"{field}." if field else ""
    name = parse_parent(message.name, f"{at}name")
    if name is None:
        raise invalid(f"{at}name", "names every namespace; name one")
    weight = message.weight or 1.0
    problems = []
    if not 1 / MAX_WEIGHT <= weight <= MAX_WEIGHT:
        text = f"{message.weight:g} is no weight; give {1 / MAX_WEIGHT:g} to {MAX_WEIGHT:g}"
        problems.append(Violation(f"{at}weight", text))
    for key in _COUNTS:
        if message.HasField(key) and getattr(message, key) < 0:
            text = f"{getattr(message, key)} is negative; give 0 or more, or leave it out"
            problems.append(Violation(f"{at}{key}", text))
    hours = message.max_device_hours
    if message.HasField("max_device_hours") and not (math.isfinite(hours) and hours >= 0):
        text = f"{hours:g} can't be; give a finite number, 0 or more, or leave it out"
        problems.append(Violation(f"{at}max_device_hours", text))
    if problems:
        raise _several(problems)
    counts = {key: getattr(message, key) if message.HasField(key) else None for key in _COUNTS}
    return Namespace(
        name=name,
        quota=Quota(
            weight=weight,
            max_running_jobs=counts["max_running_jobs"],
            max_slots=counts["max_slots"],
            max_device_hours=hours if message.HasField("max_device_hours") else None,
            max_jobs=counts["max_jobs"],
        ),
        running_jobs=message.running_jobs,
        slots_held=message.slots_held,
        device_hours=message.device_hours,
    )


def _several(problems: list[Violation]) -> TunerError:
    first = invalid(problems[0].field, problems[0].problem, "INVALID_QUOTA")
    return TunerError(first.status, first.reason, first.message, problems)


def _entry_to_wire(entry: QueueEntry) -> pb.QueueEntry:
    return pb.QueueEntry(
        job=entry.job,
        display_name=entry.display_name,
        owner=entry.owner,
        state=enum_to_wire(pb.JobState, entry.state),
        priority=entry.priority,
        position=entry.position,
        reason=entry.reason,
        share=entry.share,
        slots_held=entry.slots_held,
        packets_waiting=entry.packets_waiting,
        create_time=time_to_wire(entry.create_time),
    )


def _entry_from_wire(message: pb.QueueEntry) -> QueueEntry:
    return QueueEntry(
        job=message.job,
        display_name=message.display_name,
        owner=message.owner,
        state=JobState(enum_from_wire(pb.JobState, message.state, "state")),
        priority=message.priority,
        position=message.position,
        reason=message.reason,
        share=message.share,
        slots_held=message.slots_held,
        packets_waiting=message.packets_waiting,
        create_time=time_from_wire(message, "create_time"),
    )
