"""A coordinator on loopback with its real store, a scripted cluster, and a runner by hand."""

from __future__ import annotations

import asyncio
import hashlib
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc
import pytest

from services.coordinator.gateway import (
    ClusterState,
    Driver,
    DriverState,
    RefusedError,
    Submission,
    UnreachableError,
)
from services.coordinator.server import Coordinator
from services.coordinator.settings import Settings
from tuner.errors import TunerError
from tuner.jobs import Node
from tuner.record import (
    Conclusion,
    Measurement,
    Outcome,
    Packet,
    Phase,
    PlanStep,
    StepKind,
    make_setting,
    measurement_id,
)
from tuner.spec import JobSpec, Search
from tuner.v1 import runner_service_pb2 as rpb
from tuner.v1 import tuner_service_pb2 as pb
from tuner.v1.runner_service_pb2_grpc import RunnerServiceStub
from tuner.v1.tuner_service_pb2_grpc import TunerServiceStub
from tuner.wire.errors import from_rpc_error
from tuner.wire.names import JobName
from tuner.wire.record import measurement_to_wire, step_to_wire
from tuner.wire.spec import spec_to_wire

TOKEN = "the-clients-token"
AUTH = (("authorization", f"Bearer {TOKEN}"), ("tuner-user", "ada"))


class ScriptedGateway:
    """A cluster in memory: every driver does what the test says, and nothing else."""

    def __init__(self) -> None:
        self.drivers: dict[str, Driver] = {}
        self.log: dict[str, str] = {}
        self.submissions: list[Submission] = []
        self.stopped: list[str] = []
        self.unreachable = ""
        self.refusal = ""
        self.stop_ends = True

    def _reach(self) -> None:
        if self.unreachable:
            raise UnreachableError(self.unreachable)

    async def submit(self, submission: Submission) -> None:
        self._reach()
        if self.refusal:
            raise RefusedError(self.refusal)
        if submission.id not in self.drivers:
            self.drivers[submission.id] = Driver(DriverState.RUNNING)
            self.log.setdefault(submission.id, "")
            self.submissions.append(submission)

    async def state(self, submission_id: str) -> Driver | None:
        self._reach()
        return self.drivers.get(submission_id)

    async def stop(self, submission_id: str) -> None:
        self._reach()
        self.stopped.append(submission_id)
        if self.stop_ends and submission_id in self.drivers:
            self.end(submission_id, DriverState.STOPPED)

    async def logs(self, submission_id: str) -> str | None:
        self._reach()
        return self.log.get(submission_id)

    async def tail(self, submission_id: str) -> AsyncIterator[str]:
        sent = 0
        while True:
            self._reach()
            if submission_id not in self.drivers:
                raise UnreachableError(f"there is no log of {submission_id}")
            ended = self.drivers[submission_id].state.ended
            if piece := self.log[submission_id][sent:]:
                sent += len(piece)
                yield piece
            elif ended:
                return
            await asyncio.sleep(0.03)

    async def status(self) -> ClusterState:
        self._reach()
        node = Node("n1", "10.0.0.1", 8, 2, alive=True)
        return ClusterState((node,), cpus=8, gpus=2, cpus_free=5, gpus_free=1)

    def close(self) -> None:
        pass

    def end(
        self, submission_id: str, state: DriverState = DriverState.FAILED, message: str = ""
    ) -> None:
        if not self.drivers[submission_id].state.ended:
            self.drivers[submission_id] = Driver(state, message)


async def until(condition: Callable[[], Any], seconds: float = 20.0) -> Any:
    """Waits until the condition, which may be awaitable, holds; returns its value."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if isinstance(value, Awaitable):
            value = await value
        if value:
            return value
        assert time.monotonic() < deadline, "it never came true"
        await asyncio.sleep(0.01)


async def refusal(call: Any) -> TunerError:
    """Awaits a call, or the end of a stream, that must fail; returns what the server meant."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        if hasattr(call, "__aiter__") and not isinstance(call, grpc.aio.StreamUnaryCall):
            async for _ in call:
                pass
        else:
            await call
    return from_rpc_error(caught.value)


def a_spec(**changes: Any) -> JobSpec:
    """A job of one simulated search, with no baseline."""
    data: dict[str, Any] = {
        "dataset": "digits",
        "searches": [Search("simulated", axis="depth", levels=[1, 2, 4, 8])],
        "baseline": None,
    }
    return JobSpec(**{**data, **changes})


