"""Specs and events as the bytes that the database holds: the wire's own messages."""

from __future__ import annotations

import threading
from collections import OrderedDict
from datetime import datetime

from tuner.jobs import DatasetFacts, UnknownEvent, What
from tuner.record import Measurement, PlanStep
from tuner.spec import JobSpec
from tuner.v1 import record_pb2, spec_pb2
from tuner.v1 import tuner_service_pb2 as service_pb2
from tuner.wire.jobs import facts_from_wire, facts_to_wire, what_from_wire, what_to_wire
from tuner.wire.record import measurement_from_wire, step_from_wire, time_to_wire
from tuner.wire.spec import spec_from_wire, spec_to_wire

MEASUREMENT = "measurement"
"""The kind of an event that carries a measurement."""

# Kinds stay in databases, so they don't follow the names of the wire's fields.
_FIELDS = {
    "job_state": "job_state_changed",
    "search_state": "search_state_changed",
    "runner_started": "runner_started",
    "runner_ended": "runner_ended",
    "job_extended": "job_extended",
    "share_changed": "share_changed",
    "plan_step": "plan_step_committed",
    MEASUREMENT: "measurement_recorded",
    "packet_attempt": "packet_attempted",
}
_KINDS = {field: kind for kind, field in _FIELDS.items()}


def pack_spec(spec: JobSpec) -> bytes:
    """Returns the spec's bytes."""
    return spec_to_wire(spec).SerializeToString(deterministic=True)


class Specs:
    """Specs by their bytes, those asked for last. Several threads may use it at once.

    The scheduler reads every open job's at each look, so it has to hold all of them: it is
    bounded by bytes, of which a spec has from some hundred to some ten thousand.
    """

    def __init__(self, most_bytes: int) -> None:
        """Takes how many bytes its specs may have packed; in memory they take some 30 times."""
        self._most = most_bytes
        self._bytes = 0
        self._kept: OrderedDict[bytes, JobSpec] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, data: bytes) -> JobSpec:
        """Returns the spec of its bytes."""
        with self._lock:
            spec = self._kept.get(data)
            if spec is not None:
                self._kept.move_to_end(data)
                return spec
        spec = spec_from_wire(spec_pb2.JobSpec.FromString(data))
        with self._lock:
            if data not in self._kept:
                self._kept[data] = spec
                self._bytes += len(data)
            while self._bytes > self._most:
                self._bytes -= len(self._kept.popitem(last=False)[0])
        return spec


SPEC_BYTES = 4 * 2**20
"""What of packed specs is kept unpacked: thousands of jobs."""

_SPECS = Specs(SPEC_BYTES)


def unpack_spec(data: bytes) -> JobSpec:
    """Returns the spec of its bytes; judging one takes long, and they never change."""
    return _SPECS.of(data)


def pack_facts(facts: DatasetFacts) -> bytes:
    """Returns the bytes of what a job's data turned out to be."""
    return facts_to_wire(facts).SerializeToString(deterministic=True)


def unpack_facts(data: bytes) -> DatasetFacts:
    """Returns what a job's data turned out to be, of its bytes."""
    return facts_from_wire(record_pb2.DatasetFacts.FromString(data))


def pack(what: What) -> tuple[str, bytes]:
    """Returns an event's kind and bytes. The same event always has the same bytes."""
    event = what_to_wire(what)
    field = str(event.WhichOneof("what"))
    data: bytes = getattr(event, field).SerializeToString(deterministic=True)
    return _KINDS[field], data


def stamp(time: datetime) -> bytes:
    """Returns what, put behind a measurement's bytes without one, is its record_time.

    Messages that follow one another are read as one, so that a measurement whose bytes are
    there, as the wire brought them, needs no packing when it is recorded.
    """
    return record_pb2.Measurement(record_time=time_to_wire(time)).SerializeToString()


def unpack(kind: str, data: bytes) -> What:
    """Returns the event of its kind and bytes. Raises ValueError on an unknown kind."""
    if kind not in _FIELDS:
        raise ValueError(f"there is no kind of event {kind!r}")
    event = service_pb2.Event()
    part = getattr(event, _FIELDS[kind])
    part.SetInParent()
    part.MergeFromString(data)
    what = what_from_wire(event)
    if isinstance(what, UnknownEvent):
        raise ValueError(f"an event of kind {kind!r} says nothing")  # noqa: TRY004 - of the data
    return what


def unpack_measurement(data: bytes) -> Measurement:
    """Returns the measurement of its bytes."""
    return measurement_from_wire(record_pb2.Measurement.FromString(data))


def unpack_step(data: bytes) -> PlanStep:
    """Returns the plan step of its bytes."""
    return step_from_wire(record_pb2.PlanStep.FromString(data))
