"""The packet broker: first come first served, nothing handed out twice, losses reported."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tuner.record import Packet, PacketOutcome, Phase
from tuner.trials.broker import PacketBroker
from tuner.trials.work import Report, Task

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
        await broker.join(f"w{i}", None)
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
    assert await broker.load() == (0, 0)


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
    await broker.join("w1", None)
    assert len(await broker.take("w1", "n", [], 1.0)) == 1


async def test_closing_ends_every_wait():
    broker = PacketBroker()
    waits = [asyncio.ensure_future(broker.take(f"w{i}", "n", [], 60.0)) for i in range(3)]
    await asyncio.sleep(0)
    await broker.close()
    assert await asyncio.gather(*waits) == [[], [], []]
    assert await broker.is_closed()
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
        await broker.join(name, name.upper())
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
