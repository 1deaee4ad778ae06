"""Slots on real Ray, of two nodes: shares up and down, nodes kept off, workers that hang."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.ray_head import ENVIRONMENT, ray_head

pytestmark = pytest.mark.slow

DRIVER = """
import json, os, sys, threading, time
import ray
from services.runner import cluster
from services.runner.broker import Broker
from services.runner.narration import Narrator
from tuner.datasets import registry
from tuner.spec import JobSpec
from tuner.record import Packet, Phase
from tuner.trials.slots import SlotSearcher
from tuner.trials.work import Allowed, Task

address, seconds = sys.argv[1], float(sys.argv[2])
ray.init(address=address, logging_level="ERROR", log_to_driver=False)
while len([n for n in ray.nodes() if n["Alive"]]) < 2:
    time.sleep(0.1)
spec = JobSpec.parse({
    "dataset": "digits", "margin": 0.02, "baseline": None,
    "searches": [{"learner": "simulated", "axis": "depth", "levels": [1, 2]}],
})
job = "namespaces/default/jobs/slots"
data = registry.load("digits")
broker, searcher, over = Broker("test"), SlotSearcher(2), threading.Event()
thread = threading.Thread(target=lambda: command())
held, count = {}, [0]

def offer(n):
    setting = (("learning_rate", 0.01), ("seconds", seconds))
    tasks = []
    for _ in range(n):
        count[0] += 1
        packet = Packet(f"s:1:{count[0]}", Phase.TUNING, (setting,), (1,), (count[0] % 3,))
        tasks.append(Task(packet, job, "simulated/depth", "simulated", "depth"))
    broker.offer(tasks)

def say(**more):
    print(json.dumps(more), flush=True)

def until(met, limit=60.0):
    end = time.monotonic() + limit
    while not met():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True

def command():
    for line in sys.stdin:
        what = json.loads(line)
        if "steer" in what:
            share, avoided = what["steer"]
            searcher.share, searcher.avoided = share, tuple(avoided)
            broker.steer(share, avoided)
        elif "offer" in what:
            offer(what["offer"])
        elif "held" in what:
            want = what["held"]
            ok = until(lambda: sorted(broker.load().held.values()) == want)
            say(ok=ok, held=dict(broker.load().held))
        elif "collect" in what:
            got = []
            until(lambda: got.extend(broker.collect(0.2)) or len(got) >= what["collect"])
            say(reports=[[r.node, r.outcome, r.loss, r.error, r.task.packet.id] for r in got])
        elif "pids" in what:
            actors = ray.get(broker.handle.workers.remote())
            say(pids=ray.get([a.__ray_call__.remote(lambda self: os.getpid()) for a in actors]))
        elif "overdue" in what:
            allowed = {"simulated/depth": Allowed(what["overdue"])}
            late = []
            until(lambda: late.extend(broker.end_overdue(allowed)) or late)
            say(late=late)
        elif "end" in what:
            broker.close(); searcher.close(); over.set()
            return
thread.start()
say(nodes=[n["NodeID"] for n in ray.nodes()])
cluster.run_slots(spec, job, data, broker, searcher, over)
say(ended=True)
"""


class Driver:
    """A process that runs slots, told what to do line by line."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def tell(self, **what: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(what) + "\n")
        self._process.stdin.flush()

    def hear(self) -> dict:
        assert self._process.stdout is not None
        while line := self._process.stdout.readline():
            if line.startswith("{"):
                return json.loads(line)
        raise AssertionError("the driver ended")

    def ask(self, **what: object) -> dict:
        self.tell(**what)
        return self.hear()


@contextmanager
def two_nodes() -> Iterator[str]:
    """Starts a head of one core and a second node of one."""
    with ray_head(1) as head:
        environment = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")}
        ray = str(Path(sys.executable).parent / "ray")
        arguments = [
            ray, "start", f"--address={head.address}", "--block", "--num-cpus=1",
            "--disable-usage-stats", "--node-ip-address=127.0.0.1",
        ]  # fmt: skip
        deadline = time.monotonic() + 60
        while True:
            second = subprocess.Popen(
                arguments,
                env=environment | ENVIRONMENT,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            try:
                second.wait(3)
            except subprocess.TimeoutExpired:
                break  # it runs
            assert time.monotonic() < deadline, "the head isn't up"
        try:
            yield head.address
        finally:
            second.send_signal(signal.SIGTERM)
            second.wait(60)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with two_nodes() as address:
        yield address


@contextmanager
def driver(address: str, seconds: float) -> Iterator[Driver]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")}
    process = subprocess.Popen(
        [sys.executable, "-c", DRIVER, address, str(seconds)],
        env=environment | ENVIRONMENT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    try:
        yield Driver(process)
    finally:
        process.kill()
        process.communicate(timeout=30)


def test_the_share_goes_up_and_down_and_avoided_nodes_are_left(address: str):
    with driver(address, 0.5) as run:
        nodes = run.hear()["nodes"]
        run.tell(steer=[2, []])
        assert run.ask(held=[1, 1])["ok"]
        run.tell(offer=4)
        # Less: one ends with its packet, and none of the packets is lost.
        run.tell(steer=[1, []])
        assert run.ask(held=[1])["ok"]
        reports = run.ask(collect=4)["reports"]
        assert [r[1] for r in reports] == ["COMPLETED"] * 4
        # More again.
        run.tell(steer=[2, []])
        assert run.ask(held=[1, 1])["ok"]
        # Off one node, and nothing new there, though a slot more is asked for.
        for bad, good in (nodes, nodes[::-1]):
            run.tell(steer=[2, [bad]])
            held = run.ask(held=[1])
            while set(held["held"]) != {good}:
                held = run.ask(held=[1])
            run.tell(offer=3)
            assert {r[0] for r in run.ask(collect=3)["reports"]} == {good}
        run.tell(steer=[2, []])
        assert run.ask(held=[1, 1])["ok"]
        # It ends though a slot more waits for room that isn't there.
        run.tell(steer=[5, []])
        time.sleep(1.5)
        began = time.monotonic()
        assert run.ask(end=True) == {"ended": True}
        assert time.monotonic() - began < 15


def test_a_worker_that_is_stopped_is_ended_and_its_packet_lost(address: str):
    with driver(address, 0.2) as run:
        run.hear()
        assert run.ask(held=[1, 1])["ok"]
        frozen = run.ask(pids=True)["pids"][0]
        os.kill(frozen, signal.SIGSTOP)
        try:
            run.tell(offer=4)
            late = run.ask(overdue=3.0)["late"]
            assert len(late) == 1
            reports = run.ask(collect=4)["reports"]
            lost = [r for r in reports if r[1] == "LOST"]
            assert [r[2] for r in lost] == ["STALLED"]
            # The slot is replaced, the frozen process ended.
            assert run.ask(held=[1, 1])["ok"]
            end = time.monotonic() + 60
            while Path(f"/proc/{frozen}").exists():
                assert time.monotonic() < end, "the frozen worker lives on"
                time.sleep(0.2)
        finally:
            with suppress(ProcessLookupError):  # as it should be
                os.kill(frozen, signal.SIGCONT)
        run.ask(end=True)
