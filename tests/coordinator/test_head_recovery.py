"""A Ray head that dies with all it ran, and comes back empty in the same place."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from coordinator_harness import TOKEN, House, house_settings, until

from services.coordinator.gateway import Submission, UnreachableError
from services.coordinator.ray_gateway import RayGateway
from tests.ray_head import free_ports, ray_head
from tuner.wire.names import JobName

# Stands in for the runner's Python: the calls of the runner are made by the test.
DRIVER = """#!/bin/sh
echo "attempt begins"
trap 'exit 0' INT
while true; do sleep 0.2; done
"""


class SeenGateway(RayGateway):
    """Lets the test see the codes with which drivers enrol."""

    def __init__(self, dashboard: str, python: str) -> None:
        super().__init__(dashboard, python, "127.0.0.1:1")
        self.submissions: list[Submission] = []

    async def submit(self, submission: Submission) -> None:
        await super().submit(submission)
        self.submissions.append(submission)

    def end(self, *_: object) -> None:
        """The driver isn't the test's to end."""

    async def up(self) -> bool:
        try:
            return any(node.alive for node in (await self.status()).nodes)
        except UnreachableError:
            return False


@pytest.fixture
async def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    monkeypatch.setenv("TUNER_TOKEN", TOKEN)
    # Long enough for the head to be back: it is the driver's absence that tells.
    house = House(house_settings(tmp_path, lease_seconds=120.0), None)
    yield house
    await house.stop()


@pytest.mark.slow
async def test_a_job_goes_on_where_it_was_on_a_head_that_came_back_empty(
    house: House, tmp_path: Path
) -> None:
    script = tmp_path / "driver"
    script.write_text(DRIVER)
    script.chmod(0o755)
    ports = free_ports(5)
    gateway = house.gateway = SeenGateway(f"http://127.0.0.1:{ports[1]}", str(script))
    with ray_head(2, ports) as head:
        await until(gateway.up, 90)
        await house.start()
        job = await house.create()
        name = JobName.parse(job.name)
        first = await house.enrol(job.name)
        await house.reaches(job.name, "RUNNING")
        await first.record(first.row())
        await until(lambda: house.coordinator.core.artifacts.growing_log(name, 1))
        head.kill()
    with ray_head(2, ports):
        await until(gateway.up, 90)
        await until(lambda: len(gateway.submissions) == 2, 90)
        second = await house.enrol(job.name, 2)
        lost = house.store.attempts(name)[0]
        assert (lost.outcome, second.attempt.attempt) == ("LOST", 2)
        assert "doesn't know the driver" in lost.reason
        # Its log died with the head, but for what was copied.
        kept = house.coordinator.core.artifacts.get_log(name, 1)
        assert "attempt begins" in kept
        rows, _ = house.store.measurements(name)
        assert [row.id for row in rows] == [first.row().id]
        await second.conclude()
        await second.finish("COMPLETED")
        await house.reaches(job.name, "SUCCEEDED")
