"""A job whose packet broker dies, on real Ray: it ends with the reason, and its lease holds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.ray_head import ENVIRONMENT, ray_head

pytestmark = pytest.mark.slow

DRIVER = """
import json, sys, threading, time
import ray
from ray.util import placement_group_table
from services.runner.assignment import Assignment
from services.runner.measuring import Loads, Measuring, Parts
from services.runner.narration import Narrator
from services.runner.orders import Order, Orders
from services.runner.pulse import Halt, Pulse
from services.runner.transfer import Kept
from tuner.datasets import registry
from tuner.spec import JobSpec
from tuner.v1 import runner_service_pb2 as pb

class Link:
    attempt, heartbeat_seconds = 1, 0.05
    def __init__(self):
        self.beats, self.waiting = 0, threading.Event()
    def heartbeat(self, load):
        self.beats += 1
        if load.waiting:
            self.waiting.set()
        return Order(pb.DIRECTIVE_CONTINUE, 0)
    def commit(self, step):
        pass
    def record(self, measurements, attempts, surplus):
        pass
    def store_predictions(self, content):
        return "0" * 64

def until(met, limit=60.0):
    end = time.monotonic() + limit
    while not met() and time.monotonic() < end:
        time.sleep(0.05)
    return met()

@ray.remote(num_cpus=1)
class Full:
    def here(self):
        return True

ray.init(address=sys.argv[1], logging_level="ERROR", log_to_driver=False)
other = Full.remote()
ray.get(other.here.remote())
spec = JobSpec.parse({
    "dataset": "digits", "margin": 0.02, "baseline": None,
    "searches": [{"learner": "simulated", "axis": "depth", "levels": [1, 2]}],
})
link, halt, orders, loads = Link(), Halt(), Orders(), Loads()
narrator = Narrator({}, sys.stderr)
pulse = Pulse(link, halt, loads.load, orders, narrator.say, 60.0)
assignment = Assignment(spec, (), 0, 0.0, 0.0, [], [], [])
parts = Parts(link, halt, orders, narrator, loads)
job = "namespaces/default/jobs/bereft"
measuring = Measuring(job, assignment, registry.load("digits"), {}, Kept(), parts)

def end_the_broker():
    pending = lambda: any(g["state"] == "PENDING" for g in placement_group_table().values())
    if link.waiting.wait(60.0) and until(pending):
        ray.kill(loads.broker.handle)

threading.Thread(target=end_the_broker, daemon=True).start()
try:
    measuring.run()
except ray.exceptions.RayActorError:
    pass
before = link.beats
beats = until(lambda: link.beats > before + 1, 10.0)
print(json.dumps({
    "reason": halt.reason, "beats": beats, "threads": [t.name for t in threading.enumerate()],
}), flush=True)
pulse.close()
"""


def test_it_ends_though_its_slots_wait_for_room_on_a_full_cluster():
    environment = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")}
    with ray_head(1) as head:
        ended = subprocess.run(
            [sys.executable, "-c", DRIVER, head.address],
            env=environment | ENVIRONMENT,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            cwd=Path(__file__).parents[2],
        )
    lines = [line for line in ended.stdout.splitlines() if line.startswith("{")]
    assert lines, ended.stderr[-3000:]
    said = json.loads(lines[-1])
    assert "The actor died" in said["reason"]
    assert said["beats"], "the lease ran out before the last word"
    assert not {"planner", "rounds", "recorder"} & {*said["threads"]}