@dataclass
class Runner:
    """The calls of one attempt's runner, made by hand."""

    stub: RunnerServiceStub
    job: str
    attempt: rpb.AttemptRef
    metadata: tuple[tuple[str, str], ...]
    answer: rpb.EnrolResponse
    gateway: ScriptedGateway
    submission: Submission

    async def heartbeat(self) -> rpb.HeartbeatResponse:
        request = rpb.HeartbeatRequest(attempt=self.attempt)
        return await self.stub.Heartbeat(request, metadata=self.metadata)

    async def step(self, step: PlanStep) -> bool:
        request = rpb.CommitPlanStepRequest(attempt=self.attempt, step=step_to_wire(step))
        return (await self.stub.CommitPlanStep(request, metadata=self.metadata)).existed

    async def record(self, *rows: Measurement) -> rpb.RecordMeasurementsResponse:
        request = rpb.RecordMeasurementsRequest(
            attempt=self.attempt, measurements=[measurement_to_wire(row) for row in rows]
        )
        return await self.stub.RecordMeasurements(request, metadata=self.metadata)

    async def finish(self, outcome: str, field: str = "", message: str = "") -> None:
        request = rpb.FinishAttemptRequest(
            attempt=self.attempt,
            outcome=rpb.AttemptOutcome.Value(f"ATTEMPT_OUTCOME_{outcome}"),
            field=field,
            message=message,
        )
        await self.stub.FinishAttempt(request, metadata=self.metadata)
        self.gateway.end(self.submission.id, DriverState.SUCCEEDED)

    def row(
        self, level: int = 1, replicate: int = 0, score: float = 0.1, **more: Any
    ) -> Measurement:
        return a_row(self.job, level, replicate, score, **more)

    async def conclude(
        self, search: str = "simulated/depth", conclusion: Conclusion = Conclusion.ANSWERED
    ) -> None:
        await self.step(a_step(search, 1))
        await self.step(
            PlanStep(search, 2, StepKind.CONCLUDE, "that is that", "test", conclusion=conclusion)
        )


def a_row(
    job: str,
    level: int = 1,
    replicate: int = 0,
    score: float = 0.1,
    *,
    phase: Phase = Phase.MEASURING,
    search: str = "simulated/depth",
    rate: float = 0.01,
) -> Measurement:
    """A measurement of the job's."""
    setting = make_setting({"learning_rate": rate})
    return Measurement(
        id=measurement_id(job, search, phase, level, setting, replicate),
        search=search,
        phase=phase,
        level=level,
        setting=setting,
        replicate=replicate,
        outcome=Outcome.COMPLETED,
        scores={"error": score},
        standalone_device_seconds=1.5,
        billed_device_seconds=0.5,
        packet=f"{search}:1:0",
        packet_attempt=1,
    )


def a_step(search: str = "simulated/depth", number: int = 1, decision: str = "go") -> PlanStep:
    packet = Packet(
        f"{search}:{number}:0",
        Phase.MEASURING,
        (make_setting({"learning_rate": 0.01}),),
        (1, 2),
        (0, 1),
    )
    return PlanStep(search, number, StepKind.MEASURE, decision, "test", packets=(packet,))


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


async def attach(
    runner: Runner, name: str, content: bytes, chunk: int = 1000, **header: object
) -> rpb.AttachArtifactResponse:
    """Attaches a file to the runner's job, in chunks of so many bytes."""
    told = {"name": name, "sha256": digest(content), "size_bytes": len(content), **header}

    async def messages() -> AsyncIterator[rpb.AttachArtifactRequest]:
        yield rpb.AttachArtifactRequest(
            attempt=runner.attempt, header=rpb.ArtifactHeader(**told), chunk=content[:chunk]
        )
        for i in range(chunk, len(content), chunk):
            yield rpb.AttachArtifactRequest(chunk=content[i : i + chunk])

    return await runner.stub.AttachArtifact(messages(), metadata=runner.metadata)


