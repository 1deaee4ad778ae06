"""The gateway against a real Ray: submit, state, log, stop, what the cluster has."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import pytest
from coordinator_harness import until

from services.coordinator.gateway import DriverState, Submission, UnreachableError
from services.coordinator.ray_gateway import RayGateway
from tests.ray_head import free_ports, ray_head
from tuner.wire.names import JobName

# Stands in for the runner's Python: it is called with "-m services.runner".
DRIVER = """#!/bin/sh
echo "driver $* of $TUNER_RUNNER_JOB for $TUNER_RUNNER_COORDINATOR code $TUNER_RUNNER_CODE"
test "$TUNER_RUNNER_CODE" = quick && exit 0
test "$TUNER_RUNNER_CODE" = broken && exit 3
trap 'echo interrupted; exit 0' INT
while true; do sleep 0.2; done
"""


@pytest.fixture(scope="module")
def dashboard() -> Iterator[str]:
    with ray_head(2) as head:
        yield head.dashboard


@pytest.fixture
def gateway(dashboard: str, tmp_path: Path) -> Iterator[RayGateway]:
    script = tmp_path / "a driver"
    script.write_text(DRIVER)
    script.chmod(0o755)
    gateway = RayGateway(dashboard, str(script), "10.1.2.3:50551")
    yield gateway
    gateway.close()


def a_submission(code: str) -> Submission:
    return Submission(
        id=f"default.digits-abc.1.{time.monotonic_ns():x}",
        job=JobName("default", "digits-abc"),
        code=code,
        metadata={"name": "digits", "owner": "ada", "searches": "cnn/depth"},
    )


async def ready(gateway: RayGateway) -> None:
    async def there() -> bool:
        try:
            return bool((await gateway.status()).nodes)
        except UnreachableError:
            return False

    await until(there, seconds=90)


async def ended(gateway: RayGateway, submission: Submission) -> DriverState:
    async def gone() -> DriverState | None:
        driver = await gateway.state(submission.id)
        assert driver is not None
        return driver.state if driver.state.ended else None

    return await until(gone, seconds=60)


async def test_drivers_on_a_real_cluster(gateway: RayGateway, dashboard: str) -> None:
    """One test, since a cluster's start takes longer than all that it proves."""
    await ready(gateway)
    cluster = await gateway.status()
    assert (cluster.cpus, cluster.gpus) == (2, 0)
    assert [node.alive for node in cluster.nodes] == [True]

    async def use_is_told() -> bool:
        return (await gateway.status()).cpus_free == 2

    await until(use_is_told, seconds=60)

    # Unknown ids are no errors, whatever is asked of them.
    assert await gateway.state("none") is None
    assert await gateway.logs("none") is None
    await gateway.stop("none")

    quick = a_submission("quick")
    await gateway.submit(quick)
    await gateway.submit(replace(quick, code="another"))
    assert await ended(gateway, quick) is DriverState.SUCCEEDED
    line = "driver -m services.runner of namespaces/default/jobs/digits-abc for 10.1.2.3:50551"
    assert f"{line} code quick" in await gateway.logs(quick.id)
    async with aclosing(gateway.tail(quick.id)) as pieces:
        assert line in "".join([piece async for piece in pieces])

    broken = a_submission("broken")
    await gateway.submit(broken)
    assert await ended(gateway, broken) is DriverState.FAILED
    driver = await gateway.state(broken.id)
    assert driver is not None
    assert driver.message.endswith("exit code 3")

    long = a_submission("long")
    await gateway.submit(long)

    async def runs() -> bool:
        driver = await gateway.state(long.id)
        return driver is not None and "code long" in (await gateway.logs(long.id) or "")

    await until(runs, seconds=60)
    since = time.monotonic()
    await gateway.stop(long.id)
    assert await ended(gateway, long) is DriverState.STOPPED
    assert time.monotonic() - since < 20
    # SIGINT reached it, which Tune needs to end cleanly.
    assert "interrupted" in await gateway.logs(long.id)

    details = gateway._client.get_job_info(quick.id)
    assert details.metadata == dict(quick.metadata)
    assert details.runtime_env["env_vars"]["RAY_JOB_STOP_SIGNAL"] == "SIGINT"


async def test_a_cluster_that_isnt_there_is_unreachable() -> None:
    (port,) = free_ports(1)
    gateway = RayGateway(f"http://127.0.0.1:{port}", sys.executable, "127.0.0.1:1")
    try:
        for call in (gateway.status(), gateway.state("x"), gateway.submit(a_submission("quick"))):
            with pytest.raises(UnreachableError):
                await call
    finally:
        gateway.close()


async def test_the_setting_wins_over_rays_environment(
    dashboard: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "http://127.0.0.1:1")
    gateway = RayGateway(dashboard, sys.executable, "127.0.0.1:1")
    await ready(gateway)
    gateway.close()
