"""The deployment for real: built, brought up, given jobs from outside, and taken down.

Runs against the engine that DOCKER_HOST names. Where no registry can be reached, the base image
has to be there before.
"""

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tuner.client import Client
from tuner.jobs import JobState
from tuner.record import Measurement, Outcome

ROOT = Path(__file__).parents[2]
PROJECT = "tuner-engine-test"
HEALTHY_SECONDS = 300.0
JOB_SECONDS = 600.0

pytestmark = [
    pytest.mark.engine,
    # The first test's time has the build in it, which downloads a gigabyte.
    pytest.mark.timeout(2400),
    pytest.mark.skipif("DOCKER_HOST" not in os.environ, reason="DOCKER_HOST names no engine"),
]

SPEC = {
    "dataset": "digits",
    "margin": 0.02,
    "searches": [
        {"learner": "cnn", "axis": "depth", "levels": [1, 2, 4]},
        {"learner": "forest", "axis": "trees", "levels": [1, 4, 16, 64]},
    ],
    "tuning": {"trials": 4, "generation": 4},
    "measuring": {"min_replicates": 4, "max_replicates": 6, "batch": 2},
}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Deployment:
    """A project of compose of its own: own name, tokens, ports and volumes."""

    def __init__(self, folder):
        self.env_file = folder / "env"
        subprocess.run([ROOT / "deploy" / "init-env", self.env_file], check=True)
        self.dashboard = f"127.0.0.1:{free_port()}"
        self.address = f"127.0.0.1:{free_port()}"
        with self.env_file.open("a", encoding="utf-8") as file:
            for name, address in (
                ("TUNER_PORT", self.address),
                ("TUNER_DASHBOARD_PORT", self.dashboard),
            ):
                file.write(f"{name}={address.rpartition(':')[2]}\n")
            file.write("TUNER_WORKERS=2\nTUNER_WORKER_CPUS=1\nTUNER_IMAGE=tuner:engine-test\n")
        lines = self.env_file.read_text(encoding="utf-8").splitlines()
        self.made = dict(line.split("=", 1) for line in lines if not line.startswith("#"))
        # What this machine's environment names would win over the file.
        self.environment = {k: v for k, v in os.environ.items() if k not in self.made}

    def compose(self, *arguments):
        command = ["docker-compose"] if shutil.which("docker-compose") else ["docker", "compose"]
        return self._run(
            *command,
            *("--project-directory", str(ROOT), "--file", str(ROOT / "docker-compose.yml")),
            *("--env-file", str(self.env_file), "--project-name", PROJECT),
            *arguments,
        )

    def docker(self, *arguments):
        return self._run("docker", *arguments)

    def _run(self, *command):
        result = subprocess.run(
            command, env=self.environment, check=False, capture_output=True, text=True
        )
        assert result.returncode == 0, f"{' '.join(command)}\n{result.stdout}\n{result.stderr}"
        return result.stdout

    def containers(self, service=""):
        """Returns what the engine says of each container of the project, or of one service."""
        ids = self.compose("ps", "-q", *([service] if service else [])).split()
        return json.loads(self.docker("inspect", *ids)) if ids else []

    def await_health(self):
        deadline = time.monotonic() + HEALTHY_SECONDS
        while True:
            health = {c["Name"]: c["State"]["Health"]["Status"] for c in self.containers()}
            if set(health.values()) == {"healthy"}:
                return health
            if time.monotonic() > deadline:
                raise AssertionError(f"{health}\n{self.compose('logs', '--tail=40')}")
            time.sleep(1.0)

    def client(self):
        return Client(self.address, self.made["TUNER_TOKEN"])


@pytest.fixture(scope="module")
def deployment(tmp_path_factory):
    deployment = Deployment(tmp_path_factory.mktemp("compose"))
    deployment.compose("build")
    try:
        deployment.compose("up", "-d")
        deployment.await_health()
        yield deployment
    finally:
        deployment.compose("down", "--volumes")


@pytest.fixture(scope="module")
def undisturbed(deployment):
    """A job that nothing happened to."""
    with deployment.client() as client:
        job = client.submit({**SPEC, "name": "undisturbed"})
        return job.result(JOB_SECONDS), job.measurements()


def record(measurements):
    """Returns the equal part of equal records; ids differ, as the job's name is in them."""
    return {(m.search, m.phase, m.level, m.setting, m.replicate): m.scores for m in measurements}


def test_four_containers_run_the_image_as_a_user_without_privileges(deployment):
    containers = deployment.containers()
    assert len(containers) == 4
    assert {c["Config"]["User"] for c in containers} == {"tuner"}
    assert len({c["Image"] for c in containers}) == 1
    labels = containers[0]["Config"]["Labels"]
    assert labels["org.opencontainers.image.title"] == "tuner"


def test_the_image_holds_no_token(deployment):
    image = deployment.docker("image", "inspect", "tuner:engine-test")
    history = deployment.docker("history", "--no-trunc", "tuner:engine-test")
    for name in ("TUNER_TOKEN", "RAY_AUTH_TOKEN"):
        assert deployment.made[name] not in image + history


def test_the_dashboard_wants_the_token(deployment):
    url = f"http://{deployment.dashboard}/api/jobs/"
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(url, timeout=30)
    assert refused.value.code == 401
    bearer = {"Authorization": f"Bearer {deployment.made['RAY_AUTH_TOKEN']}"}
    with urllib.request.urlopen(urllib.request.Request(url, headers=bearer), timeout=30) as page:
        assert page.status == 200


def test_the_coordinator_sees_both_workers_and_no_work_on_the_head(deployment):
    with deployment.client() as client:
        nodes = [n for n in client.cluster_status().nodes if n.alive]
    assert sorted(n.cpus for n in nodes) == [0.0, 1.0, 1.0]


def test_a_job_from_outside_comes_back_with_its_verdicts(undisturbed):
    result, measurements = undisturbed
    assert result.job.state is JobState.SUCCEEDED
    assert result.curves["cnn/depth"].verdict is not None
    assert result.curves["forest/trees"].verdict is not None
    assert {m.outcome for m in measurements} == {Outcome.COMPLETED}


def test_a_worker_killed_in_mid_job_changes_nothing_in_the_record(deployment, undisturbed):
    with deployment.client() as client:
        job = client.submit({**SPEC, "name": "disturbed"})
        seen = 0
        for event in job.watch():
            seen += isinstance(event.what, Measurement)
            if seen == 10:
                break
        workers = [c["Id"] for c in deployment.containers("ray-worker")]
        (other,) = [w for w in workers if "services.runner" not in deployment.docker("top", w)]
        deployment.docker("kill", "--signal", "KILL", other)
        result = job.result(JOB_SECONDS)
        assert result.job.state is JobState.SUCCEEDED
        assert record(job.measurements()) == record(undisturbed[1])
    # What the engine is told to kill it doesn't restart by itself.
    deployment.docker("start", other)
    deployment.await_health()


def test_jobs_outlive_the_coordinators_container(deployment, undisturbed):
    deployment.compose("up", "-d", "--force-recreate", "--no-deps", "coordinator")
    deployment.await_health()
    with deployment.client() as client:
        job = client.get_job(undisturbed[0].job.name)
        assert job.state is JobState.SUCCEEDED
        assert record(job.measurements()) == record(undisturbed[1])
