"""The packet broker: hands packets to slot workers and their reports to the runner.

It is a Ray actor of its own process, so that a worker's call never waits for
the runner's interpreter. It holds nothing that the record doesn't: a broker
that dies takes the attempt with it, and the next attempt replays.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from tuner.record import PacketOutcome
from tuner.trials.work import Report, Task


class PacketBroker:
    """Packets first come first served; a lost worker's packet goes to the front again."""

    def __init__(self) -> None:
        """Makes an empty, open broker."""
        self._waiting: deque[Task] = deque()
        self._taken: dict[str, tuple[Task, str, datetime]] = {}
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

    async def take(
        self, worker: str, node: str, report: Report | None, patience: float
    ) -> Task | None:
        """Hands a worker its next packet, and takes its report on the last one.

        Args:
            worker: Who asks.
            node: The node that it runs on.
            report: What came of its last packet; None at first.
            patience: Seconds to wait for a packet.

        Returns:
            The packet; None where none came in time or the broker is closed.
        """
        if report is not None:
            await self.hand_in(worker, report)
        async with self._work:
            try:
                async with asyncio.timeout(patience):
                    await self._work.wait_for(lambda: self._waiting or self._closed)
            except TimeoutError:
                return None
            if self._closed or not self._waiting:
                return None
            task = self._waiting.popleft()
            self._taken[worker] = (task, node, datetime.now(UTC))
            return task

    async def hand_in(self, worker: str, report: Report) -> None:
        """Takes a worker's report; one on a packet that was given up for lost is dropped."""
        if self._taken.pop(worker, None) is not None:
            await self._tell(report)

    async def _tell(self, report: Report) -> None:
        async with self._news:
            self._reports.append(report)
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
        """Notes that a worker is gone: its packet is reported LOST for the runner to judge."""
        self._workers.pop(worker, None)
        taken = self._taken.pop(worker, None)
        if taken is None:
            return
        task, node, start = taken
        report = Report(
            task=task,
            measurements=(),
            node=node,
            device_type="",
            start_time=start,
            end_time=datetime.now(UTC),
            billed_device_seconds=0.0,
            outcome=PacketOutcome.LOST,
            error=error,
        )
        await self._tell(report)

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
            self._work.notify_all()

    async def workers(self) -> list[Any]:
        """Returns the actor handles of the workers that joined and weren't lost."""
        return list(self._workers.values())

    async def is_closed(self) -> bool:
        """Tells whether it was closed."""
        return self._closed

    async def load(self) -> tuple[int, int]:
        """Returns how many packets are being worked on, and how many wait."""
        return len(self._taken), len(self._waiting)
