"""Who gets what, through the API: shares at heartbeats, preemption, quotas, the queue told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from coordinator_harness import AUTH, House, Runner, refusal, until

from services.coordinator import surroundings
from services.coordinator.api.heartbeat import answer
from services.coordinator.gateway import ClusterState, DriverState
from services.coordinator.store.shares import Orders
from services.coordinator.surroundings import BAD_NODE_PACKETS
from tuner import Client
from tuner.errors import Status
from tuner.jobs import JobState, Node, ShareChanged
from tuner.record import PacketAttempt, PacketOutcome
from tuner.v1 import runner_service_pb2 as rpb
from tuner.v1 import tuner_service_pb2 as pb
from tuner.wire.names import JobName


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is read every ten seconds is read at every look."""
    monkeypatch.setattr(surroundings, "LOOK_BACK_SECONDS", 0.0)


async def beat(runner: Runner, busy: int = 0, waiting: int = 0, **held: int) -> Any:
    """A heartbeat that says what the runner holds."""
    request = rpb.HeartbeatRequest(
        attempt=runner.attempt,
        slots_busy=busy,
        packets_waiting=waiting,
        held=[rpb.SlotsOnNode(node=node, slots=slots) for node, slots in held.items()],
    )
    return await runner.stub.Heartbeat(request, metadata=runner.metadata)


async def told(runner: Runner, slots: int, *load: int, **held: int) -> Any:
    """The answer of the first heartbeat that grants so many slots."""
    found = None

    async def there() -> bool:
        nonlocal found
        found = await beat(runner, *load, **held)
        return found.slots == slots

    await until(there)
    return found


async def queue(house: House, parent: str = "namespaces/-") -> pb.Queue:
    return await house.stub.GetQueue(pb.GetQueueRequest(parent=parent), metadata=AUTH)


async def set_quota(house: House, namespace: str, **quota: Any) -> pb.Namespace:
    request = pb.UpdateNamespaceRequest(
        namespace=pb.Namespace(name=f"namespaces/{namespace}", **quota)
    )
    return await house.stub.UpdateNamespace(request, metadata=AUTH)


async def test_a_second_job_gets_its_half_and_both_are_told_why(house: House) -> None:
    first, one = await house.running("one")
    assert (await beat(one)).slots == 8
    await beat(one, 8, 20, n1=8)
    _, two = await house.running("two")
    # Its share is known at its first heartbeat.
    answer = await beat(two, 0, 20)
    assert answer.directive == rpb.DIRECTIVE_SHARE
    assert answer.slots >= 1
    halved = await told(one, 4, 8, 20, n1=8)
    assert halved.reason == "share 4 of 8: 4 go to other jobs of default"
    await told(two, 4, 0, 20)
    job = await house.get(first.name)
    assert (job.share, job.slots_held) == (4, 8)
    whats = [e.what for e in house.store.events(JobName.parse(first.name), 0, 100)]
    shares = [what.slots for what in whats if isinstance(what, ShareChanged)]
    assert (shares[0], shares[-1]) == (8, 4)
    await one.conclude()
    await one.finish("COMPLETED")
    await told(two, 8, 4, 20, n1=4)


async def test_a_higher_priority_sends_a_job_back_to_the_queue_and_it_goes_on_after(
    house: House,
) -> None:
    await house.restart(max_running_jobs=1)
    low, runner = await house.running("low")
    await runner.record(runner.row())
    high = await house.create("high", priority=5)
    paused = await told(runner, 0, 1, 0, n1=1)
    assert paused.directive == rpb.DIRECTIVE_PAUSE
    assert "makes way" in paused.reason
    assert await house.state(high.name) == "QUEUED"
    await runner.finish("PAUSED")
    urgent = await house.enrol(high.name)
    back = await house.reaches(low.name, "QUEUED")
    assert back.queue_position == 1
    await urgent.conclude()
    await urgent.finish("COMPLETED")
    again = await house.enrol(low.name, number=2)
    assert (await beat(again)).slots == 8
    assert (await again.record(again.row())).repeated_count == 1


