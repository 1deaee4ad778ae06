"""The coordinator as a process: its start, its files, its signals, what it imports."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tuner.v1 import tuner_service_pb2 as pb
from tuner.v1.tuner_service_pb2_grpc import TunerServiceStub


class Process:
    def __init__(self, state: Path, **settings: str) -> None:
        self.state = state
        environment = {k: v for k, v in os.environ.items() if not k.startswith("TUNER_")}
        environment |= {
            "TUNER_COORDINATOR_STATE_DIR": str(state),
            "TUNER_COORDINATOR_LISTEN": "127.0.0.1:0",
            **settings,
        }
        self.popen = subprocess.Popen(
            [sys.executable, "-m", "services.coordinator"],
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
        )

    def address(self) -> str:
        path = self.state / "coordinator.json"
        deadline = time.monotonic() + 60
        while not path.exists():
            assert self.popen.poll() is None, self.popen.communicate()[1]
            assert time.monotonic() < deadline
            time.sleep(0.02)
        data = json.loads(path.read_text())
        assert data["pid"] == self.popen.pid
        return data["address"]

    def end(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        self.popen.send_signal(number)
        _, text = self.popen.communicate(timeout=60)
        return self.popen.returncode, text


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Process]:
    process = Process(tmp_path / "state")
    yield process
    if process.popen.poll() is None:
        process.popen.kill()
    process.popen.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_until_it_is_told_to_stop(process: Process, number: signal.Signals) -> None:
    address = process.address()
    token = (process.state / "token").read_text().strip()
    with grpc.insecure_channel(address) as channel:
        answer = health_pb2_grpc.HealthStub(channel).Check(
            health_pb2.HealthCheckRequest(), timeout=20
        )
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
        metadata = (("authorization", f"Bearer {token}"),)
        request = pb.ListJobsRequest(parent="namespaces/-")
        assert not TunerServiceStub(channel).ListJobs(request, metadata=metadata, timeout=20).jobs
        # Nobody answers at the dashboard's address, which is no reason to fail.
        status = TunerServiceStub(channel).GetClusterStatus(
            pb.GetClusterStatusRequest(), metadata=metadata, timeout=60
        )
        assert not status.nodes or not status.problem
    status_code, text = process.end(number)
    assert status_code == 0
    assert "Traceback" not in text
    assert token not in text
    assert not (process.state / "coordinator.json").exists()


def test_two_dont_share_a_state_folder_or_a_port(process: Process, tmp_path: Path) -> None:
    address = process.address()
    second = Process(process.state)
    _, text = second.popen.communicate(timeout=60)
    assert second.popen.returncode == 1
    assert "another coordinator has the state folder" in text
    assert process.address() == address
    third = Process(tmp_path / "other", TUNER_COORDINATOR_LISTEN=address)
    _, text = third.popen.communicate(timeout=60)
    assert third.popen.returncode == 1
    assert "TUNER_COORDINATOR_LISTEN" in text
    assert "Traceback" not in text


def test_wrong_settings_are_told_in_a_line(tmp_path: Path) -> None:
    process = Process(tmp_path, TUNER_COORDINATOR_MAX_RUNNING_JOBS="many")
    _, text = process.popen.communicate(timeout=60)
    assert process.popen.returncode == 2
    assert text.startswith("TUNER_COORDINATOR_MAX_RUNNING_JOBS: ")
    process = Process(tmp_path, TUNER_COORDINATOR_LISTEN="0.0.0.0:0")
    _, text = process.popen.communicate(timeout=60)
    assert process.popen.returncode == 2
    assert text.startswith("listen is '0.0.0.0:0'")


@pytest.mark.parametrize(("argument", "status"), [("--help", 0), ("--insecure", 2)])
def test_an_argument_starts_nothing(tmp_path: Path, argument: str, status: int) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "services.coordinator", argument],
        env=os.environ | {"TUNER_COORDINATOR_STATE_DIR": str(tmp_path / "state")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == status
    assert "takes no arguments" in done.stderr
    assert not (tmp_path / "state").exists()


def test_it_imports_neither_learners_nor_torch_nor_ray() -> None:
    code = (
        "import sys, services.coordinator.__main__\n"
        "bad = [m for m in sys.modules if m.split('.')[0] in ('ray', 'torch', 'sklearn', 'optuna')"
        " or m.startswith(('tuner.learners', 'tuner.search', 'tuner.trials'))]\n"
        "print(bad)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    assert answer.stdout.strip() == "[]"


def test_importing_the_ray_client_brings_no_tune() -> None:
    code = (
        "import sys, services.coordinator.ray_client\n"
        "print([m for m in sys.modules if m.startswith('ray.tune') or m == 'torch'])"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    assert answer.stdout.strip() == "[]"
