"""A real stack for the end-to-end tests: Ray, coordinator, CLI, each a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tuner import Client, JobSpec
from tuner.client import Job
from tuner.record import Measurement

DIGITS = JobSpec(
    dataset="digits",
    margin=0.1,
    searches=[
        {"learner": "cnn", "axis": "depth", "levels": (1, 2, 4), "space": {"epochs": 2}},
        {"learner": "cnn", "axis": "filters", "levels": (4, 8, 16), "space": {"epochs": 2}},
        {"learner": "forest", "axis": "trees", "levels": (1, 4, 16, 64)},
    ],
    tuning={"trials": 2, "generation": 2},
    measuring={"min_replicates": 4, "max_replicates": 6},
)
"""The shape of the issue's example, smaller."""

_LIST_ACTORS = """
import json, sys
from ray.util.state import list_actors
actors = list_actors(sys.argv[1], filters=[("state", "=", "ALIVE")], detail=True)
print(json.dumps([{"name": a.repr_name, "pid": a.pid} for a in actors]))
"""


@dataclass
class Stack:
    """An embedded stack in a home of its own."""

    home: Path

    def tuner(self, *arguments: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """Runs the command line as a person would."""
        return subprocess.run(
            [sys.executable, "-m", "tuner.cli", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    @property
    def environment(self) -> dict[str, str]:
        # What a person's shell doesn't have: other stacks' names, and tests/conftest.py's thread.
        ours = ("TUNER_", "RAY_", "OMP_NUM_THREADS")
        kept = {k: v for k, v in os.environ.items() if not k.startswith(ours)}
        return {**kept, "TUNER_HOME": str(self.home), "RAY_USAGE_STATS_ENABLED": "0"}

    def up(self) -> None:
        done = self.tuner("up", "--cpus", "2")
        assert done.returncode == 0, done.stderr

    def name_in(self, patch: pytest.MonkeyPatch) -> None:
        """Has this process's environment name this stack and no other."""
        for name in ("TUNER_ADDRESS", "TUNER_TOKEN"):
            patch.delenv(name, raising=False)
        patch.setenv("TUNER_HOME", str(self.home))

    def client(self) -> Client:
        return Client()

    def actors(self, dashboard: str) -> list[dict[str, Any]]:
        """Lists the cluster's living actors as the dashboard shows them.

        In a process of its own, for Ray reads its token's settings once, when imported.
        """
        token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(self.home / "ray-token")}
        done = subprocess.run(
            [sys.executable, "-c", _LIST_ACTORS, dashboard],
            env={**self.environment, **token},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        actors: list[dict[str, Any]] = json.loads(done.stdout)
        return actors

    def find(self, *words: str, environment: str = "") -> int:
        """Returns the one process of this stack whose command line holds the words."""
        found = [
            pid
            for pid in (int(p.name) for p in Path("/proc").iterdir() if p.name.isdigit())
            if _holds(pid, words, environment or str(self.home))
        ]
        assert len(found) == 1, f"{len(found)} processes match {words}"
        return found[0]

    def kill(self, *words: str, environment: str = "") -> int:
        """SIGKILLs that process."""
        found = self.find(*words, environment=environment)
        os.kill(found, signal.SIGKILL)
        return found


def _holds(pid: int, words: tuple[str, ...], environment: str) -> bool:
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
        variables = Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace")
    except OSError:
        return False
    return all(word in command for word in words) and environment in variables


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    stack = Stack(tmp_path_factory.mktemp("e2e") / "home")
    try:
        stack.up()
        yield stack
    finally:
        stack.tuner("down")


@pytest.fixture(scope="session")
def digits_id(stack: Stack) -> str:
    """The id of a job on DIGITS that has succeeded: it takes longer than what is asked of it."""
    with pytest.MonkeyPatch.context() as patch:
        stack.name_in(patch)
        with stack.client() as client:
            job = client.submit(DIGITS)
            assert job.wait() == "SUCCEEDED", job.status.reason
            return job.id


@pytest.fixture
def digits_job(client: Client, digits_id: str) -> Job:
    """A job on DIGITS that has succeeded, which tests read and leave as it is."""
    return client.get_job(digits_id)


@pytest.fixture
def client(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    stack.name_in(monkeypatch)
    with stack.client() as client:
        yield client


def wait_until(job: Job, met: Callable[[object], bool], after: int = 0) -> int:
    """Watches until an event meets the condition; returns its sequence number."""
    for event in job.watch(after=after):
        if met(event.what):
            return event.sequence
    raise AssertionError("the job ended first")


def after_more(job: Job, sequence: int, count: int) -> int:
    """Waits for so many further measurements; returns the last one's sequence number."""
    seen: list[str] = []

    def enough(what: object) -> bool:
        if isinstance(what, Measurement):
            seen.append(what.id)
        return len(seen) >= count

    return wait_until(job, enough, sequence)