async def test_quotas_hold_jobs_back_and_say_so(house: House) -> None:
    await set_quota(house, "team-a", max_running_jobs=1, max_slots=3, weight=2)
    first, runner = await house.running("first", namespace="team-a")
    assert (await beat(runner)).slots == 3
    second = await house.create("second", namespace="team-a")
    waiting = await house.reaches(second.name, "QUEUED")
    assert waiting.state_reason == "waits: team-a has 1 of its 1 running jobs"
    _, other = await house.running("other")
    assert (await told(other, 5, 5, 9, n1=5)).reason == (
        "share 5 of 8: 3 go to another namespace with weight 2"
    )
    found = await queue(house)
    assert [e.job.split("/")[-1] for e in found.entries] == ["first", "other", "second"]
    assert [(e.position, e.share) for e in found.entries] == [(0, 3), (0, 5), (1, 0)]
    assert found.entries[0].reason == "share 3 of 8: team-a has 3 of its 3 slots"
    assert found.leader
    assert found.HasField("leader_since")
    own = await queue(house, "namespaces/team-a")
    assert [e.job for e in own.entries] == [first.name, second.name]


async def test_used_up_device_hours_drain_what_runs(house: House) -> None:
    job, runner = await house.running("mine", namespace="team-a")
    house.store.add_usage({"team-a": 7200.0})
    answer = await set_quota(house, "team-a", max_device_hours=1.5)
    assert (answer.running_jobs, answer.device_hours) == (1, 2.0)
    drained = await told(runner, 0, 1, 3, n1=1)
    assert "has used its 1.5 device-hours" in drained.reason
    await runner.finish("PAUSED")
    await house.reaches(job.name, "QUEUED")

    async def says_so() -> bool:
        return "has used its 1.5 device-hours" in (await house.get(job.name)).state_reason

    await until(says_so)
    await set_quota(house, "team-a", max_device_hours=10)
    await house.enrol(job.name, number=2)


async def test_what_never_fits_waits_and_says_what_it_needs(house: House) -> None:
    job = await house.create("wide", resources={"gpus": 4, "cpus": 1})
    waiting = await house.reaches(job.name, "QUEUED")
    assert waiting.state_reason == "needs 4 GPUs on one node; the largest has 2 GPUs"
    small = await house.create("small")
    await house.enrol(small.name)


async def test_shares_stay_while_the_cluster_is_silent(house: House) -> None:
    _, runner = await house.running("one")
    await beat(runner, 8, 9, n1=8)
    house.gateway.unreachable = "no route"
    two = await house.create("two")
    await house.reaches(two.name, "QUEUED")
    await asyncio.sleep(1.5)
    assert (await beat(runner, 8, 9, n1=8)).slots == 8


