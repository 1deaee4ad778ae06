"""A coordinator in a process of its own, on a cluster that runs nothing.

    python -m benchmarks.load.server

It is set up by the environment like the real one. Each driver that it would have started is a
line of JSON on its output instead, with the enrolment code, so that a load generator can be
that job's runner.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from pathlib import Path

from services.coordinator.gateway import ClusterState, Driver, DriverState, Submission
from services.coordinator.logging_setup import set_up_logging
from services.coordinator.server import Coordinator
from services.coordinator.settings import Settings
from services.coordinator.threads import answer_promptly
from tuner.jobs import Node


class IdleCluster:
    """A cluster whose drivers run for ever and do nothing."""

    async def submit(self, submission: Submission) -> None:
        line = {"job": str(submission.job), "code": submission.code}
        print(json.dumps(line), flush=True)

    async def state(self, submission_id: str) -> Driver | None:
        return Driver(DriverState.RUNNING)

    async def stop(self, submission_id: str) -> None:
        pass

    async def logs(self, submission_id: str) -> str | None:
        return ""

    async def tail(self, submission_id: str) -> AsyncGenerator[str, None]:
        yield ""

    async def status(self) -> ClusterState:
        node = Node("n1", "10.0.0.1", 256, 0, alive=True)
        return ClusterState((node,), cpus=256, gpus=0, cpus_free=256, gpus_free=0)

    def close(self) -> None:
        pass


async def _serve(settings: Settings) -> None:
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    coordinator = Coordinator(settings, lambda _settings, _address: IdleCluster())
    await coordinator.start()
    await stopping.wait()
    await coordinator.stop()


class Served:
    """A coordinator that runs in another process.

    Attributes:
        pid: Its process.
        address: Where it listens.
        token: What clients show.
    """

    def __init__(self, popen: subprocess.Popen[str], folder: Path) -> None:
        self._popen = popen
        self.pid = popen.pid
        self._codes: dict[str, str] = {}
        path = folder / "coordinator.json"
        deadline = time.monotonic() + 60
        while not path.exists():
            assert popen.poll() is None, "the coordinator didn't start; its log tells why"
            assert time.monotonic() < deadline, "the coordinator takes longer than a minute"
            time.sleep(0.02)
        self.address: str = json.loads(path.read_text())["address"]
        self.token = (folder / "token").read_text().strip()

    def code(self, job: str) -> str:
        """Returns the enrolment code of a job's driver, once it was submitted."""
        assert self._popen.stdout is not None
        while job not in self._codes:
            line = json.loads(self._popen.stdout.readline())
            self._codes[line["job"]] = line["code"]
        return self._codes[job]

    def mebibytes(self) -> float:
        """Returns its resident memory."""
        status = Path(f"/proc/{self._popen.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
        return int(line.split()[1]) / 1024


def cpu_seconds(pid: int) -> float:
    """Returns the processor time that a process has taken, of all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def served(folder: Path, url: str, jobs: int) -> Iterator[Served]:
    """Yields a coordinator over a database that runs so many jobs at once.

    Leases are long: the load generators send no heartbeats.
    """
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TUNER_")}
    environment |= {
        "TUNER_COORDINATOR_STATE_DIR": str(folder),
        "TUNER_COORDINATOR_DATABASE_URL": url,
        "TUNER_COORDINATOR_LISTEN": "127.0.0.1:0",
        "TUNER_COORDINATOR_MAX_RUNNING_JOBS": str(jobs),
        "TUNER_COORDINATOR_LEASE_SECONDS": "86400",
        "TUNER_COORDINATOR_ENROLMENT_SECONDS": "86400",
        "TUNER_COORDINATOR_LOG_LEVEL": "warning",
    }
    command = [sys.executable, "-m", "benchmarks.load.server"]
    popen = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        yield Served(popen, folder)
    finally:
        popen.send_signal(signal.SIGTERM)
        popen.communicate(timeout=60)


def main() -> None:
    settings = Settings()
    set_up_logging(settings.log_level)
    answer_promptly()
    asyncio.run(_serve(settings))


if __name__ == "__main__":
    main()
