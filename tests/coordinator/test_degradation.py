"""What callers are told while the coordinator lacks room or its database, and that it passes."""

from __future__ import annotations

import asyncio
import errno

import pytest
from coordinator_harness import House, attach, refusal, until

from services.coordinator.artifacts import LocalUpload
from tuner.errors import Status
from tuner.wire.names import JobName


async def test_a_full_disk_is_told_and_asked_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = await house.create()
    runner = await house.enrol(job.name)

    def write(upload: LocalUpload, chunk: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "/var/secret/place")

    with monkeypatch.context() as full:
        full.setattr(LocalUpload, "write", write)
        error = await refusal(attach(runner, "model/weights", b"x" * 3000))
    assert (error.status, error.reason) == (Status.UNAVAILABLE, "DISK_FULL")
    assert "secret" not in error.message
    assert not (await attach(runner, "model/weights", b"x" * 3000)).existed


async def test_calls_are_refused_while_the_database_is_silent(house: House) -> None:
    job = await house.create()
    runner = await house.enrol(job.name)
    health = house.coordinator.core.database
    # A stream that is open, and waits for news.
    listeners = house.coordinator.core.hints.listeners
    others = listeners(JobName.parse(job.name))
    watch = asyncio.create_task(house.watch(job.name))
    await until(lambda: listeners(JobName.parse(job.name)) > others)
    before = health.sign
    health.failed("it hasn't answered", silent=True)
    for call in (watch, house.get(job.name), runner.heartbeat()):
        error = await refusal(call)
        assert (error.status, error.reason) == (Status.UNAVAILABLE, "STORE_UNAVAILABLE")
    # The leader's next renewal finds that it answers.
    await until(lambda: not health.reason)
    assert health.sign > before + 1
    await runner.heartbeat()
    assert (await house.get(job.name)).attempt == 1
