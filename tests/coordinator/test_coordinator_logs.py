"""TailLogs: from the cluster while it has the log, from what was kept afterwards."""

from __future__ import annotations

import asyncio
import itertools

from coordinator_harness import AUTH, House, refusal, until
from hypothesis import given
from hypothesis import strategies as st

from services.coordinator.driver_logs import MAX_LINE, Lines
from services.coordinator.gateway import DriverState
from tuner.errors import TunerError
from tuner.v1 import tuner_service_pb2 as pb
from tuner.wire.names import JobName


async def tail(house: House, name: str, follow: bool = False) -> list[tuple[int, str]]:
    request = pb.TailLogsRequest(name=name, follow=follow)
    stream = house.stub.TailLogs(request, metadata=AUTH)
    return [(m.attempt, line) async for m in stream for line in m.lines]


async def test_a_log_is_followed_over_attempts_and_kept(house: House) -> None:
    job = await house.create()
    following = asyncio.create_task(tail(house, job.name, follow=True))
    runner = await house.enrol(job.name)
    log = house.gateway.log
    first = runner.submission.id
    log[first] = "level 1\nlevel"
    assert await tail(house, job.name) == [(1, "level 1"), (1, "level")]
    log[first] += " 2\nlast words"
    house.gateway.end(first, DriverState.FAILED)
    runner = await house.enrol(job.name, number=2)
    log[runner.submission.id] = "".join(f"line {i}\n" for i in range(120))
    await runner.conclude()
    await runner.finish("COMPLETED")
    expected = [(1, "level 1"), (1, "level 2"), (1, "last words")]
    expected += [(2, f"line {i}") for i in range(120)]
    assert await following == expected
    artifacts = house.coordinator.core.artifacts
    await until(lambda: _kept(artifacts, runner))
    log.clear()
    house.gateway.drivers.clear()
    assert await tail(house, job.name) == expected
    assert await tail(house, job.name, follow=True) == expected


def _kept(artifacts, runner) -> bool:
    try:
        return bool(artifacts.get_log(JobName.parse(runner.job), runner.attempt.attempt))
    except TunerError:
        return False


async def test_logs_outlive_the_cluster_however_their_attempts_ended(house: House) -> None:
    """One was paused, one made way, one's cluster died with its log, and the last concluded."""
    job = await house.create()
    artifacts, name = house.coordinator.core.artifacts, JobName.parse(job.name)
    for number, verb in ((1, "pause"), (2, "make way"), (3, "lose"), (4, "conclude")):
        runner = await house.enrol(job.name, number)
        await house.reaches(job.name, "RUNNING")
        house.gateway.log[runner.submission.id] = f"{verb}\n"
        if verb == "pause":
            await house.pause(job.name)
            await runner.finish("PAUSED")
            await house.resume(job.name)
        elif verb == "make way":
            await runner.finish("PAUSED")
        elif verb == "lose":
            # Told before by nobody: what is copied while it grows is all that is left.
            await until(lambda: artifacts.growing_log(name, 3))
            del house.gateway.log[runner.submission.id]
            del house.gateway.drivers[runner.submission.id]
        else:
            await runner.conclude()
            await runner.finish("COMPLETED")
            await until(lambda: _kept(artifacts, runner))  # noqa: B023 - asked at once
    house.gateway.unreachable = "gone for good"
    expected = [(1, "pause"), (2, "make way"), (3, "lose"), (4, "conclude")]
    assert await tail(house, job.name) == expected
    assert await tail(house, job.name, follow=True) == expected
    house.gateway.unreachable = ""


async def test_a_growing_log_is_read_from_its_copy_while_the_cluster_is_away(
    house: House,
) -> None:
    job = await house.create()
    runner = await house.enrol(job.name)
    artifacts, name = house.coordinator.core.artifacts, JobName.parse(job.name)
    house.gateway.log[runner.submission.id] = "one\n"
    await until(lambda: artifacts.growing_log(name, 1) == "one\n")
    house.gateway.unreachable = "no route"
    assert await tail(house, job.name) == [(1, "one")]
    # Whoever goes on copies what came after, and nothing twice.
    await house.restart()
    house.gateway.log[runner.submission.id] += "two\n"
    house.gateway.unreachable = ""
    artifacts = house.coordinator.core.artifacts
    await until(lambda: artifacts.growing_log(name, 1) == "one\ntwo\n")


async def test_a_broken_tail_goes_on_where_it_was(house: House) -> None:
    job = await house.create()
    runner = await house.enrol(job.name)
    submission = runner.submission.id
    house.gateway.log[submission] = "one\n"
    stream = house.stub.TailLogs(pb.TailLogsRequest(name=job.name, follow=True), metadata=AUTH)
    assert list((await stream.read()).lines) == ["one"]
    house.gateway.unreachable = "no route"
    house.gateway.log[submission] += "two\n"
    house.gateway.unreachable = ""
    assert list((await stream.read()).lines) == ["two"]
    await house.cancel(job.name)
    await runner.finish("CANCELLED")
    assert await stream.read() == grpc_eof()


def grpc_eof() -> object:
    import grpc

    return grpc.aio.EOF


async def test_a_cluster_that_is_away_is_told_in_the_logs_place(house: House) -> None:
    job = await house.create()
    await house.enrol(job.name)
    house.gateway.unreachable = "no route"
    [(attempt, line)] = await tail(house, job.name)
    assert attempt == 1
    assert "no route" in line
    house.gateway.unreachable = ""


async def test_a_waiting_job_has_no_log_and_an_unknown_one_is_not_found(house: House) -> None:
    await house.restart(max_running_jobs=1)
    await house.create()
    second = await house.create()
    assert await tail(house, second.name) == []
    request = pb.TailLogsRequest(name="namespaces/default/jobs/none")
    error = await refusal(house.stub.TailLogs(request, metadata=AUTH))
    assert error.reason == "JOB_NOT_FOUND"


@given(st.text("ab\n", max_size=60), st.lists(st.integers(0, 60)))
def test_lines_dont_depend_on_how_the_text_is_cut(text: str, cuts: list[int]) -> None:
    edges = [0, *sorted(min(c, len(text)) for c in cuts), len(text)]
    lines = Lines()
    found = [line for a, b in itertools.pairwise(edges) for line in lines.feed(text[a:b])]
    assert found + lines.flush() == text.removesuffix("\n").split("\n") * bool(text)


def test_a_very_long_line_comes_in_pieces() -> None:
    found = Lines().feed("x" * (2 * MAX_LINE + 1) + "\n")
    assert [len(part) for part in found] == [MAX_LINE, MAX_LINE, 1]
