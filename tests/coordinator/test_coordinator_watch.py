"""WatchJob: every event once, in order, whatever happens in between."""

from __future__ import annotations

import asyncio

import grpc
import pytest
from coordinator_harness import AUTH, House, a_step, refusal, until

from services.coordinator import hints
from services.coordinator.api import feeds, watching
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


async def test_many_events_come_in_bounded_messages(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    for room in (feeds, watching):
        monkeypatch.setattr(room, "EVENTS_A_MESSAGE", 200)
    job = await house.create()
    runner = await house.enrol(job.name)
    await runner.record(*(runner.row(replicate=i) for i in range(450)))
    await runner.conclude()
    await runner.finish("COMPLETED")
    sizes = []
    async for message in house.stub.WatchJob(pb.WatchJobRequest(name=job.name), metadata=AUTH):
        sizes.append(len(message.events))
    assert max(sizes) <= 200
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


async def test_slow_watchers_miss_nothing_of_what_many_record(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    # So little is kept that whoever dawdles must reread.
    monkeypatch.setattr(feeds, "EVENTS_KEPT", 20)
    monkeypatch.setattr(feeds, "PACE_SECONDS", 0.02)
    job = await house.create()
    runner = await house.enrol(job.name)

    async def follow(slowness: float) -> list[int]:
        seen: list[int] = []
        async for message in house.stub.WatchJob(pb.WatchJobRequest(name=job.name), metadata=AUTH):
            seen += [event.sequence for event in message.events]
            await asyncio.sleep(slowness)
        return seen

    watchers = [asyncio.create_task(follow(slowness)) for slowness in (0.0, 0.0, 0.05, 0.15)]
    await asyncio.gather(
        *(
            runner.record(*(runner.row(replicate=10 * batch + i) for i in range(10)))
            for batch in range(40)
        )
    )
    await runner.conclude()
    await runner.finish("COMPLETED")
    last = (await house.get(job.name)).last_sequence
    for seen in await asyncio.gather(*watchers):
        assert seen[: seen.index(last) + 1] == list(range(1, last + 1))


async def test_a_job_under_load_costs_a_watcher_few_messages(house: House) -> None:
    job = await house.create()
    runner = await house.enrol(job.name)
    watching = asyncio.create_task(_messages(house, job.name))
    begun = asyncio.get_running_loop().time()
    for replicate in range(120):
        await runner.record(runner.row(replicate=replicate))
        await asyncio.sleep(0.01)
    await house.cancel(job.name)
    await runner.finish("CANCELLED")
    messages = await watching
    seconds = asyncio.get_running_loop().time() - begun
    rows = [m for m in messages if m.events[-1].HasField("measurement_recorded")]
    # The first comes at once; the job's end doesn't wait for its turn.
    assert len(rows) <= seconds / feeds.PACE_SECONDS + 2
    assert messages[-1].events[-1].job_state_changed.state == pb.JOB_STATE_CANCELLED


async def test_the_first_event_after_a_quiet_time_comes_at_once(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeds, "PACE_SECONDS", 0.1)
    # With an hour between looks, only news itself can bring an event.
    monkeypatch.setattr(hints.wait, "__defaults__", (3600.0,))
    job = await house.create()
    runner = await house.enrol(job.name)
    arrived: asyncio.Queue[pb.Event] = asyncio.Queue()

    async def follow() -> None:
        async for message in house.stub.WatchJob(pb.WatchJobRequest(name=job.name), metadata=AUTH):
            for event in message.events:
                arrived.put_nowait(event)

    task = asyncio.create_task(follow())
    async with asyncio.timeout(20):
        for replicate in range(3):
            await asyncio.sleep(0.15)
            await runner.record(runner.row(replicate=replicate))
            while not (event := await arrived.get()).HasField("measurement_recorded"):
                pass
            assert event.measurement_recorded.replicate == replicate
    task.cancel()


async def test_a_watch_goes_on_over_an_earlier_end(house: House) -> None:
    job = await house.create()
    runner = await house.enrol(job.name)
    await runner.record(runner.row())
    await house.cancel(job.name)
    await runner.finish("CANCELLED")
    await house.reaches(job.name, "CANCELLED")
    ended = (await house.get(job.name)).last_sequence
    assert (await house.watch(job.name))[-1].sequence == ended
    await house.stub.ResumeJob(pb.ResumeJobRequest(name=job.name), metadata=AUTH)
    again = asyncio.create_task(house.watch(job.name))
    late = asyncio.create_task(house.watch(job.name, after=ended))
    second = await house.enrol(job.name, 2)
    await second.record(second.row(replicate=1))
    await second.conclude()
    await second.finish("COMPLETED")
    events = await again
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    assert events[-1].job_state_changed.state == pb.JOB_STATE_SUCCEEDED
    assert await late == events[ended:]


async def test_what_a_feed_keeps_is_bounded_and_goes_with_its_last_watcher(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeds, "EVENTS_KEPT", 100)
    monkeypatch.setattr(feeds, "PACE_SECONDS", 0.02)
    job = await house.create()
    runner = await house.enrol(job.name)
    row = await asyncio.to_thread(house.store.get_job, JobName.parse(job.name))
    some = feeds.Feeds(house.store, house.coordinator.core.hints)
    async with some.feed(row) as feed, some.feed(row) as other:
        assert feed is other
        for batch in range(4):
            await runner.record(*(runner.row(replicate=100 * batch + i) for i in range(60)))
        await until(lambda: feed.tail >= row.last_sequence + 240)
        assert feed.kept <= feeds.EVENTS_KEPT
        # Who is too far behind is told to reread, and the others share their messages.
        assert feed.messages(row.last_sequence) is None
        assert feed.messages(feed.tail - 5) is feed.messages(feed.tail - 5)
    async with some.feed(row) as later:
        assert later is not feed


async def test_who_watches_leaves_calls_for_runners(house: House) -> None:
    await house.restart(max_calls=12)
    job = await house.create()
    runner = await house.enrol(job.name)
    ask = pb.WatchJobRequest(name=job.name)
    watchers = [house.stub.WatchJob(ask, metadata=AUTH) for _ in range(9)]
    for watcher in watchers:
        assert (await watcher.read()).events
    error = await refusal(house.stub.WatchJob(ask, metadata=AUTH))
    assert error.reason == "TOO_MANY_WATCHERS"
    await runner.heartbeat()
    for watcher in watchers:
        watcher.cancel()


async def test_a_crowded_coordinator_is_asked_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = watching.Places
    monkeypatch.setattr(watching, "Places", lambda *_: places(100, 100))
    await house.restart(max_calls=10)
    job = await house.create()
    runner = await house.enrol(job.name)
    ask = pb.WatchJobRequest(name=job.name)
    watchers = [house.stub.WatchJob(ask, metadata=AUTH) for _ in range(10)]
    for watcher in watchers:
        assert (await watcher.read()).events
    # Only what is UNAVAILABLE is tried again, and a runner must not end for this.
    error = await refusal(runner.heartbeat())
    assert (error.status, error.reason) == (Status.UNAVAILABLE, "TOO_MANY_CALLS")
    for watcher in watchers:
        watcher.cancel()


async def test_a_watcher_too_many_is_refused_in_words(house: House) -> None:
    await house.restart(max_watchers_per_caller=2)
    job = await house.create()
    watchers = [house.stub.WatchJob(pb.WatchJobRequest(name=job.name), metadata=AUTH) for _ in "ab"]
    for watcher in watchers:
        assert (await watcher.read()).events
    error = await refusal(house.stub.WatchJob(pb.WatchJobRequest(name=job.name), metadata=AUTH))
    assert (error.status, error.reason) == (Status.RESOURCE_EXHAUSTED, "TOO_MANY_WATCHERS")
    assert "2 streams" in error.message
    watchers[0].cancel()

    async def there_is_room() -> bool:
        stream = house.stub.WatchJob(pb.WatchJobRequest(name=job.name), metadata=AUTH)
        try:
            return bool((await stream.read()).events)
        except grpc.aio.AioRpcError:
            return False

    await until(there_is_room)


async def _messages(house: House, name: str) -> list[pb.WatchJobResponse]:
    request = pb.WatchJobRequest(name=name)
    return [message async for message in house.stub.WatchJob(request, metadata=AUTH)]
