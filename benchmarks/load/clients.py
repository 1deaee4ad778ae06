"""Who calls the coordinator: runners that record, people that ask, and those that watch.

Every request is made into bytes before the clock starts: the generators share the machine's
cores with the server, and real callers are elsewhere.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from dataclasses import dataclass, field
from multiprocessing.synchronize import Barrier
from typing import Any

import grpc

from benchmarks.load.rows import BATCH, a_spec, requests
from benchmarks.load.server import Served, cpu_seconds
from tuner.v1 import runner_service_pb2 as rpb
from tuner.v1 import tuner_service_pb2 as pb
from tuner.v1.runner_service_pb2_grpc import RunnerServiceStub
from tuner.v1.tuner_service_pb2_grpc import TunerServiceStub
from tuner.wire.spec import spec_to_wire

Metadata = tuple[tuple[str, str], ...]

RECORD = "/tuner.v1.RunnerService/RecordMeasurements"
GET = "/tuner.v1.TunerService/GetJob"
CREATE = "/tuner.v1.TunerService/CreateJob"
WATCH = "/tuner.v1.TunerService/WatchJob"
TIMEOUT = 120.0


@dataclass
class Runner:
    """One job's runner.

    Attributes:
        job: The job's name.
        attempt: What its calls carry: the attempt's bytes.
        metadata: The token that it enrolled for.
        sent: Measurements that it has sent so far.
    """

    job: str
    attempt: bytes
    metadata: Metadata
    sent: int = 0

    def requests(self, count: int, batch: int) -> list[bytes]:
        """Returns calls that record so many more measurements."""
        first, self.sent = self.sent, self.sent + count
        return list(requests(rpb.AttemptRef.FromString(self.attempt), first, count, batch))


def bearer(token: str) -> Metadata:
    return (("authorization", f"Bearer {token}"),)


def a_job() -> bytes:
    """Returns a call that submits a job."""
    return pb.CreateJobRequest(
        parent="namespaces/default", spec=spec_to_wire(a_spec()), request_id=str(uuid.uuid4())
    ).SerializeToString()


def a_get(job: str) -> bytes:
    """Returns a call that asks for a job."""
    return pb.GetJobRequest(name=job).SerializeToString()


def runners(server: Served, count: int) -> list[Runner]:
    """Submits jobs and enrols for each of them."""
    made = []
    with grpc.insecure_channel(server.address) as channel:
        people, drivers = TunerServiceStub(channel), RunnerServiceStub(channel)
        jobs = [
            people.CreateJob(
                pb.CreateJobRequest.FromString(a_job()), metadata=bearer(server.token)
            ).name
            for _ in range(count)
        ]
        for job in jobs:
            answer = drivers.Enrol(rpb.EnrolRequest(job=job, code=server.code(job)))
            attempt = answer.attempt.SerializeToString()
            made.append(Runner(job, attempt, bearer(answer.token)))
    return made


def record_all(
    barrier: Barrier, address: str, pid: int, runner: Runner, count: int
) -> tuple[list[tuple[float, float, int]], float]:
    """Records as fast as it is acknowledged, one call after the other.

    Returns:
        For each call when it began, when it was acknowledged, by the monotonic clock, and its
        measurements; and the processor time that the server, of that process, took meanwhile.
    """
    calls = runner.requests(count, BATCH)
    done = []
    with grpc.insecure_channel(address) as channel:
        record: Any = channel.unary_unary(RECORD)
        grpc.channel_ready_future(channel).result(TIMEOUT)
        barrier.wait(TIMEOUT)
        left, cpu = count, cpu_seconds(pid)
        for call in calls:
            begin = time.monotonic()
            answer = _patiently(record, call, runner.metadata)
            rows = rpb.RecordMeasurementsResponse.FromString(answer).recorded
            assert rows == min(BATCH, left), f"{rows} were recorded of {min(BATCH, left)}"
            left -= rows
            done.append((begin, time.monotonic(), rows))
        return done, cpu_seconds(pid) - cpu


def _patiently(call: Any, request: bytes, metadata: Metadata) -> bytes:
    """Makes a call as the library does: again where the server says so."""
    end = time.monotonic() + TIMEOUT
    while True:
        try:
            answer: bytes = call(request, metadata=metadata, timeout=TIMEOUT)
        except grpc.RpcError as error:
            if error.code() != grpc.StatusCode.UNAVAILABLE or time.monotonic() > end:
                raise
            time.sleep(0.1)
        else:
            return answer


@dataclass
class Offered:
    """Calls of one kind at a fixed rate, whatever the answers take (an open loop).

    Attributes:
        method: The call.
        calls: Each with its metadata, in the order in which they are due.
        rate: Calls a second.
    """

    method: str
    calls: list[tuple[Metadata, bytes]]
    rate: float


def offer(barrier: Barrier, address: str, offered: Offered) -> list[float]:
    """Makes the calls. Returns the seconds of each from when it was due to its answer."""
    return asyncio.run(_offer(barrier, address, offered))


def share(rate: float, among: int, batch: int, seconds: float) -> int:
    """Returns how many measurements each of several runners sends."""
    return int(rate * seconds / among / batch) * batch


def offer_records(
    barrier: Barrier, address: str, rate: float, some: list[Runner], batch: int, seconds: float
) -> list[float]:
    """Records so many measurements a second together, in turn. Returns the calls' seconds."""
    each = share(rate, len(some), batch, seconds)
    made = [[(r.metadata, call) for call in r.requests(each, batch)] for r in some]
    calls = [call for turn in zip(*made, strict=True) for call in turn]
    return asyncio.run(_offer(barrier, address, Offered(RECORD, calls, rate / batch)))


