"""How long two coordinators on one PostgreSQL are without a leader, and what callers notice.

Real processes on this machine, durable writes, a scripted runner that records twice a second,
and a client that asks for its job ten times a second. Run from the repository's root:

    python benchmarks/takeover.py [--rounds 5]
"""

from __future__ import annotations

import argparse
import signal
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "coordinator"))

from several_coordinators import House, Process, until

from tests.coordinator.store.postgres_server import PostgresServer, server
from tuner.errors import TunerError

WAYS: dict[str, Callable[[Process], object]] = {
    "killed (SIGKILL)": lambda leader: leader.end(signal.SIGKILL),
    "frozen (SIGSTOP)": lambda leader: leader.send(signal.SIGSTOP),
    "stopped (SIGTERM)": lambda leader: leader.send(signal.SIGTERM),
}


class Asking:
    """A client in a thread, which notes when it was answered."""

    def __init__(self, job: Any) -> None:
        self._job = job
        self._end = threading.Event()
        self.answers: list[float] = []
        self.failures = 0
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._end.wait(0.1):
            try:
                self._job.refresh()
            except TunerError:
                self.failures += 1
            else:
                self.answers.append(time.monotonic())

    def stop(self) -> float:
        """Returns the longest pause between two answers."""
        self._end.set()
        self._thread.join()
        return longest(self.answers)


def longest(times: list[float]) -> float:
    return max((b - a for a, b in pairwise(times)), default=0.0)


def one_round(postgres: PostgresServer, away: Callable[[Process], object]) -> tuple[float, ...]:
    """Returns seconds without a leader, the runner's longest pause, and the client's."""
    with tempfile.TemporaryDirectory() as folder:
        house = House(Path(folder), postgres.new_database())
        try:
            leader, follower = house.start().coordinators
            job = house.submit()
            runner = house.runner(job.name)
            runner.goes_on(20)
            asking = Asking(job)
            until(lambda: asking.answers, 10)
            began = time.monotonic()
            away(leader)
            until(lambda: follower.leads, 60)
            took = time.monotonic() - began
            runner.goes_on(60)
            paused = asking.stop()
            if asking.failures or runner.error or job.refresh().attempt != 1:
                raise RuntimeError(f"somebody noticed: {asking.failures} {runner.error}")
            return took, runner.longest_pause(), paused
        finally:
            house.close()


def main() -> None:
    """Prints a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    print("| the leader is | no leader (s) | longest pause of a runner (s) | of a client (s) |")
    print("|---|---|---|---|")
    with server(durable=True) as postgres:
        for name, away in WAYS.items():
            found = [one_round(postgres, away) for _ in range(rounds)]
            cells = [
                f"{statistics.median(column):.1f}, at most {max(column):.1f}"
                for column in zip(*found, strict=True)
            ]
            print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
