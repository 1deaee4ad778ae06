"""Single decisions: who gets what, in which order, and the sentences that say why."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.coordinator.scheduling.model import Account, Decision, Job, Rules, Shape, World
from services.coordinator.scheduling.policy import Policy
from tuner.queue import Quota

NODES = {"n1": Shape(4), "n2": Shape(4)}


def a_job(name: str, namespace: str = "a", **changes: object) -> Job:
    given = {"shape": Shape(1.0), "created": float(ord(name[-1])), **changes}
    return Job(name, namespace, **given)


def inside(name: str, namespace: str = "a", share: int = 1, **changes: object) -> Job:
    """A job that runs, and wants more than it has."""
    return a_job(name, namespace, admitted=True, share=share, **{"waiting": 50, **changes})


def decide(
    *jobs: Job, nodes: dict[str, Shape] | None = NODES, rules: Rules | None = None, **world: object
) -> Decision:
    return Policy(rules or Rules()).decide(World(1000.0, nodes, jobs, **world))


def quota(**changes: object) -> Account:
    return Account(Quota(**changes))


def test_one_job_gets_all_that_fits() -> None:
    found = decide(a_job("j1"))
    assert (found.admitted, found.shares, found.order) == (("j1",), {"j1": 8}, ())
    assert found.reasons == {"j1": "share 8 of 8"}
    assert decide(a_job("j1", limit=3)).shares == {"j1": 3}
    assert decide(a_job("j1", shape=Shape(3.0))).shares == {"j1": 2}


def test_nothing_at_all_is_decided_too() -> None:
    assert decide().shares == {}
    assert decide(nodes={}).shares == {}
    gone = decide(a_job("j1"), inside("j2", share=3), nodes={})
    assert (gone.admitted, gone.shares) == ((), {"j2": 3})
    assert gone.reasons["j1"] == "waits for a node: the cluster has none that lives"


def test_priority_goes_before_everything() -> None:
    low = inside("low", share=8, held={"n1": 4, "n2": 4}, busy=8)
    high = inside("high", "b", share=1, priority=3)
    found = decide(low, high)
    assert found.shares == {"low": 0, "high": 8}
    assert found.reasons["low"] == "makes way for others, and goes back to the queue"
    # What has to make way stays so until it has left, whatever comes.
    found = decide(replace(low, share=0))
    assert found.shares == {"low": 0}


def test_weights_share_out_what_more_want() -> None:
    found = decide(inside("j1", "a"), inside("j2", "b"), accounts={"a": quota(weight=3.0)})
    assert found.shares == {"j1": 6, "j2": 2}
    assert found.reasons["j2"] == "share 2 of 8: 6 go to another namespace with weight 3"


def test_what_one_doesnt_want_the_other_gets() -> None:
    found = decide(inside("j1", "a"), inside("j2", "b", waiting=1))
    assert found.shares == {"j1": 7, "j2": 1}


def test_a_later_job_that_fits_goes_before_one_that_doesnt() -> None:
    busy = inside("j0", share=5, held={"n1": 3, "n2": 2}, busy=5, waiting=0)
    found = decide(busy, a_job("j1", shape=Shape(4.0)), a_job("j2", shape=Shape(2.0)))
    assert found.admitted == ("j2",)
    assert found.order == ("j1",)
    assert found.reasons["j1"] == "waits for a node with room for a slot of 4 CPUs"


def test_quotas_are_reasons() -> None:
    jobs = (inside("j1", held={"n1": 1}, busy=1), a_job("j2"), a_job("j3", "b"))
    found = decide(*jobs, accounts={"a": quota(max_running_jobs=1), "b": quota(max_slots=0)})
    assert found.admitted == ()
    assert found.reasons["j2"] == "waits: a has 1 of its 1 running jobs"
    assert found.reasons["j3"] == "waits: b has 0 of its 0 slots"
    found = decide(a_job("j1"), a_job("j2"), rules=Rules(max_running_jobs=1))
    assert (found.admitted, found.order) == (("j1",), ("j2",))
    found = decide(inside("j1"), a_job("j2"), rules=Rules(max_running_jobs=1))
    assert found.reasons["j2"] == "waits for one of 1 running jobs to end: no more may run at once"


def test_nobody_grows_into_slots_that_its_own_namespace_still_holds() -> None:
    first = inside("j1", share=4, held={"n1": 4}, busy=4)
    second = inside("j2", share=1, held={"n2": 1}, busy=1)
    found = decide(first, second, accounts={"a": quota(max_slots=5)})
    assert found.shares == {"j1": 3, "j2": 1}


@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        (Shape(1, 8), "needs 8 GPUs on one node; the largest has 4 GPUs"),
        (Shape(16), "needs 16 CPUs on one node; the largest has 8 CPUs and 4 GPUs"),
    ],
)
def test_what_fits_no_node_waits_for_the_cluster_to_grow(shape: Shape, reason: str) -> None:
    nodes = {"n1": Shape(8, 4), "n2": Shape(8, 0)}
    found = decide(a_job("j1", shape=shape), a_job("j2"), nodes=nodes)
    assert found.admitted == ("j2",)
    assert found.reasons["j1"] == reason


def test_a_used_up_account_drains() -> None:
    spent = Account(Quota(max_device_hours=10.0), device_hours=10.0)
    found = decide(inside("j1", share=4), a_job("j2"), a_job("j3", "b"), accounts={"a": spent})
    assert found.shares["j1"] == 0
    assert found.admitted == ("j3",)
    for name in ("j1", "j2"):
        assert found.reasons[name].startswith("a has used its 10 device-hours of 30 days")


def test_bad_nodes_are_kept_off_unless_that_leaves_none() -> None:
    found = decide(inside("j1"), bad_nodes=frozenset({"n1", "gone"}))
    assert (found.shares, found.avoid) == ({"j1": 4}, {"j1": frozenset({"n1"})})
    found = decide(inside("j1"), bad_nodes=frozenset(NODES))
    assert (found.shares, found.avoid) == ({"j1": 8}, {"j1": frozenset()})


def test_slots_that_are_to_move_have_their_room_elsewhere() -> None:
    job = inside("j1", share=8, held={"n1": 2, "n2": 2}, busy=4)
    assert decide(job, bad_nodes=frozenset({"n1"})).shares == {"j1": 4}


def test_while_nobody_knows_the_cluster_jobs_start_without_a_share() -> None:
    found = decide(a_job("j1"), a_job("j2"), nodes=None, rules=Rules(max_running_jobs=1))
    assert (found.admitted, found.shares, found.order) == (("j1",), {"j1": None}, ("j2",))
    assert "running jobs" not in found.reasons.get("j1", "")


def test_a_share_settles_before_it_changes_again() -> None:
    policy = Policy(Rules())
    one, two = inside("j1", "a", share=8), inside("j2", "b", share=1)

    def look(at: float, *jobs: Job) -> Decision:
        return policy.decide(World(at, NODES, jobs))

    assert look(0.0, one, two).shares == {"j1": 4, "j2": 4}
    one, two = replace(one, share=4), replace(two, share=4)
    assert look(1.0, one).shares == {"j1": 4}
    assert look(4.0, one).shares == {"j1": 8}
    # A higher priority needn't wait for that.
    high = inside("j3", "c", priority=1)
    assert look(4.5, replace(one, share=8), high).shares == {"j1": 0, "j3": 8}


def test_a_clock_that_is_set_back_stops_nothing() -> None:
    policy = Policy(Rules())
    policy.decide(World(5000.0, NODES, (inside("j1"),)))
    found = policy.decide(World(1000.0, NODES, (inside("j1", share=8), a_job("j2"))))
    assert found.admitted == ("j2",)
