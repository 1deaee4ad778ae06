"""Detached processes are recognised and stopped; up and down bring a real Ray head and take it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tuner import Client, TunerError
from tuner.cli.embedded import lifecycle, processes
from tuner.cli.embedded.home import Home, tail
from tuner.cli.embedded.processes import Process
from tuner.cli.embedded.ray_head import free_port

SLEEPER = "import time; time.sleep(600)"


def started(code, tmp_path):
    return processes.start([sys.executable, "-c", code], os.environ, tmp_path, tmp_path / "log")


@pytest.fixture
def cleanup():
    """Stops, whatever happens, what a test has started."""
    mine = []
    yield mine.append
    for process in mine:
        processes.stop(process, 1.0)


def test_a_process_is_told_from_a_stranger_with_its_number(tmp_path, cleanup):
    process = started(SLEEPER, tmp_path)
    cleanup(process)
    assert process.alive()
    stranger = Process(process.pid, "earlier")
    assert not stranger.alive()
    processes.stop(stranger, 0.2)
    assert process.alive()
    processes.stop(process, 2.0)
    assert not process.alive()


def test_stopping_takes_children_along_those_in_sessions_of_their_own_too(tmp_path, cleanup):
    code = (
        "import subprocess, sys, time\n"
        f"a = subprocess.Popen([sys.executable, '-c', {SLEEPER!r}])\n"
        f"b = subprocess.Popen([sys.executable, '-c', {SLEEPER!r}], start_new_session=True)\n"
        "print(a.pid, b.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    leader = started(code, tmp_path)
    cleanup(leader)
    log = tmp_path / "log"
    assert processes.wait_until(lambda: len(log.read_text().split()) == 2, 20)
    children = [Process(pid, processes._started(pid)) for pid in map(int, log.read_text().split())]
    assert all(child.alive() for child in children)
    processes.stop(leader, 2.0)
    assert not any(child.alive() for child in children)


def test_orphans_of_a_leader_that_was_killed_are_found(tmp_path, cleanup):
    code = (
        "import subprocess, sys, time\n"
        f"print(subprocess.Popen([sys.executable, '-c', {SLEEPER!r}]).pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    leader = started(code, tmp_path)
    cleanup(leader)
    log = tmp_path / "log"
    assert processes.wait_until(lambda: log.read_text().strip().isdigit(), 20)
    orphan = Process(int(log.read_text()), processes._started(int(log.read_text())))
    os.kill(leader.pid, signal.SIGKILL)
    assert processes.wait_until(lambda: not leader.alive(), 10)
    assert orphan.alive()
    processes.stop(leader, 2.0)
    assert not orphan.alive()


def test_what_does_not_heed_is_killed(tmp_path, cleanup):
    code = (
        "import signal, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "print('deaf', flush=True)\n"
        "time.sleep(600)\n"
    )
    leader = started(code, tmp_path)
    cleanup(leader)
    log = tmp_path / "log"
    assert processes.wait_until(lambda: "deaf" in log.read_text(), 20)
    processes.stop(leader, 0.3)
    assert not leader.alive()


def test_a_port_that_is_taken_gives_way_to_another():
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert free_port(port) != port
    assert free_port(port) == port


def test_the_folder_and_its_token_are_the_owners_alone():
    home = Home()
    home.prepare()
    token = home.ray_token.read_text()
    assert len(token) == 64
    assert home.ray_token.stat().st_mode & 0o777 == 0o600
    assert home.path.stat().st_mode & 0o777 == 0o700
    home.prepare()
    assert home.ray_token.read_text() == token
    assert home.environment()["RAY_AUTH_TOKEN_PATH"] == str(home.ray_token)
    assert token not in home.environment().values()


def test_a_service_that_dies_is_told_with_the_end_of_its_log(monkeypatch, cleanup):
    """Both are replaced by a process that ends at once with a word."""
    real = processes.start

    def doomed(command, environment, folder, log):
        process = real(
            [sys.executable, "-c", "print('no room left'); raise SystemExit(1)"],
            environment,
            folder,
            log,
        )
        cleanup(process)
        return process

    monkeypatch.setattr(processes, "start", doomed)
    with pytest.raises(TunerError) as caught:
        lifecycle.bring_up(1, 0, lambda line: None)
    assert "ended while starting" in caught.value.message
    assert "no room left" in caught.value.message
    record = Home().read()
    assert record.ray is None
    assert record.coordinator is None


def test_a_record_that_is_damaged_is_told():
    home = Home()
    home.prepare()
    (home.path / "embedded.json").write_text("{")
    with pytest.raises(TunerError) as caught:
        home.read()
    assert "embedded.json" in caught.value.message


def test_the_end_of_a_log(tmp_path):
    assert "no log" in tail(tmp_path / "none")
    (tmp_path / "log").write_text("\n".join(map(str, range(100))))
    assert tail(tmp_path / "log", 2) == "  98\n  99"


def tuner(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "tuner.cli", *arguments],
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )


def test_up_and_down_with_a_real_ray_head():
    """One head for everything: up, up again, the coordinator killed, down; nothing is left."""
    home = Home()
    try:
        begun = time.monotonic()
        up = tuner("up", "--cpus", "1", "--gpus", "0")
        assert up.returncode == 0, up.stderr
        record = home.read()
        assert record.dashboard in up.stdout
        with Client() as client:
            status = client.cluster_status()
            assert client.endpoint.embedded
        assert status.cpus == 1
        assert status.dashboard_address == record.dashboard

        again = tuner("up")
        assert "already up" in again.stderr
        assert again.stdout == up.stdout

        os.kill(record.coordinator.pid, signal.SIGKILL)
        assert processes.wait_until(lambda: not record.coordinator.alive(), 10)
        assert record.ray.alive()
        restarted = tuner("up")
        assert restarted.returncode == 0, restarted.stderr
        assert restarted.stdout == up.stdout, "a runner calls the address that it was given"
        assert home.read().ray == record.ray
        family = processes._family(record.ray)
        assert len(family) > 3

        down = tuner("down")
        assert down.returncode == 0, down.stderr
        assert not any(p.alive() for p in family)
        assert not record.ray.alive()
        assert not Path(record.ray_folder).exists()
        assert (home.path / "coordinator.db").is_file(), "records stay"
        assert json.loads((home.path / "embedded.json").read_text())["ray"] is None
        assert time.monotonic() - begun < 150
    finally:
        lifecycle.take_down(lambda line: None)