@dataclass
class House:
    """A running coordinator and what talks to it."""

    settings: Settings
    gateway: ScriptedGateway
    coordinator: Coordinator = field(init=False)
    channel: grpc.aio.Channel = field(init=False)
    stub: TunerServiceStub = field(init=False)
    runners: RunnerServiceStub = field(init=False)

    async def start(self) -> House:
        self.coordinator = Coordinator(self.settings, lambda _s, _a: self.gateway)
        await self.coordinator.start()
        self.channel = grpc.aio.insecure_channel(self.coordinator.address)
        self.stub = TunerServiceStub(self.channel)
        self.runners = RunnerServiceStub(self.channel)
        return self

    async def stop(self) -> None:
        await self.channel.close(None)
        await self.coordinator.stop()

    async def restart(self, **changes: Any) -> House:
        await self.stop()
        self.settings = Settings(**{**self.settings.model_dump(exclude_unset=True), **changes})
        return await self.start()

    @property
    def store(self) -> Any:
        return self.coordinator.core.store

    async def create(self, job_id: str = "", **changes: Any) -> pb.Job:
        request_id = changes.pop("request_id", str(uuid.uuid4()))
        validate_only = changes.pop("validate_only", False)
        spec = a_spec(**changes)
        request = pb.CreateJobRequest(
            parent=f"namespaces/{spec.namespace}",
            spec=spec_to_wire(spec),
            job_id=job_id,
            request_id=request_id,
            validate_only=validate_only,
        )
        return await self.stub.CreateJob(request, metadata=AUTH)

    async def get(self, name: str) -> pb.Job:
        return await self.stub.GetJob(pb.GetJobRequest(name=name), metadata=AUTH)

    async def cancel(self, name: str) -> pb.Job:
        return await self.stub.CancelJob(pb.CancelJobRequest(name=name), metadata=AUTH)

    async def pause(self, name: str) -> pb.Job:
        return await self.stub.PauseJob(pb.PauseJobRequest(name=name), metadata=AUTH)

    async def resume(self, name: str) -> pb.Job:
        return await self.stub.ResumeJob(pb.ResumeJobRequest(name=name), metadata=AUTH)

    async def conclude(self, name: str) -> pb.Job:
        """Has the job stopped: what runs is finished and every search concluded."""
        return await self.stub.StopJob(pb.StopJobRequest(name=name), metadata=AUTH)

    async def extend(self, name: str, request_id: str = "", **more: Any) -> pb.Job:
        request = pb.ExtendJobRequest(name=name, request_id=request_id or str(uuid.uuid4()), **more)
        return await self.stub.ExtendJob(request, metadata=AUTH)

    async def state(self, name: str) -> str:
        job = await self.get(name)
        return pb.JobState.Name(job.state).removeprefix("JOB_STATE_")

    async def reaches(self, name: str, state: str) -> pb.Job:
        async def there() -> bool:
            return await self.state(name) == state

        await until(there)
        return await self.get(name)

    async def submission(self, name: str, number: int = 1) -> Submission:
        """The job's so-manieth submission, once it is there."""

        def there() -> Submission | None:
            own = [s for s in self.gateway.submissions if str(s.job) == name]
            return own[number - 1] if len(own) >= number else None

        return await until(there)

    async def enrol(self, name: str, number: int = 1) -> Runner:
        submission = await self.submission(name, number)
        request = rpb.EnrolRequest(job=name, code=submission.code)
        answer = await self.runners.Enrol(request)
        metadata = (("authorization", f"Bearer {answer.token}"),)
        return Runner(
            self.runners, name, answer.attempt, metadata, answer, self.gateway, submission
        )

    async def running(self, job_id: str = "", **changes: Any) -> tuple[pb.Job, Runner]:
        """A new job, once it runs, and its runner."""
        job = await self.create(job_id, **changes)
        runner = await self.enrol(job.name)
        await self.reaches(job.name, "RUNNING")
        return job, runner

    def outcomes(self, job: pb.Job) -> list[str]:
        """How the job's attempts have ended; "" is one that lives."""
        return [a.outcome for a in self.store.attempts(JobName.parse(job.name))]

    async def watch(self, name: str, after: int = 0) -> list[pb.Event]:
        """Every event after one, until the job's end."""
        events: list[pb.Event] = []
        request = pb.WatchJobRequest(name=name, after=after)
        async for message in self.stub.WatchJob(request, metadata=AUTH):
            events += message.events
        return events


def house_settings(tmp_path: Path, **changes: Any) -> Settings:
    data: dict[str, Any] = {
        "state_dir": tmp_path / "state",
        "listen": "127.0.0.1:0",
        "retry_backoff_seconds": 0.01,
        **changes,
    }
    return Settings(**data)


def now() -> datetime:
    return datetime.now(UTC)
