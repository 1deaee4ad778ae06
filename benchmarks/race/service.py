"""This service's side: a real stack, and a job as `tuner run` submits it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from benchmarks.race.questions import is_nested, question
from benchmarks.race.result import Answer, Finish
from tuner.record import Measurement
from tuner.spec import JobSpec

WAY = "this service"


@contextmanager
def services(slots: int) -> Iterator[float]:
    """Yields how many seconds a coordinator and a Ray of so many cores took to come up."""
    with tempfile.TemporaryDirectory(prefix="tuner-race-") as home:
        os.environ["TUNER_HOME"] = home
        tuner = [sys.executable, "-m", "tuner.cli"]
        start = time.monotonic()
        subprocess.run([*tuner, "up", "--cpus", str(slots)], check=True, capture_output=True)
        try:
            yield time.monotonic() - start
        finally:
            subprocess.run([*tuner, "down"], check=True, capture_output=True)


def run(name: str, quick: bool, slots: int, isolated: Callable[..., Finish]) -> Finish:
    """Puts a question to the service, from a script of its own.

    Args:
        name: The question's name.
        quick: Whether to ask the small one.
        slots: Cores of its Ray.
        isolated: Calls a function in a fresh process.
    """
    with services(slots) as ray_seconds:
        return isolated(submit, name, quick, ray_seconds, time.time())


def submit(name: str, quick: bool, ray_seconds: float, began: float) -> Finish:
    """Submits the question to the coordinator that is up and waits for its verdicts.

    Args:
        name: The question's name.
        quick: Whether to ask the small one.
        ray_seconds: What its start took.
        began: `time.time()` when this process was asked for.
    """
    from tuner import Client

    spec = question(name, quick)
    with Client() as client:
        job = client.submit(spec)
        result = job.result()
        ended = time.time()
        if result.state != "SUCCEEDED":
            raise RuntimeError(f"the job ended as {result.state}: {result.job.reason}")
        rows = job.measurements()
    answers = []
    for search in spec.searches:
        curve, own = result.curves[search.key], [m for m in rows if m.search == search.key]
        if curve.verdict is None:
            raise RuntimeError(f"{search.key} has no verdict: {curve.state_reason}")
        levels = tuple(row.level for row in curve.levels if row.replicates)
        bill = sum(m.billed_device_seconds for m in own)
        answers.append(
            Answer.of(search.key, curve.verdict, levels, count_fits(spec, search.key, own), bill)
        )
    first = min(m.record_time.timestamp() for m in rows if m.record_time) - began
    return Finish(WAY, ended - began, ray_seconds, first, tuple(answers))


def count_fits(spec: JobSpec, key: str, rows: list[Measurement]) -> int:
    """Returns how many fits made a search's measurements: on a nested axis one scores many."""
    nested = is_nested(spec, key)
    return len({(m.packet, m.setting, m.replicate, 0 if nested else m.level) for m in rows})
