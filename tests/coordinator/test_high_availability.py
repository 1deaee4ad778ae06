"""Coordinators as real processes: who takes over, within what time, and what nobody notices."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from coordinator_harness import a_spec
from several_coordinators import House, until

from services.coordinator.leader import LEASE_SECONDS
from tests.coordinator.store.postgres_server import PostgresMissingError, PostgresServer, server
from tuner import TunerError
from tuner.errors import Status

NOTICED_SECONDS = 15.0
RUNNERS_LEASE_SECONDS = 10.0


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    try:
        with server() as running:
            yield running
    except PostgresMissingError as error:
        pytest.skip(str(error))


@pytest.fixture
def house(postgres: PostgresServer, tmp_path: Path) -> Iterator[House]:
    """Two coordinators on one PostgreSQL, of which the first leads."""
    house = House(tmp_path, postgres.new_database())
    yield house.start()
    house.close()


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[House]:
    """One coordinator on SQLite, not yet started."""
    house = House(tmp_path, "", count=1)
    yield house
    house.close()


def bears_up(house: House) -> None:
    """The log tells what happened in a few lines, and nothing that nobody has thought of."""
    for process in house.coordinators:
        log = process.log
        assert "Traceback" not in log, log
        lines = [line for line in log.splitlines() if "level=error" in line]
        assert len(lines) <= 3, log


def test_a_killed_leader_is_followed_and_no_runner_notices(house: House) -> None:
    leader, follower = house.coordinators
    job = house.submit()
    runner = house.runner(job.name)
    runner.goes_on(10)
    assert (leader.leads, follower.leads) == (True, False)

    leader.end(signal.SIGKILL)
    # A request that the dead one never answered goes to the next, under the same id.
    second = house.submit()
    took = until(lambda: follower.leads, NOTICED_SECONDS)
    house.runner(second.name).goes_on(10)
    runner.goes_on(10)

    assert took < NOTICED_SECONDS
    assert runner.longest_pause() < RUNNERS_LEASE_SECONDS
    assert runner.error is None
    assert job.refresh().attempt == 1
    replicates = sorted(row.replicate for row in job.measurements())
    assert replicates[: runner.recorded] == list(range(runner.recorded))
    bears_up(house)


@pytest.mark.slow
def test_a_frozen_leader_is_followed_and_follows_when_it_thaws(house: House) -> None:
    leader, follower = house.coordinators
    job = house.submit()
    runner = house.runner(job.name)
    runner.goes_on(10)

    leader.send(signal.SIGSTOP)
    # The client's next call is on its way to the frozen one.
    began = time.monotonic()
    assert job.refresh().attempt == 1
    assert time.monotonic() - began < RUNNERS_LEASE_SECONDS
    until(lambda: follower.leads, NOTICED_SECONDS)
    runner.goes_on(RUNNERS_LEASE_SECONDS)
    leader.send(signal.SIGCONT)
    until(lambda: leader.serves() and not leader.leads, 5)

    time.sleep(LEASE_SECONDS + 2)
    assert (leader.leads, follower.leads) == (False, True), "it follows from then on"
    assert runner.longest_pause() < RUNNERS_LEASE_SECONDS
    assert runner.error is None
    assert job.refresh().attempt == 1
    follower.end(signal.SIGKILL)
    until(lambda: leader.leads, NOTICED_SECONDS)
    runner.goes_on(RUNNERS_LEASE_SECONDS)
    assert job.refresh().attempt == 1
    bears_up(house)


@pytest.mark.slow
def test_a_rolling_restart_is_immediate(house: House) -> None:
    leader, follower = house.coordinators
    job = house.submit()
    runner = house.runner(job.name)
    runner.goes_on(10)
    watched = job.watch()
    next(watched)
    assert leader.end() == 0
    assert until(lambda: follower.leads, 5) < 3
    leader.start()
    until(leader.serves, 30)
    assert follower.end() == 0
    assert until(lambda: leader.leads, 5) < 3
    runner.goes_on(RUNNERS_LEASE_SECONDS)
    job.cancel()
    sequences = [1, *(event.sequence for event in watched)]
    assert sequences == list(range(1, job.refresh().last_sequence + 1)), "no gap, no repeat"


@pytest.mark.slow
@pytest.mark.parametrize("how", ["stopped", "frozen"])
def test_the_database_is_gone_for_a_while(postgres: PostgresServer, house: House, how: str) -> None:
    job = house.submit()
    runner = house.runner(job.name)
    runner.goes_on(10)
    if how == "stopped":
        postgres.stop()
    else:
        for process in postgres.processes():
            os.kill(process, signal.SIGSTOP)
    try:
        began = time.monotonic()
        for coordinator in house.coordinators:
            until(lambda one=coordinator: not one.serves(), 10)
            assert coordinator.serves(""), "the process itself lives"
        with pytest.raises(TunerError) as caught:
            job.refresh()
        assert caught.value.status is Status.UNAVAILABLE
        assert "database" in caught.value.message
        # Longer than any lease: nobody may be given up for it.
        time.sleep(max(0.0, 2.5 * RUNNERS_LEASE_SECONDS - (time.monotonic() - began)))
    finally:
        if how == "stopped":
            postgres.start()
        else:
            for process in postgres.processes():
                os.kill(process, signal.SIGCONT)
    until(lambda: any(c.leads for c in house.coordinators), NOTICED_SECONDS)
    runner.goes_on(10)
    time.sleep(RUNNERS_LEASE_SECONDS + 2)
    runner.goes_on(10)
    assert runner.error is None
    assert job.refresh().attempt == 1
    assert len([c for c in house.coordinators if c.leads]) == 1
    bears_up(house)


@pytest.mark.slow
def test_alone_it_leads_at_once_after_a_crash(alone: House) -> None:
    (one,) = alone.start().coordinators
    job = alone.submit()
    runner = alone.runner(job.name)
    runner.goes_on(10)
    one.end(signal.SIGKILL)
    one.start()
    until(one.serves, 30)
    assert until(lambda: one.leads, 5) < 1, "nobody else can hold its lease"
    runner.goes_on(RUNNERS_LEASE_SECONDS)
    one.send(signal.SIGSTOP)
    time.sleep(RUNNERS_LEASE_SECONDS + 2)
    one.send(signal.SIGCONT)
    until(lambda: one.leads, 5)
    runner.goes_on(RUNNERS_LEASE_SECONDS)
    time.sleep(2)
    assert job.refresh().attempt == 1, "a frozen coordinator gives up no runner"
    bears_up(alone)


@pytest.mark.slow
def test_a_full_disk_is_told_and_survived(tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(small)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("a small file system can't be mounted here")
    try:
        house = House(tmp_path, f"sqlite:///{small / 'tuner.db'}", count=1).start()
        try:
            job = house.submit()
            runner = house.runner(job.name)
            runner.goes_on(10)
            ballast = small / "ballast"
            with pytest.raises(OSError, match="No space"), ballast.open("wb") as file:
                while True:
                    file.write(bytes(4096))
                    file.flush()
            (one,) = house.coordinators
            until(lambda: not one.serves(), 20)
            with pytest.raises(TunerError) as caught:
                house.client.submit(a_spec())
            assert caught.value.status is Status.UNAVAILABLE
            assert "database" in caught.value.message
            assert "disk is full" in one.log
            assert job.refresh().attempt == 1, "what needs no room is answered"
            time.sleep(RUNNERS_LEASE_SECONDS + 5)
            ballast.unlink()
            until(lambda: one.serves() and one.leads, 15)
            runner.goes_on(10)
            time.sleep(RUNNERS_LEASE_SECONDS + 2)
            assert runner.error is None
            assert job.refresh().attempt == 1
            bears_up(house)
        finally:
            house.close()
    finally:
        subprocess.run(["umount", "-l", str(small)], check=True)