async def _offer(barrier: Barrier, address: str, offered: Offered) -> list[float]:
    took: list[float] = []
    async with grpc.aio.insecure_channel(address) as channel:
        call: Any = channel.unary_unary(offered.method)
        await channel.channel_ready()

        async def once(due: float, metadata: Metadata, request: bytes) -> None:
            await call(request, metadata=metadata, timeout=TIMEOUT)
            took.append(time.monotonic() - due)

        barrier.wait(TIMEOUT)
        begin = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for place, (metadata, request) in enumerate(offered.calls):
                due = begin + place / offered.rate
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                group.create_task(once(due, metadata, request))
    return took


@dataclass
class Watched:
    """What watchers saw.

    Attributes:
        watchers: How many they were.
        seconds: How long they watched.
        messages: Messages that they got.
        events: Events in them.
        most_a_second: Most messages that one watcher got within any second.
        lags: Seconds from an event's time to its arrival, of the oldest of each message.
        gaps: Watchers that missed an event or got one twice.
    """

    watchers: int
    seconds: float
    messages: int = 0
    events: int = 0
    most_a_second: int = 0
    lags: list[float] = field(default_factory=list)
    gaps: int = 0

    @property
    def rate(self) -> float:
        """Messages a second that each got."""
        return self.messages / self.watchers / self.seconds


def watch(
    barrier: Barrier, address: str, token: str, jobs: list[str], each: int, seconds: float
) -> Watched:
    """Follows every job by so many watchers for a while, from its present end on."""
    return asyncio.run(_watch(barrier, address, token, jobs, each, seconds))


async def _watch(
    barrier: Barrier, address: str, token: str, jobs: list[str], each: int, seconds: float
) -> Watched:
    seen = Watched(len(jobs) * each, seconds)
    metadata = bearer(token)
    # As many connections as people would have, more or less: gRPC shares one by itself.
    options = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_receive_message_length", -1)]
    channels = [grpc.aio.insecure_channel(address, options) for _ in range(each)]
    begin = time.monotonic()

    async def follow(channel: grpc.aio.Channel, job: str, after: int) -> None:
        stream: Any = channel.unary_stream(WATCH)
        request = pb.WatchJobRequest(name=job, after=after).SerializeToString()
        times: list[float] = []
        last, whole = after, True
        try:
            async for data in stream(request, metadata=metadata, timeout=seconds):
                now, clock = time.monotonic(), time.time()
                message = pb.WatchJobResponse.FromString(data)
                times.append(now)
                whole &= message.events[0].sequence == last + 1
                whole &= message.events[-1].sequence == last + len(message.events)
                last = message.events[-1].sequence
                oldest = message.events[0].time
                seen.lags.append(clock - oldest.seconds - oldest.nanos / 1e9)
                seen.events += len(message.events)
        except grpc.aio.AioRpcError as error:
            if error.code() != grpc.StatusCode.DEADLINE_EXCEEDED:
                raise
        seen.messages += len(times)
        seen.gaps += not whole
        for place, time_ in enumerate(times):
            within = sum(1 for other in times[place:] if other < time_ + 1.0)
            seen.most_a_second = max(seen.most_a_second, within)

    get: Any = channels[0].unary_unary(GET)
    last = {}
    for job in jobs:
        answer = await get(pb.GetJobRequest(name=job).SerializeToString(), metadata=metadata)
        last[job] = pb.Job.FromString(answer).last_sequence
    tasks = [
        asyncio.create_task(follow(channel, job, last[job])) for channel in channels for job in jobs
    ]
    await asyncio.to_thread(barrier.wait, TIMEOUT)
    await asyncio.gather(*tasks)
    for channel in channels:
        await channel.close()
    assert time.monotonic() - begin >= seconds
    return seen
