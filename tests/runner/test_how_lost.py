"""How a slot's worker was lost is told apart; how long a packet may take follows from its spec."""

import ray.exceptions

from services.runner.cluster import (
    STALL_GRACE_SECONDS,
    STALL_GRACE_SHARE,
    allowed,
    how_lost,
)
from tuner.record import Packet, Phase
from tuner.spec import JobSpec
from tuner.trials.work import Loss


def test_a_node_without_memory_a_dead_worker_and_a_broken_slot_are_told_apart():
    text, loss = how_lost(ray.exceptions.OutOfMemoryError("Task was killed due to the node"))
    assert loss is Loss.MEMORY
    assert text.startswith("its node had too little memory")
    text, loss = how_lost(ray.exceptions.ActorDiedError())
    assert loss is Loss.DIED
    assert text.startswith("the slot's worker died: ")
    broken = ray.exceptions.RayTaskError("setup", "Traceback ...", RuntimeError("torch sees none"))
    assert how_lost(broken) == ("the slot broke: torch sees none", Loss.DIED)
    assert how_lost(None) == ("the slot's worker died", Loss.DIED)


def test_a_packet_may_take_its_time_and_that_of_its_conditions():
    spec = {
        "dataset": "digits",
        "margin": 0.02,
        "searches": [{"learner": "cnn", "axis": "depth", "levels": [1, 2]}],
        "resources": {"packet_timeout_seconds": 100.0},
        "baseline": None,
    }
    packet = Packet("s:1:0", Phase.MEASURING, ((),), (1,), (0, 1, 2))
    bare = allowed(JobSpec.parse(spec))["cnn/depth"].seconds(packet)
    assert bare == 100 + STALL_GRACE_SECONDS + 100 * STALL_GRACE_SHARE
    spec["robustness"] = {"conditions": ["noise:3", "label_noise:0.2"]}
    bearing = allowed(JobSpec.parse(spec))["cnn/depth"].seconds(packet)
    # Once for each spoilt training set, for each member's model and for what that bears.
    assert bearing >= bare + 100 + 3 * 200
