"""Up and down: both services started, waited for, and stopped."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from tuner.cli.embedded import coordinator, processes, ray_head
from tuner.cli.embedded.home import Home, Record, tail
from tuner.cli.embedded.processes import Process
from tuner.client import Client
from tuner.errors import Status, TunerError
from tuner.installed import require

RAY_SECONDS = 90.0
COORDINATOR_SECONDS = 45.0
STOP_SECONDS = 10.0

Say = Callable[[str], None]


@dataclass(frozen=True)
class Services:
    """The services that are up.

    Attributes:
        address: The coordinator's.
        dashboard: Ray's.
        home: The state folder.
        ray_token: The file of the secret that Ray's dashboard asks for.
        was_up: Whether both were up before.
    """

    address: str
    dashboard: str
    home: Path
    ray_token: Path
    was_up: bool = False


def running() -> bool:
    """Tells whether both services of this machine are up."""
    record = Home().read()
    return all(process and process.alive() for process in (record.ray, record.coordinator))


def bring_up(cpus: int | None, gpus: int | None, say: Say) -> Services:
    """Starts whichever of the two isn't up, and waits until both are ready.

    Args:
        cpus: Processor cores that Ray offers; None for all.
        gpus: Devices that Ray offers; None for all that it finds.
        say: Tells how it gets on.

    Raises:
        TunerError: FAILED_PRECONDITION where something isn't installed; UNAVAILABLE,
            with the end of its log, where a service didn't come up. Then what was
            started is stopped again.
    """
    _check_installed()
    home = Home()
    home.prepare()
    with home.locked(), ExitStack() as undo:
        record = home.read()
        ray_was_up = record.ray is not None and record.ray.alive()
        was_up = ray_was_up and record.coordinator is not None and record.coordinator.alive()
        if not ray_was_up:
            record = _start_ray(home, record, cpus, gpus, say)
            undo.callback(_stop_all, home)
        if not (record.coordinator and record.coordinator.alive()):
            record = _start_coordinator(home, record, say)
            undo.callback(_stop_coordinator, home)
        address = _await_both(home, record, say)
        home.write(replace(record, listen=address))
        undo.pop_all()
    return Services(address, record.dashboard, home.path, home.ray_token, was_up)


def take_down(say: Say) -> bool:
    """Stops both services and everything that they started. Records stay.

    Returns:
        Whether anything was up.
    """
    home = Home()
    if not home.path.is_dir():
        return False
    with home.locked():
        record = home.read()
        up = any(p and p.alive() for p in (record.ray, record.coordinator))
        if up:
            say("stopping the coordinator and Ray ...")
        _stop_all(home)
    return up


@contextmanager
def services_for_a_while(cpus: int | None, gpus: int | None, say: Say) -> Iterator[Services]:
    """Yields services that are taken down afterwards, unless they were up before."""
    services = bring_up(cpus, gpus, say)
    try:
        yield services
    finally:
        if not services.was_up:
            take_down(say)


def _check_installed() -> None:
    require(
        "the embedded services need",
        "pip install 'tuner[all]', or name a coordinator with --address or TUNER_ADDRESS",
        *("ray", "grpc_health", "sqlalchemy", "numpy"),
    )


def _start_ray(home: Home, record: Record, cpus: int | None, gpus: int | None, say: Say) -> Record:
    # What a head that was killed has left behind, and a coordinator that would go on
    # asking for a dashboard that may come up elsewhere.
    _stop_all(home)
    usual = int(record.dashboard.rpartition(":")[2] or ray_head.DASHBOARD_PORT)
    port = ray_head.free_port(usual)
    dashboard, folder = f"http://127.0.0.1:{port}", ray_head.new_folder()
    say(f"starting Ray; its dashboard will be at {dashboard}")
    process = ray_head.start(home, port, folder, cpus, gpus)
    record = Record(process, None, dashboard, folder, record.listen)
    home.write(record)
    return record


def _start_coordinator(home: Home, record: Record, say: Say) -> Record:
    say("starting the coordinator")
    usual = int(record.listen.rpartition(":")[2] or 0)
    listen = f"127.0.0.1:{ray_head.free_port(usual)}" if usual else "127.0.0.1:0"
    process = coordinator.start(home, record.dashboard, listen)
    record = replace(record, coordinator=process)
    home.write(record)
    return record


def _await_both(home: Home, record: Record, say: Say) -> str:
    """Waits until both are ready and the coordinator sees the cluster; returns its address."""
    ray, server = _known(record.ray), _known(record.coordinator)
    _await(
        "the coordinator",
        server,
        lambda: coordinator.serves(home, server),
        COORDINATOR_SECONDS,
        home,
        "coordinator",
    )
    say("the coordinator is ready; waiting for Ray")
    _await("Ray", ray, lambda: ray_head.answers(home, record.dashboard), RAY_SECONDS, home, "ray")
    address = coordinator.address(home, server) or ""
    with Client(address) as client:
        _await(
            "the cluster",
            ray,
            lambda: any(node.alive for node in client.cluster_status().nodes),
            RAY_SECONDS,
            home,
            "ray",
        )
    return address


def _await(
    what: str,
    process: Process,
    ready: Callable[[], bool],
    seconds: float,
    home: Home,
    log: str,
) -> None:
    came_up = processes.wait_until(lambda: not process.alive() or ready(), seconds)
    if process.alive() and came_up:
        return
    file = home.logs / f"{log}.log"
    how = f"was not ready after {seconds:.0f} s" if process.alive() else "ended while starting"
    raise TunerError(
        Status.UNAVAILABLE,
        "NOT_UP",
        f"{what} {how}; the end of {file}:\n{tail(file)}",
    )


def _stop_coordinator(home: Home) -> None:
    record = home.read()
    if record.coordinator:
        processes.stop(record.coordinator, STOP_SECONDS)
        home.write(replace(record, coordinator=None))


def _stop_all(home: Home) -> None:
    _stop_coordinator(home)
    record = home.read()
    if record.ray:
        processes.stop(record.ray, STOP_SECONDS)
        home.write(replace(record, ray=None))
    if record.ray_folder:
        shutil.rmtree(record.ray_folder, ignore_errors=True)
        home.write(replace(home.read(), ray_folder=""))


def _known(process: Process | None) -> Process:
    assert process is not None, "both were started above"
    return process