async def test_a_node_that_loses_packets_is_kept_off(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def status() -> ClusterState:
        nodes = tuple(Node(f"n{i}", "", 4, 0, alive=i != 3) for i in (1, 2, 3))
        return ClusterState(nodes, cpus=8)

    monkeypatch.setattr(house.gateway, "status", status)
    job, runner = await house.running()
    attempt = runner.attempt
    lost = [
        PacketAttempt(
            packet=f"p{i}",
            number=1,
            runner_attempt=1,
            node="n1",
            device_type="cpu",
            start_time=house.store.get_job(JobName.parse(job.name)).create_time,
            end_time=house.store.get_job(JobName.parse(job.name)).create_time,
            billed_device_seconds=0.0,
            outcome=PacketOutcome.LOST,
        )
        for i in range(BAD_NODE_PACKETS)
    ]
    house.store.record(JobName.parse(job.name), attempt.attempt, attempt.epoch, [], lost)
    await told(runner, 4, 4, 9, n1=2, n2=2)
    assert list((await beat(runner)).avoid_nodes) == ["n1"]


@pytest.mark.parametrize(
    ("state", "share", "directive"),
    [
        (JobState.RUNNING, None, rpb.DIRECTIVE_CONTINUE),
        (JobState.RUNNING, 3, rpb.DIRECTIVE_SHARE),
        (JobState.RUNNING, 0, rpb.DIRECTIVE_PAUSE),
        (JobState.QUEUED, 3, rpb.DIRECTIVE_SHARE),
        (JobState.PAUSING, 3, rpb.DIRECTIVE_PAUSE),
        (JobState.STOPPING, 0, rpb.DIRECTIVE_STOP),
        (JobState.CANCELLING, 3, rpb.DIRECTIVE_CANCEL),
    ],
)
def test_a_state_goes_before_a_share(state: JobState, share: int | None, directive: int) -> None:
    found = answer(Orders(state, "by ada", share, "share", ("n1",)))
    assert (found.directive, found.slots) == (directive, share or 0)
    own = state in (JobState.PAUSING, JobState.STOPPING, JobState.CANCELLING)
    assert found.reason == ("by ada" if own else "share")
    assert list(found.avoid_nodes) == ["n1"]


async def test_a_bad_quota_names_every_field(house: House) -> None:
    error = await refusal(
        set_quota(house, "team-a", weight=-1, max_slots=-2, max_device_hours=float("nan"))
    )
    assert error.status is Status.INVALID_ARGUMENT
    assert [v.field for v in error.violations] == [
        "namespace.weight",
        "namespace.max_slots",
        "namespace.max_device_hours",
    ]
    assert (await refusal(set_quota(house, "-"))).violations[0].field == "namespace.name"


async def test_a_runner_holds_what_can_be_held(house: House) -> None:
    _, runner = await house.running()
    await beat(runner, 2, n1=2)
    # Fewer than none would be room that isn't there, and take others' use off the bill.
    for load, held, field in (
        ((-1,), {}, "slots_busy"),
        ((0, -1), {}, "packets_waiting"),
        ((), {"n1": 1, "n2": -3}, "held[1].slots"),
        ((), {"n" * 1000: 1}, "held[0].node"),
        ((), {f"n{i}": 1 for i in range(10_001)}, "held"),
    ):
        refused = await refusal(beat(runner, *load, **held))
        assert (refused.status, refused.violations[0].field) == (Status.INVALID_ARGUMENT, field)
    (load,) = house.store.loads().values()
    assert load.held == {"n1": 2}


async def test_an_answer_of_the_cluster_that_cannot_be_read_is_not_the_last(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(surroundings, "CLUSTER_SECONDS", 0.01)
    asked = 0

    async def broken(*_: object) -> Any:
        nonlocal asked
        asked += 1
        raise AttributeError("'NoneType' object has no attribute 'get'")

    with monkeypatch.context() as patched:
        patched.setattr(house.gateway, "status", broken)
        patched.setattr(house.gateway, "state", broken)
        await house.restart()
        job, runner = await house.running()
        await until(lambda: asked > 5)
    # It is heard again: the job has its share, and the driver's end is seen.
    await told(runner, 8)
    house.gateway.end(runner.submission.id, DriverState.FAILED)
    await house.submission(job.name, 2)


async def test_namespaces_come_in_pages_by_name(house: House) -> None:
    for name in ("c", "a", "b"):
        await set_quota(house, name, weight=2)
    pages, token = [], ""
    while True:
        request = pb.ListNamespacesRequest(page_size=2, page_token=token)
        found = await house.stub.ListNamespaces(request, metadata=AUTH)
        pages.append([one.name for one in found.namespaces])
        if not (token := found.next_page_token):
            break
    assert pages == [["namespaces/a", "namespaces/b"], ["namespaces/c"]]


async def test_the_commands_show_the_queue_and_set_quotas(
    house: House, tuner: Callable[..., Any]
) -> None:
    assert "Nothing runs" in (await tuner("queue")).stdout
    done = await tuner("quota", "set", "default", "--max-running-jobs", 1, "--weight", 1.5)
    assert done.exit_code == 0
    assert "0 of 1" in done.stdout
    await tuner("quota", "set", "default", "--max-slots", 2, "--device-hours", 7.5)
    _, runner = await house.running("mine", name="digits")
    await beat(runner, 2, 5, n1=2)
    second = await house.create("next")
    await house.reaches(second.name, "QUEUED")
    shown = (await tuner("queue")).stdout
    assert "2/2" in shown
    assert "#1" in shown
    assert "waits: default has 1 of its 1" in " ".join(shown.split())
    assert "schedules since" in shown
    rows = json.loads((await tuner("queue", "-o", "json", "-n", "default")).stdout)
    assert [(row["job"], row["position"]) for row in rows] == [("mine", 0), ("next", 1)]
    assert rows[0]["packets_waiting"] == 5
    (row,) = json.loads((await tuner("quota", "show", "-o", "json")).stdout)
    assert (row["weight"], row["max_slots"], row["max_device_hours"]) == (1.5, 2, 7.5)
    assert row["slots_held"] == 2
    done = await tuner("quota", "set", "default", "--max-slots", "none")
    assert "of 2" not in done.stdout
    for wrong in (("--max-slots", "many"), ("--device-hours", "x"), ("--weight", 0), ()):
        done = await tuner("quota", "set", "default", *wrong)
        assert done.exit_code == 2

    def asked() -> Any:
        with Client(house.coordinator.address) as client:
            return client.namespace("default"), client.namespace("nobody")

    mine, nobody = await asyncio.to_thread(asked)
    assert (mine.running_jobs, mine.quota.max_slots) == (1, None)
    assert (nobody.quota.weight, nobody.running_jobs) == (1.0, 0)
