"""The runner's line to the coordinator: RunnerService as plain calls on plain types."""

from __future__ import annotations

import hashlib
import io
import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar, cast

import grpc

from services.runner.assignment import Assignment
from services.runner.orders import Order
from tuner.channel import Channels, split_addresses
from tuner.errors import Status, TunerError
from tuner.jobs import DatasetFacts
from tuner.record import Measurement, PacketAttempt, PlanStep
from tuner.tls import Tls
from tuner.trials.work import Load
from tuner.v1 import runner_service_pb2 as pb
from tuner.v1.runner_service_pb2_grpc import RunnerServiceStub
from tuner.wire import errors, record
from tuner.wire.artifacts import predictions_name
from tuner.wire.caller import caller_to_wire
from tuner.wire.jobs import facts_to_wire
from tuner.wire.spec import spec_from_wire

CALL_SECONDS = 30.0
"""Deadline of a call."""

CHUNK_BYTES = 1 << 20
SLOWEST_BYTES_A_SECOND = 1 << 20
"""A file gets so much more time."""

_FIRST_WAIT, _LONGEST_WAIT = 0.1, 3.0

_Answer = TypeVar("_Answer")


class CoordinatorLink:
    """Calls of one attempt. Every call has a deadline; only UNAVAILABLE is tried again."""

    def __init__(
        self, address: str, job: str, patience_seconds: float, tls: Tls | None = None
    ) -> None:
        """Opens the channels; nothing is called yet."""
        self._channels = Channels(split_addresses(address, "coordinator"), tls)
        self._stub = RunnerServiceStub(cast("grpc.Channel", self._channels))
        self._job = job
        self._patience = patience_seconds
        self._attempt = pb.AttemptRef(job=job)
        self._token = ""
        self._stopped = threading.Event()
        self.heartbeat_seconds = 1.0

    @property
    def attempt(self) -> int:
        """The attempt's number, known once enrolled."""
        return self._attempt.attempt

    def close(self) -> None:
        """Gives up calls that wait, and closes the channels."""
        self._stopped.set()
        self._channels.close()

    def enrol(self, code: str) -> None:
        """Exchanges the code for the attempt's token.

        Raises:
            TunerError: FAILED_PRECONDITION where the code was used or is too old.
        """
        request = pb.EnrolRequest(job=self._job, code=code)
        answer = self._call(lambda: self._stub.Enrol(request, timeout=CALL_SECONDS))
        self._attempt = answer.attempt
        self._token = answer.token
        self.heartbeat_seconds = answer.heartbeat_seconds

    def assignment(self) -> Assignment:
        """Returns the spec, the plan and every measurement so far."""
        return self._call(self._read_assignment)

    def _read_assignment(self) -> Assignment:
        request = pb.GetAssignmentRequest(attempt=self._attempt)
        stream = self._stub.GetAssignment(
            request, timeout=10 * CALL_SECONDS, metadata=self._metadata
        )
        first = next(stream)
        assignment = Assignment(
            spec=spec_from_wire(first.spec),
            data_roots=tuple(first.data_roots),
            slots=first.slots,
            elapsed_seconds=first.elapsed_seconds,
            billed_device_seconds=first.billed_device_seconds,
            steps=[],
            measurements=[],
            surplus=[],
            open_searches=frozenset(first.open_searches),
        )
        for part in _chained(first, stream):
            assignment.steps += [record.step_from_wire(s) for s in part.plan_steps]
            assignment.measurements += [record.measurement_from_wire(m) for m in part.measurements]
            assignment.surplus += [record.measurement_from_wire(m) for m in part.surplus]
        return assignment

    def commit(self, step: PlanStep) -> None:
        """Commits a plan step.

        Raises:
            TunerError: ABORTED where another step has its number; FAILED_PRECONDITION
                where this attempt has been superseded.
        """
        request = pb.CommitPlanStepRequest(attempt=self._attempt, step=record.step_to_wire(step))
        self._call(
            lambda: self._stub.CommitPlanStep(
                request, timeout=CALL_SECONDS, metadata=self._metadata
            )
        )

    def record(
        self,
        measurements: Sequence[Measurement],
        attempts: Sequence[PacketAttempt],
        surplus: Sequence[Measurement] = (),
    ) -> pb.RecordMeasurementsResponse:
        """Records a batch; durable when it returns. Raises TunerError as `commit` does."""
        request = pb.RecordMeasurementsRequest(
            attempt=self._attempt,
            measurements=[record.measurement_to_wire(m) for m in measurements],
            packet_attempts=[record.packet_attempt_to_wire(a) for a in attempts],
            surplus=[record.measurement_to_wire(m) for m in surplus],
        )
        return self._call(
            lambda: self._stub.RecordMeasurements(
                request, timeout=CALL_SECONDS, metadata=self._metadata
            )
        )

    def heartbeat(self, load: Load) -> Order:
        """Renews the lease, and says what the slots do. Raises TunerError as `commit` does."""
        request = pb.HeartbeatRequest(
            attempt=self._attempt,
            slots_busy=load.busy,
            packets_waiting=load.waiting,
            held=[pb.SlotsOnNode(node=node, slots=n) for node, n in load.held.items()],
        )
        answer = self._call(
            lambda: self._stub.Heartbeat(request, timeout=CALL_SECONDS, metadata=self._metadata)
        )
        return Order(answer.directive, answer.slots, tuple(answer.avoid_nodes), answer.reason)

    def finish(
        self, outcome: pb.AttemptOutcome.ValueType, message: str = "", field: str = ""
    ) -> None:
        """Says the last word. Raises TunerError as `commit` does."""
        request = pb.FinishAttemptRequest(
            attempt=self._attempt, outcome=outcome, field=field, message=message
        )
        self._call(
            lambda: self._stub.FinishAttempt(request, timeout=CALL_SECONDS, metadata=self._metadata)
        )

    def fetch_blob(self, sha256: str) -> bytes:
        """Returns a file of the data set. Raises TunerError, NOT_FOUND, where it is gone."""
        request = pb.FetchBlobRequest(attempt=self._attempt, sha256=sha256)

        def read() -> bytes:
            stream = self._stub.FetchBlob(
                request, timeout=10 * CALL_SECONDS, metadata=self._metadata
            )
            return b"".join(part.chunk for part in stream)

        return self._call(read)

    def describe(self, facts: DatasetFacts) -> None:
        """Records what the data turned out to be.

        Raises:
            TunerError: FAILED_PRECONDITION, reason DATA_CHANGED, where an earlier attempt
                had other data; else as `commit` does.
        """
        request = pb.DescribeDatasetRequest(attempt=self._attempt, facts=facts_to_wire(facts))
        self._call(
            lambda: self._stub.DescribeDataset(
                request, timeout=CALL_SECONDS, metadata=self._metadata
            )
        )

    def store_predictions(self, content: bytes) -> str:
        """Keeps a file of predictions with the job; durable when it returns its SHA-256.

        Raises TunerError as `commit` does.
        """
        sha256 = hashlib.sha256(content).hexdigest()
        self.attach(predictions_name(sha256), content)
        return sha256

    def attach(self, name: str, content: bytes | Path) -> None:
        """Keeps a file with the job under a name; durable when it returns.

        Another file that had the name gives way.

        Args:
            name: A relative path, such as "model/model.safetensors".
            content: The file, or what is in it.

        Raises:
            TunerError: INVALID_ARGUMENT where the name can't be one;
                RESOURCE_EXHAUSTED where the file is too large; else as `commit` does.
            OSError: The file can't be read.
        """

        def opened() -> io.BytesIO | io.BufferedReader:
            return io.BytesIO(content) if isinstance(content, bytes) else content.open("rb")

        with opened() as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            size = file.seek(0, io.SEEK_END)
        self._attach(name, sha256, size, opened)

    def _attach(
        self,
        name: str,
        sha256: str,
        size: int,
        content: Callable[[], io.BytesIO | io.BufferedReader],
    ) -> None:
        header = pb.ArtifactHeader(name=name, sha256=sha256, size_bytes=size)

        def requests() -> Iterator[pb.AttachArtifactRequest]:
            with content() as file:
                yield pb.AttachArtifactRequest(
                    attempt=self._attempt, header=header, chunk=file.read(CHUNK_BYTES)
                )
                while chunk := file.read(CHUNK_BYTES):
                    yield pb.AttachArtifactRequest(chunk=chunk)

        timeout = CALL_SECONDS + size / SLOWEST_BYTES_A_SECOND
        self._call(
            lambda: self._stub.AttachArtifact(requests(), timeout=timeout, metadata=self._metadata)
        )

    @property
    def _metadata(self) -> tuple[tuple[str, str], ...]:
        return caller_to_wire(self._token, "")

    def _call(self, call: Callable[[], _Answer]) -> _Answer:
        """Calls, and calls again while the coordinator is UNAVAILABLE, with backoff and jitter."""
        give_up = time.monotonic() + self._patience
        wait = _FIRST_WAIT
        while True:
            try:
                return call()
            except grpc.RpcError as rpc_error:
                error = errors.from_rpc_error(rpc_error)
                if error.status is not Status.UNAVAILABLE or time.monotonic() > give_up:
                    raise error from rpc_error
                if self._stopped.wait(wait * random.uniform(0.5, 1.0)):
                    raise error from rpc_error
                wait = min(2 * wait, _LONGEST_WAIT)


def _chained(
    first: pb.GetAssignmentResponse, rest: Iterable[pb.GetAssignmentResponse]
) -> Iterator[pb.GetAssignmentResponse]:
    yield first
    yield from rest


def is_stale(error: TunerError) -> bool:
    """Tells whether the error means that another attempt has taken over."""
    return error.status in (Status.FAILED_PRECONDITION, Status.UNAUTHENTICATED)
