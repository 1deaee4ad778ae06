"""The client against the real coordinator, which here has no cluster: jobs stay queued."""

import json
import os
import socket
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from coordinator_double import make_spec

from tuner import Client, TunerError
from tuner.client import JobState
from tuner.client.endpoint import state_home
from tuner.errors import Status


def closed_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A coordinator in the state folder of this test, with nothing where Ray should be."""

    def __init__(self, log):
        self.listen = f"127.0.0.1:{closed_port()}"
        self.log = log
        self.process = None

    def start(self):
        environment = os.environ | {
            "TUNER_COORDINATOR_STATE_DIR": str(state_home()),
            "TUNER_COORDINATOR_LISTEN": self.listen,
            "TUNER_COORDINATOR_RAY_DASHBOARD": f"http://127.0.0.1:{closed_port()}",
        }
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "services.coordinator"], env=environment, stderr=log
            )
        deadline = time.monotonic() + 60
        while not self._up():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.05)

    def _up(self):
        try:
            state = json.loads((state_home() / "coordinator.json").read_text())
        except (FileNotFoundError, ValueError):
            return False
        return state["pid"] == self.process.pid

    def kill(self):
        self.process.kill()
        self.process.wait()


@pytest.fixture
def server(tmp_path):
    server = Server(tmp_path / "coordinator.log")
    server.start()
    yield server
    server.kill()


@pytest.fixture
def client(server, monkeypatch):
    monkeypatch.setenv("LOGNAME", "ada")
    with Client() as client:
        yield client


def test_a_job_is_made_found_listed_cancelled_and_removed(client):
    job = client.submit(make_spec(), job_id="mine")
    assert job.name == "namespaces/default/jobs/mine"
    assert client.get_job("mine").spec == make_spec()
    assert job.status.owner == "ada"
    assert [j.id for j in client.jobs()] == ["mine"]
    assert set(job.curves()) == {"cnn/depth", "forest/trees", "perceptron"}
    assert job.measurements() == job.trials() == job.plan() == []
    job.cancel()
    assert job.wait(30) is JobState.CANCELLED
    assert job.status.reason == "cancelled by ada"
    result = job.result()
    assert result.to_dict()["state"] == "CANCELLED"
    job.delete()
    assert list(client.jobs()) == []


def test_both_ends_judge_alike(client, monkeypatch):
    """A spec that slips past the client is refused by the coordinator with the same fields."""
    spec = make_spec()
    bad = spec.model_copy(update={"margin": 7.0})
    with pytest.raises(TunerError) as caught:
        client.submit(bad)
    assert caught.value.status is Status.INVALID_ARGUMENT
    assert [v.field for v in caught.value.violations] == ["margin"]


def test_local_data_is_there_for_the_job_and_for_the_next(client, tmp_path):
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "small.npz", x=rng.normal(size=(40, 3)), y=np.arange(40) % 2)
    spec = make_spec(
        dataset=f"npz:{tmp_path / 'small.npz'}", searches=[{"learner": "forest"}], name="npz"
    )
    judged = client.submit(spec, validate_only=True)
    assert judged.spec.dataset.source == "npz"
    assert list(client.jobs()) == []
    first, second = client.submit(spec), client.submit(spec)
    assert first.spec.dataset == second.spec.dataset
    assert first.spec.dataset.files[0].name == "small.npz"
    assert first.id != second.id


def test_errors_of_the_real_coordinator_keep_status_and_reason(client, server):
    with pytest.raises(TunerError) as caught:
        client.get_job("nope")
    assert caught.value.status is Status.NOT_FOUND
    with Client(server.listen, "wrong") as stranger, pytest.raises(TunerError) as caught:
        stranger.cluster_status()
    assert caught.value.status is Status.UNAUTHENTICATED
    assert "127.0.0.1" in client.cluster_status().dashboard_address
    assert client.cluster_status().problem


def test_watch_survives_the_coordinators_death_without_gap_or_repeat(client, server):
    job = client.submit(make_spec())
    seen = []
    watcher = threading.Thread(target=lambda: seen.extend(job.watch()), daemon=True)
    watcher.start()
    deadline = time.monotonic() + 30
    while not seen and time.monotonic() < deadline:
        time.sleep(0.01)
    assert seen
    server.kill()
    server.start()
    with Client() as other:
        other.get_job(job.id).cancel()
    watcher.join(60)
    assert not watcher.is_alive()
    last = client.get_job(job.id).status.last_sequence
    assert [e.sequence for e in seen] == list(range(1, last + 1))
    assert job.state is JobState.CANCELLED
