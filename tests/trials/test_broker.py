"""The packet broker: first come first served, nothing handed out twice, losses reported."""

import asyncio
from datetime import UTC, datetime

from tuner.record import Packet, PacketOutcome, Phase
from tuner.trials.broker import PacketBroker
from tuner.trials.work import Report, Task

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def task(index: int) -> Task:
    packet = Packet(f"s:1:{index}", Phase.TUNING, ((),), (1,), (0,))
    return Task(packet, "namespaces/n/jobs/j", "s", "simulated", "depth")


def report(done: Task) -> Report:
    return Report(done, (), "node", "cpu", NOW, NOW, 1.0, PacketOutcome.COMPLETED)


async def test_packets_go_out_once_each_and_in_order():
    broker = PacketBroker()
    await broker.offer([task(i) for i in range(5)])
    taken = [await broker.take(f"w{i}", "n", None, 1.0) for i in range(5)]
    assert [t.packet.id for t in taken if t] == [f"s:1:{i}" for i in range(5)]
    assert await broker.take("w9", "n", None, 0.01) is None


async def test_a_waiting_worker_gets_the_packet_that_comes():
    broker = PacketBroker()
    waiting = asyncio.ensure_future(broker.take("w", "n", None, 10.0))
    await asyncio.sleep(0)
    await broker.offer([task(0)])
    taken = await waiting
    assert taken is not None


async def test_the_next_take_brings_the_last_report():
    broker = PacketBroker()
    await broker.offer([task(0)])
    taken = await broker.take("w", "n", None, 1.0)
    assert taken is not None
    await broker.take("w", "n", report(taken), 0.01)
    assert [r.task.packet.id for r in await broker.collect(1.0)] == ["s:1:0"]
    assert await broker.load() == (0, 0)


async def test_a_lost_worker_is_reported_and_its_late_report_dropped():
    broker = PacketBroker()
    await broker.offer([task(0)])
    taken = await broker.take("w", "n", None, 1.0)
    assert taken is not None
    await broker.lost("w", "killed")
    (lost,) = await broker.collect(1.0)
    assert (lost.outcome, lost.error, lost.node) == (PacketOutcome.LOST, "killed", "n")
    await broker.retry(lost.task)
    again = await broker.take("w2", "n", None, 1.0)
    assert again is not None
    assert again.attempt == 2
    await broker.hand_in("w", report(taken))
    assert await broker.collect(0.01) == []


async def test_closing_ends_every_wait():
    broker = PacketBroker()
    waits = [asyncio.ensure_future(broker.take(f"w{i}", "n", None, 60.0)) for i in range(3)]
    await asyncio.sleep(0)
    await broker.close()
    assert await asyncio.gather(*waits) == [None, None, None]
    assert await broker.is_closed()
    assert await broker.take("w", "n", None, 60.0) is None
