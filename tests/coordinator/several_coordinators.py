"""Coordinators as processes on one database, and a runner that computes whatever they do."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from coordinator_harness import TOKEN, a_row, a_spec, a_step

from services.runner.link import CoordinatorLink
from tests.health import serves
from tests.ray_head import free_ports
from tuner.client import Client
from tuner.errors import TunerError
from tuner.trials.work import Load

SCRIPT = Path(__file__).with_name("scripted_coordinator.py")


def until(condition: Callable[[], Any], seconds: float) -> float:
    """Waits until the condition holds; returns for how long."""
    begin = time.monotonic()
    while not condition():
        assert time.monotonic() < begin + seconds, f"it never came true in {seconds} s"
        time.sleep(0.05)
    return time.monotonic() - begin


@dataclass
class Process:
    """One coordinator, at an address that outlives it."""

    folder: Path
    settings: dict[str, str]
    port: int = field(default_factory=lambda: free_ports(1)[0])
    popen: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    def start(self) -> Process:
        self.folder.mkdir(exist_ok=True)
        environment = {k: v for k, v in os.environ.items() if not k.startswith("TUNER_")}
        environment |= {
            "TUNER_COORDINATOR_STATE_DIR": str(self.folder / "state"),
            "TUNER_COORDINATOR_LISTEN": self.address,
            "TUNER_TOKEN": TOKEN,
            **self.settings,
        }
        with (self.folder / "log").open("ab") as log:
            self.popen = subprocess.Popen([sys.executable, SCRIPT], env=environment, stderr=log)
        return self

    def send(self, number: signal.Signals) -> None:
        assert self.popen is not None
        self.popen.send_signal(number)

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        assert self.popen is not None
        self.popen.send_signal(number)
        return self.popen.wait(30)

    def serves(self, service: str = "tuner.v1.TunerService") -> bool:
        return serves(self.address, service)

    @property
    def leads(self) -> bool:
        return self.serves("tuner.v1.Scheduler")


class Runner:
    """Enrols, and from then on records a measurement with every heartbeat, in a thread."""

    def __init__(self, address: str, job: str, code: str) -> None:
        self._link = CoordinatorLink(address, job, patience_seconds=120)
        self._job = job
        self._link.enrol(code)
        self._link.commit(a_step())
        self._end = threading.Event()
        self.beats: list[float] = []
        self.recorded = 0
        self.error: TunerError | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            while not self._end.wait(0.5):
                self._link.heartbeat(Load(busy=1))
                self._link.record([a_row(self._job, replicate=self.recorded)], [])
                self.recorded += 1
                self.beats.append(time.monotonic())
        except TunerError as error:
            self.error = error

    def goes_on(self, seconds: float) -> float:
        """Waits for the next two beats; returns how long they took."""
        seen = len(self.beats)
        return until(lambda: len(self.beats) > seen + 1, seconds)

    def longest_pause(self) -> float:
        return max(b - a for a, b in pairwise(self.beats))

    def close(self) -> None:
        self._end.set()
        self._link.close()
        self._thread.join(10)


class House:
    """Some coordinators of one database and one cluster, a client of them all, and runners."""

    def __init__(self, folder: Path, url: str, count: int = 2) -> None:
        cluster = folder / "cluster"
        cluster.mkdir()
        self._cluster = cluster
        common = {
            "TUNER_COORDINATOR_ARTIFACTS_DIR": str(folder / "artifacts"),
            "SCRIPTED_CLUSTER": str(cluster),
        }
        if url:
            common["TUNER_COORDINATOR_DATABASE_URL"] = url
        self.coordinators = [Process(folder / f"c{i}", common) for i in range(count)]
        self.address = ",".join(c.address for c in self.coordinators)
        self._runners: list[Runner] = []
        self.client = Client(self.address, TOKEN)

    def start(self) -> House:
        """Starts them in order, so that the first leads."""
        for process in self.coordinators:
            process.start()
            until(process.serves, 30)
            until(lambda: any(c.leads for c in self.coordinators), 30)
        return self

    def submit(self) -> Any:
        return self.client.submit(a_spec())

    def runner(self, job: str, seconds: float = 20.0) -> Runner:
        """The runner of the job's latest driver, once there is one."""
        found: list[dict[str, str]] = []

        def there() -> bool:
            drivers = [p for p in self._cluster.iterdir() if p.suffix != ".part"]
            told = [json.loads(p.read_text()) for p in sorted(drivers)]
            found[:] = [d for d in told if d["job"] == job and "state" not in d]
            return bool(found)

        until(there, seconds)
        self._runners.append(Runner(self.address, job, found[-1]["code"]))
        return self._runners[-1]

    def close(self) -> None:
        for runner in self._runners:
            runner.close()
        self.client.close()
        for process in self.coordinators:
            if process.popen is not None and process.popen.poll() is None:
                process.popen.kill()
                process.popen.wait(30)
