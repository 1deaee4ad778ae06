"""The packet broker: hands packets to slot workers and their reports to the runner.

It is a Ray actor of its own process, so that a worker's call never waits for
the runner's interpreter. It holds nothing that the record doesn't: a broker
that dies takes the attempt with it, and the next attempt replays.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from tuner.record import PacketOutcome
from tuner.trials.work import Report, Task

BUNDLE_SECONDS = 0.1
"""Packets that are expected to take less together are handed out together."""

BUNDLE_PACKETS = 32
"""Most packets handed out together."""

_MEMORY = 0.7
"""How much of the expected time of a search's packets outlives a report."""


@dataclass(frozen=True)
class _Taken:
    """What a worker has been handed and hasn't reported."""

    tasks: dict[str, Task]
    node: str
    time: datetime


class PacketBroker:
    """Packets first come first served; a lost worker's packets go to the front again.

    Surplus is handed out only where no packet waits, and can be withdrawn until then.

    Short packets are handed out several at a time, for a call costs more than
    they do. Which ones go together is no part of the record.
    """

    def __init__(self) -> None:
        """Makes an empty, open broker."""
        self._waiting: deque[Task] = deque()
        self._surplus: deque[Task] = deque()
        self._taken: dict[str, _Taken] = {}
        self._seconds: dict[str, float] = {}
        self._reports: list[Report] = []
        self._workers: dict[str, Any] = {}
        self._closed = False
        self._work = asyncio.Condition()
        self._news = asyncio.Condition()

    async def join(self, worker: str, actor: Any) -> None:
        """Takes a worker's actor handle, for the runner to kill it by."""
        self._workers[worker] = actor

    async def offer(self, tasks: list[Task]) -> None:
        """Takes packets to hand out."""
        async with self._work:
            self._waiting.extend(tasks)
            self._work.notify(len(tasks))

    async def offer_surplus(self, tasks: list[Task]) -> None:
        """Takes packets that no step has asked for yet, to hand out where nothing else waits."""
        async with self._work:
            self._surplus.extend(tasks)
            self._work.notify(len(tasks))

    async def withdraw(self, search: str) -> list[str]:
        """Takes back a search's surplus that no worker has; returns its packets' ids."""
        async with self._work:
            gone = [task.packet.id for task in self._surplus if task.search == search]
            self._surplus = deque(task for task in self._surplus if task.search != search)
            return gone

    async def take(
        self, worker: str, node: str, reports: list[Report], patience: float
    ) -> list[Task]:
        """Hands a worker its next packets, and takes its reports on the last ones.

        Args:
            worker: Who asks.
            node: The node that it runs on.
            reports: What came of its last packets.
            patience: Seconds to wait for a packet.

        Returns:
            The packets; none where none came in time or the broker is closed.
        """
        if reports:
            await self.hand_in(worker, reports)
        async with self._work:
            try:
                async with asyncio.timeout(patience):
                    await self._work.wait_for(
                        lambda: self._waiting or self._surplus or self._closed
                    )
            except TimeoutError:
                return []
            if self._closed or not (self._waiting or self._surplus):
                return []
            tasks = self._bundle() if self._waiting else [self._surplus.popleft()]
            taken = _Taken({t.packet.id: t for t in tasks}, node, datetime.now(UTC))
            self._taken[worker] = taken
            return tasks

    def _bundle(self) -> list[Task]:
        """Takes packets off the queue: one, or as many as are short and leave others their share.

        A packet that was lost before goes alone, so that no other is lost with it.
        """
        most = min(BUNDLE_PACKETS, len(self._waiting) // (2 * max(len(self._workers), 1)))
        tasks = [self._waiting.popleft()]
        seconds = self._expected(tasks[0])
        while len(tasks) < most:
            seconds += self._expected(self._waiting[0])
            if seconds > BUNDLE_SECONDS:
                break
            tasks.append(self._waiting.popleft())
        return tasks

    def _expected(self, task: Task) -> float:
        """Returns the seconds that a packet is expected to take; endless where nothing is known."""
        return self._seconds.get(task.search, math.inf) if task.attempt == 1 else math.inf

    async def hand_in(self, worker: str, reports: list[Report]) -> None:
        """Takes a worker's reports; one on a packet that was given up for lost is dropped."""
        taken = self._taken.get(worker)
        if taken is None:
            return
        for report in reports:
            if taken.tasks.pop(report.task.packet.id, None) is not None:
                took = (report.end_time - report.start_time).total_seconds()
                known = self._seconds.get(report.task.search, took)
                # At once up, slowly down: a bundle that is too long keeps others waiting.
                smooth = _MEMORY * known + (1 - _MEMORY) * took
                self._seconds[report.task.search] = max(took, smooth)
                self._reports.append(report)
        if not taken.tasks:
            del self._taken[worker]
        await self._tell()

    async def _tell(self) -> None:
        async with self._news:
            self._news.notify_all()

    async def collect(self, patience: float) -> list[Report]:
        """Returns the reports since the last call, waiting for one so many seconds."""
        async with self._news:
            try:
                async with asyncio.timeout(patience):
                    await self._news.wait_for(lambda: self._reports)
            except TimeoutError:
                return []
            reports, self._reports = self._reports, []
            return reports

    async def lost(self, worker: str, error: str) -> None:
        """Notes that a worker is gone: its packets are reported LOST for the runner to judge."""
        self._workers.pop(worker, None)
        taken = self._taken.pop(worker, None)
        if taken is None:
            return
        for task in taken.tasks.values():
            self._reports.append(
                Report(
                    task=task,
                    measurements=(),
                    node=taken.node,
                    device_type="",
                    start_time=taken.time,
                    end_time=datetime.now(UTC),
                    billed_device_seconds=0.0,
                    outcome=PacketOutcome.LOST,
                    error=error,
                )
            )
        await self._tell()

    async def retry(self, task: Task) -> None:
        """Puts a lost packet at the front, as its next try."""
        async with self._work:
            self._waiting.appendleft(replace(task, attempt=task.attempt + 1))
            self._work.notify(1)

    async def close(self) -> None:
        """Ends every wait; workers that ask from now on get nothing and end."""
        async with self._work:
            self._closed = True
            self._waiting.clear()
            self._surplus.clear()
            self._work.notify_all()

    async def workers(self) -> list[Any]:
        """Returns the actor handles of the workers that joined and weren't lost."""
        return list(self._workers.values())

    async def busy_workers(self) -> list[Any]:
        """Returns the actor handles of those that have a packet."""
        return [actor for worker, actor in self._workers.items() if worker in self._taken]

    async def is_closed(self) -> bool:
        """Tells whether it was closed."""
        return self._closed

    async def idle(self) -> int:
        """Returns how many workers have nothing to do and nothing to come."""
        coming = len(self._waiting) + len(self._surplus)
        return max(0, len(self._workers) - len(self._taken) - coming)

    async def load(self) -> tuple[int, int]:
        """Returns how many workers are busy, and how many packets wait."""
        return len(self._taken), len(self._waiting)
