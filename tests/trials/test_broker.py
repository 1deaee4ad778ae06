"""The packet broker: first come first served, nothing handed out twice, losses reported."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tuner.record import Packet, PacketOutcome, Phase
from tuner.trials.broker import PacketBroker
from tuner.trials.work import Allowed, Load, Loss, Report, Task

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def task(index: int) -> Task:
    packet = Packet(f"s:1:{index}", Phase.TUNING, ((),), (1,), (0,))
    return Task(packet, "namespaces/n/jobs/j", "s", "simulated", "depth")


def report(done: Task, seconds: float = 0.0) -> Report:
    end = NOW + timedelta(seconds=seconds)
    return Report(done, (), "node", "cpu", NOW, end, seconds, PacketOutcome.COMPLETED)


async def joined(count: int) -> PacketBroker:
    broker = PacketBroker()
    for i in range(count):
        await broker.join(f"w{i}", f"W{i}", "n")
    return broker


async def test_packets_go_out_once_each_and_in_order():
    broker = await joined(5)
    await broker.offer([task(i) for i in range(5)])
    taken = [await broker.take(f"w{i}", "n", [], 1.0) for i in range(5)]
    assert [[t.packet.id for t in tasks] for tasks in taken] == [[f"s:1:{i}"] for i in range(5)]
    assert await broker.take("w9", "n", [], 0.01) == []


async def test_a_waiting_worker_gets_the_packet_that_comes():
    broker = await joined(1)
    waiting = asyncio.ensure_future(broker.take("w0", "n", [], 10.0))
    await asyncio.sleep(0)
    await broker.offer([task(0)])
    assert len(await waiting) == 1


async def test_the_next_take_brings_the_last_reports():
    broker = await joined(1)
    await broker.offer([task(0)])
    (taken,) = await broker.take("w0", "n", [], 1.0)
    await broker.take("w0", "n", [report(taken)], 0.01)
    assert [r.task.packet.id for r in await broker.collect(1.0)] == ["s:1:0"]
    assert await broker.load() == Load(0, 0, {"n": 1})


@pytest.mark.parametrize(("seconds", "together"), [(0.001, 12), (0.03, 3), (5.0, 1)])
async def test_short_packets_go_together_and_leave_others_their_share(seconds, together):
    broker = await joined(2)
    await broker.offer([task(i) for i in range(49)])
    (first,) = await broker.take("w0", "n", [], 1.0)  # nothing is known of them yet
    bundle = await broker.take("w0", "n", [report(first, seconds)], 1.0)
    assert [t.packet.id for t in bundle] == [f"s:1:{i + 1}" for i in range(together)]


async def test_a_lost_worker_is_reported_and_its_late_report_dropped():
    broker = await joined(2)
    await broker.offer([task(0)])
    (taken,) = await broker.take("w0", "n", [], 1.0)
    await broker.lost("w0", "killed")
    (lost,) = await broker.collect(1.0)
    assert (lost.outcome, lost.error, lost.node) == (PacketOutcome.LOST, "killed", "n")
    await broker.retry(lost.task)
    (again,) = await broker.take("w1", "n", [], 1.0)
    assert again.attempt == 2
    await broker.hand_in("w0", [report(taken)])
    assert await broker.collect(0.01) == []


async def test_packets_that_were_lost_together_are_tried_again_alone():
    broker = await joined(1)
    await broker.offer([task(i) for i in range(41)])
    (first,) = await broker.take("w0", "n", [], 1.0)
    bundle = await broker.take("w0", "n", [report(first)], 1.0)
    assert len(bundle) > 1
    await broker.lost("w0", "killed")
    for lost in (await broker.collect(1.0))[1:]:
        await broker.retry(lost.task)
    await broker.join("w1", None, "n")
    assert len(await broker.take("w1", "n", [], 1.0)) == 1


async def test_closing_ends_every_wait():
    broker = PacketBroker()
    waits = [asyncio.ensure_future(broker.take(f"w{i}", "n", [], 60.0)) for i in range(3)]
    await asyncio.sleep(0)
    await broker.close()
    assert await asyncio.gather(*waits) == [[], [], []]
    assert await broker.dismissed("w0")
    assert await broker.take("w", "n", [], 60.0) == []


async def test_surplus_goes_out_only_where_no_packet_waits():
    broker = await joined(3)
    await broker.offer_surplus([task(8), task(9)])
    await broker.offer([task(0)])
    taken = [await broker.take(f"w{i}", "n", [], 1.0) for i in range(3)]
    assert [t.packet.id for tasks in taken for t in tasks] == ["s:1:0", "s:1:8", "s:1:9"]


async def test_a_waiting_worker_gets_the_surplus_that_comes():
    broker = await joined(1)
    waiting = asyncio.ensure_future(broker.take("w0", "n", [], 10.0))
    await asyncio.sleep(0)
    await broker.offer_surplus([task(0)])
    assert len(await waiting) == 1


async def test_surplus_can_be_withdrawn_until_a_worker_has_it():
    broker = await joined(2)
    other = replace(task(2), search="other")
    await broker.offer_surplus([task(0), task(1), other])
    await broker.take("w0", "n", [], 1.0)
    assert await broker.withdraw("s") == ["s:1:1"]
    assert await broker.withdraw("s") == []
    assert await broker.take("w1", "n", [], 1.0) == [other]
    assert await broker.take("w1", "n", [], 0.01) == []


async def test_idle_are_the_workers_with_nothing_to_do_and_nothing_to_come():
    broker = await joined(4)
    assert await broker.idle() == 4
    await broker.offer([task(0), task(1)])
    await broker.take("w0", "n", [], 1.0)
    await broker.offer_surplus([task(2)])
    assert await broker.idle() == 1
    await broker.lost("w3", "killed")
    assert await broker.idle() == 0


async def test_the_busy_are_those_that_have_a_packet():
    broker = PacketBroker()
    for name in ("w0", "w1"):
        await broker.join(name, name.upper(), "n")
    await broker.offer_surplus([task(0)])
    (taken,) = await broker.take("w1", "n", [], 1.0)
    assert await broker.busy_workers() == ["W1"]
    await broker.hand_in("w1", [report(taken)])
    assert await broker.busy_workers() == []


async def test_a_closed_broker_hands_out_no_surplus():
    broker = await joined(1)
    await broker.offer_surplus([task(0)])
    await broker.close()
    assert await broker.take("w0", "n", [], 1.0) == []


async def test_nothing_is_handed_out_while_it_holds_and_what_is_out_comes_home():
    broker = await joined(2)
    await broker.offer([task(0), task(1)])
    (taken,) = await broker.take("w0", "n", [], 1.0)
    await broker.hold(True)
    waiting = asyncio.ensure_future(broker.take("w1", "n", [], 10.0))
    assert await broker.take("w0", "n", [], 0.01) == []
    assert await broker.in_flight() == ["s:1:0"]
    assert await broker.idle() == 0
    await broker.hand_in("w0", [report(taken)])
    assert await broker.in_flight() == []
    assert not waiting.done()
    await broker.hold(False)
    assert [t.packet.id for t in await waiting] == ["s:1:1"]


async def test_less_of_a_share_ends_the_idle_at_once_and_the_busy_with_their_packet():
    broker = await joined(4)
    await broker.offer([task(0), task(1)])
    taken = {name: (await broker.take(name, "n", [], 1.0))[0] for name in ("w0", "w1")}
    await broker.steer(1, [])
    # Both idle ones go, and of the busy ones the one that started first.
    for name in ("w2", "w3"):
        assert await broker.take(name, "n", [], 60.0) == []
        assert await broker.dismissed(name)
    assert not await broker.dismissed("w0")
    await broker.offer([task(2), task(3)])
    assert await broker.take("w0", "n", [report(taken["w0"])], 60.0) == []
    assert await broker.dismissed("w0")
    assert len(await broker.take("w1", "n", [report(taken["w1"])], 60.0)) == 1
    assert len(await broker.collect(0.0)) == 2
    assert (await broker.load()).held == {"n": 1}
    # What was told to go is gone; more of a share is for others.
    await broker.steer(2, [])
    await broker.join("w4", "W4", "n")
    assert len(await broker.take("w4", "n", [], 60.0)) == 1


async def test_a_share_that_comes_back_before_anybody_was_told_keeps_all():
    broker = await joined(2)
    await broker.offer([task(0), task(1)])
    taken = {name: (await broker.take(name, "n", [], 1.0))[0] for name in ("w0", "w1")}
    await broker.steer(1, [])
    await broker.steer(0, [])
    for name in taken:
        await broker.take(name, "n", [report(taken[name])], 0.01)
        assert not await broker.dismissed(name)


async def test_slots_leave_an_avoided_node_when_their_packet_has_ended():
    broker = PacketBroker()
    for name, node in (("w0", "bad"), ("w1", "good"), ("w2", "bad")):
        await broker.join(name, name, node)
    await broker.offer([task(0), task(1)])
    (taken,) = await broker.take("w0", "bad", [], 1.0)
    await broker.steer(3, ["bad"])
    assert await broker.take("w2", "bad", [], 60.0) == []
    assert len(await broker.take("w1", "good", [], 60.0)) == 1
    assert await broker.take("w0", "bad", [report(taken)], 60.0) == []
    assert (await broker.load()).held == {"good": 1}
    # One that had been on its way there goes at once.
    await broker.join("w3", "w3", "bad")
    assert await broker.take("w3", "bad", [], 60.0) == []


async def test_whoever_has_a_packet_for_longer_than_it_may_take_is_found():
    now = 0.0
    broker = PacketBroker(clock=lambda: now)
    await broker.join("w0", "W0", "n")
    await broker.join("w1", "W1", "n")
    await broker.offer([task(0), task(1)])
    (taken,) = await broker.take("w0", "n", [], 1.0)
    now = 5.0
    await broker.take("w1", "n", [], 1.0)
    allowed = {"s": Allowed(packet=9.0, member=1.0)}
    assert await broker.overdue(allowed) == []
    now = 10.5
    assert await broker.overdue(allowed) == ["w0"]
    assert await broker.workers(["w0"]) == ["W0"]
    await broker.lost("w0", "it hung", Loss.STALLED)
    (lost,) = await broker.collect(0.0)
    assert (lost.loss, lost.error, lost.beside) == (Loss.STALLED, "it hung", True)
    assert await broker.overdue(allowed) == []
    # It thaws: what it brings is dropped, and it is to end.
    assert await broker.take("w0", "n", [report(taken)], 0.01) == []
    assert await broker.collect(0.0) == []
    assert await broker.dismissed("w0")


async def test_a_packet_that_is_to_be_alone_has_a_node_emptied_for_it():
    broker = await joined(3)
    await broker.join("x0", "X0", "other")
    await broker.join("x1", "X1", "other")
    await broker.offer([task(i) for i in range(8)])
    busy = {n: (await broker.take(n, "n", [], 1.0))[0] for n in ("w0", "w1")}
    other = (await broker.take("x0", "other", [], 1.0))[0]
    await broker.retry(replace(task(99), alone=True))
    # The other node has fewer that are busy: it is emptied, and this one goes on.
    assert await broker.take("x1", "other", [], 0.01) == []
    (more,) = await broker.take("w2", "n", [], 1.0)
    assert more.packet.id == "s:1:3"
    (alone,) = await broker.take("x0", "other", [report(other)], 1.0)
    assert (alone.packet.id, alone.attempt) == ("s:1:99", 2)
    assert await broker.take("x1", "other", [], 0.01) == []
    waiting = asyncio.ensure_future(broker.take("x1", "other", [], 10.0))
    await asyncio.sleep(0)
    await broker.hand_in("x0", [report(alone)])
    assert len(await waiting) == 1
    by_packet = {r.task.packet.id: r.beside for r in await broker.collect(0.0)}
    assert by_packet == {"s:1:2": False, "s:1:99": False}
    await broker.take("w0", "n", [report(busy["w0"])], 1.0)
    assert [r.beside for r in await broker.collect(0.0)] == [True]


async def test_a_node_that_dies_while_it_is_emptied_leaves_the_packet_to_another():
    broker = await joined(1)
    await broker.join("x0", "X0", "other")
    await broker.join("x1", "X1", "other")
    await broker.offer([task(0), task(1)])
    await broker.take("w0", "n", [], 1.0)
    _ = await broker.take("x0", "other", [], 1.0)
    await broker.retry(replace(task(9), alone=True))
    for name in ("x0", "x1"):
        await broker.lost(name, "its node died")
    done = asyncio.ensure_future(broker.take("w0", "n", [report(task(0))], 5.0))
    assert [t.packet.id for t in await done] == ["s:1:9"]
