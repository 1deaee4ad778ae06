"""WatchJob: every event once, in order, whatever happens in between."""

from __future__ import annotations

import asyncio

import pytest
from coordinator_harness import AUTH, House, a_step, refusal, until

from tuner.errors import Status
from tuner.v1 import tuner_service_pb2 as pb
from tuner.wire.names import JobName


def whats(events: list[pb.Event]) -> list[str]:
    return [event.WhichOneof("what") for event in events]


async def test_a_watcher_sees_the_whole_life_and_then_the_stream_ends(house: House) -> None:
    job = await house.create()
    watching = asyncio.create_task(house.watch(job.name))
    runner = await house.enrol(job.name)
    await runner.record(runner.row())
    await runner.conclude()
    await runner.finish("COMPLETED")
    events = await watching
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    assert {
        "job_state_changed",
        "search_state_changed",
        "plan_step_committed",
        "measurement_recorded",
        "runner_started",
    } <= set(whats(events))
    assert events[-1].job_state_changed.state == pb.JOB_STATE_SUCCEEDED
    started = next(e.runner_started for e in events if e.HasField("runner_started"))
    assert (started.attempt, started.submission_id) == (1, house.gateway.submissions[0].id)
    # Watching an ended job gives the rest and ends.
    assert await house.watch(job.name, after=3) == events[3:]
    assert await house.watch(job.name, after=len(events)) == []


async def test_a_watch_resumes_over_a_restart_without_gap_or_repeat(house: House) -> None:
    job = await house.create()
    runner = await house.enrol(job.name)
    seen: list[pb.Event] = []

    async def follow() -> None:
        request = pb.WatchJobRequest(name=job.name, after=seen[-1].sequence if seen else 0)
        async for message in house.stub.WatchJob(request, metadata=AUTH):
            seen.extend(message.events)

    watching = asyncio.create_task(refusal(_failing(follow)))
    for replicate in range(20):
        await runner.record(runner.row(replicate=replicate))
    await house.coordinator.stop()
    error = await watching
    assert (error.status, error.reason) == (Status.UNAVAILABLE, "SHUTTING_DOWN")
    await house.channel.close(None)
    await house.start()
    runner.stub = house.runners
    watching_again = asyncio.create_task(follow())
    for replicate in range(10, 40):
        await runner.record(runner.row(replicate=replicate))
    await runner.conclude()
    await runner.finish("COMPLETED")
    await watching_again
    assert [event.sequence for event in seen] == list(range(1, len(seen) + 1))
    ids = [e.measurement_recorded.id for e in seen if e.HasField("measurement_recorded")]
    assert len(ids) == len(set(ids)) == 40


async def _failing(follow) -> None:
    await follow()


async def test_many_events_come_in_bounded_messages(house: House) -> None:
    job = await house.create()
    runner = await house.enrol(job.name)
    await runner.record(*(runner.row(replicate=i) for i in range(450)))
    await runner.conclude()
    await runner.finish("COMPLETED")
    sizes = []
    async for message in house.stub.WatchJob(pb.WatchJobRequest(name=job.name), metadata=AUTH):
        sizes.append(len(message.events))
    assert max(sizes) <= 1000
    assert len(sizes) < 10


async def test_large_events_are_spread_over_messages(house: House) -> None:
    job = await house.create()
    runner = await house.enrol(job.name)
    for number in range(1, 7):
        await runner.step(a_step(number=number, decision="why " * 150_000))
    await house.cancel(job.name)
    await runner.finish("CANCELLED")
    events = await house.watch(job.name)
    assert whats(events).count("plan_step_committed") == 6


@pytest.mark.parametrize("after", [-1, 1000])
async def test_a_sequence_that_never_was_is_refused(house: House, after: int) -> None:
    job = await house.create()
    request = pb.WatchJobRequest(name=job.name, after=after)
    error = await refusal(house.stub.WatchJob(request, metadata=AUTH))
    assert error.status is Status.INVALID_ARGUMENT
    assert error.violations[0].field == "after"


async def test_watching_nothing_is_not_found(house: House) -> None:
    request = pb.WatchJobRequest(name="namespaces/default/jobs/none")
    error = await refusal(house.stub.WatchJob(request, metadata=AUTH))
    assert error.reason == "JOB_NOT_FOUND"


async def test_shutdown_doesnt_wait_for_watchers(house: House) -> None:
    job = await house.create()
    await house.reaches(job.name, "RUNNING")
    watching = asyncio.create_task(
        refusal(house.stub.WatchJob(pb.WatchJobRequest(name=job.name), metadata=AUTH))
    )
    logs = asyncio.create_task(
        refusal(house.stub.TailLogs(pb.TailLogsRequest(name=job.name, follow=True), metadata=AUTH))
    )
    await until(lambda: house.coordinator.core.hints.listeners(JobName.parse(job.name)) >= 3)
    async with asyncio.timeout(4):
        await house.coordinator.stop()
    assert (await watching).status is Status.UNAVAILABLE
    assert (await logs).status is Status.UNAVAILABLE
    await house.start()
