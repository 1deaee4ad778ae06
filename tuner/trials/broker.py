"""The packet broker: hands packets to slot workers and their reports to the runner.

It is a Ray actor of its own process, so that a worker's call never waits for
the runner's interpreter. It holds nothing that the record doesn't: a broker
that dies takes the attempt with it, and the next attempt replays.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from tuner.record import PacketOutcome
from tuner.trials.staff import Staff
from tuner.trials.waiting import Waiting
from tuner.trials.work import Allowed, Load, Loss, Report, Task


@dataclass
class _Taken:
    """What a worker has been handed and hasn't reported."""

    tasks: dict[str, Task]
    node: str
    time: datetime
    # By the broker's clock.
    since: float
    # Whether another worker was busy on the node meanwhile.
    beside: bool

    def lost(self, error: str, loss: Loss) -> list[Report]:
        """Returns how the tries end where the worker is gone."""
        return [
            Report(
                task=task,
                measurements=(),
                node=self.node,
                device_type="",
                start_time=self.time,
                end_time=datetime.now(UTC),
                billed_device_seconds=0.0,
                outcome=PacketOutcome.LOST,
                error=error,
                loss=loss,
                beside=self.beside,
            )
            for task in self.tasks.values()
        ]


class PacketBroker:
    """Packets first come first served; a lost worker's packets go to the front again.

    Surplus is handed out only where no packet waits, and can be withdrawn until then.

    Short packets are handed out several at a time, for a call costs more than
    they do. Which ones go together is no part of the record.

    A worker that is to go is told so when it asks for more; what it had is handed in by then.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Makes an empty, open broker.

        Args:
            clock: Returns seconds of a clock that only goes forward.
        """
        self._clock = clock
        self._waiting = Waiting()
        self._taken: dict[str, _Taken] = {}
        self._reports: list[Report] = []
        self._staff = Staff()
        self._held = False
        self._closed = False
        self._work = asyncio.Condition()
        self._news = asyncio.Condition()

    async def join(self, worker: str, actor: Any, node: str) -> None:
        """Takes a worker's actor handle, for the runner to kill it by, and where it is."""
        self._staff.join(worker, actor, node)
        await self._look()

    async def steer(self, share: int, avoided: Sequence[str]) -> None:
        """Sets how many workers may stay, and the nodes that they are to leave.

        Those that are to go end with their packet.

        Args:
            share: How many may stay; 0 is as many as come.
            avoided: The nodes' ids.
        """
        self._staff.share = share or math.inf
        self._staff.avoided = frozenset(avoided)
        await self._look()

    async def hold(self, held: bool) -> None:
        """Hands out nothing until it is told otherwise; what workers have, they finish."""
        self._held = held
        await self._look()

    async def offer(self, tasks: list[Task]) -> None:
        """Takes packets to hand out."""
        self._waiting.add(tasks)
        await self._look()

    async def offer_surplus(self, tasks: list[Task]) -> None:
        """Takes packets that no step has asked for yet, to hand out where nothing else waits."""
        self._waiting.add_surplus(tasks)
        await self._look()

    async def retry(self, task: Task) -> None:
        """Puts a lost packet at the front, as its next try."""
        self._waiting.add_again(replace(task, attempt=task.attempt + 1))
        await self._look()

    async def withdraw(self, search: str) -> list[str]:
        """Takes back a search's surplus that no worker has; returns its packets' ids."""
        return self._waiting.withdraw(search)

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
            The packets; none where none came in time, the worker is to go or the broker is
            closed.
        """
        if reports:
            await self.hand_in(worker, reports)
        async with self._work:
            try:
                async with asyncio.timeout(patience):
                    await self._work.wait_for(
                        lambda: self._closed or self._goes(worker) or self._has_for(worker, node)
                    )
            except TimeoutError:
                return []
            if self._closed:
                return []
            if self._goes(worker):
                self._staff.leave(worker)
                self._empty()
                self._work.notify_all()
                return []
            others = self._others(worker)
            for other in others:
                other.beside = True
            tasks = {t.packet.id: t for t in self._waiting.take(node, len(self._staff))}
            began = datetime.now(UTC), self._clock()
            self._taken[worker] = _Taken(tasks, node, *began, beside=bool(others))
            return list(tasks.values())

    def _goes(self, worker: str) -> bool:
        """Tells whether a worker that has nothing to do is to go."""
        return worker in self._staff.leaving(self._taken)

    def _has_for(self, worker: str, node: str) -> bool:
        """Tells whether there is anything that a worker may be handed now."""
        others = self._others(worker)
        alone = any(task.alone for other in others for task in other.tasks.values())
        return not self._held and self._waiting.has_for(node, bool(others), alone)

    def _others(self, worker: str) -> list[_Taken]:
        """Returns what others on a worker's node have."""
        return [self._taken[n] for n in self._staff.beside(worker) if n in self._taken]

    async def hand_in(self, worker: str, reports: list[Report]) -> None:
        """Takes a worker's reports; one on a packet that was given up for lost is dropped."""
        taken, alone = self._taken.get(worker), False
        if taken is None:
            return
        for report in reports:
            if (task := taken.tasks.pop(report.task.packet.id, None)) is not None:
                alone = alone or task.alone
                took = (report.end_time - report.start_time).total_seconds()
                self._waiting.took(report.task.search, took)
                self._reports.append(replace(report, beside=taken.beside))
        if not taken.tasks:
            del self._taken[worker]
        if alone or self._waiting.alone:
            await self._look()
        await self._tell()

    async def _look(self) -> None:
        """Has everybody who waits for work look whether there is any now."""
        self._empty()
        async with self._work:
            self._work.notify_all()

    def _empty(self) -> None:
        """Has nodes emptied for what is to be alone there."""
        if self._waiting.alone:
            self._waiting.empty(self._staff.nodes(self._taken))

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

    async def lost(self, worker: str, error: str, loss: Loss = Loss.DIED) -> None:
        """Notes that a worker is gone: its packets are reported LOST for the runner to judge."""
        self._staff.leave(worker)
        taken = self._taken.pop(worker, None)
        self._reports += taken.lost(error, loss) if taken else []
        await self._look()
        await self._tell()

    async def overdue(self, allowed: Mapping[str, Allowed]) -> list[str]:
        """Returns the workers that have had their packets for longer than these may take.

        Args:
            allowed: By search, how long a packet may take.
        """
        now = self._clock()
        return [
            worker
            for worker, taken in self._taken.items()
            if now - taken.since
            > sum(allowed[t.search].seconds(t.packet) for t in taken.tasks.values())
        ]

    async def close(self) -> None:
        """Ends every wait; workers that ask from now on get nothing and end."""
        self._closed = True
        self._waiting.clear()
        await self._look()

    async def workers(self, names: Sequence[str] | None = None) -> list[Any]:
        """Returns the actor handles of these workers, or of all that joined and haven't gone."""
        return self._staff.actors(names)

    async def busy_workers(self) -> list[Any]:
        """Returns the actor handles of those that have a packet."""
        return self._staff.actors(self._taken)

    async def in_flight(self) -> list[str]:
        """Returns the ids of the packets that workers have and haven't reported."""
        return [packet for taken in self._taken.values() for packet in taken.tasks]

    async def dismissed(self, worker: str) -> bool:
        """Tells whether a worker is to end: it was told to go, or there is no more to come."""
        return self._closed or worker not in self._staff

    async def idle(self) -> int:
        """Returns how many workers have nothing to do and nothing to come."""
        coming = len(self._waiting) + self._waiting.surplus
        return 0 if self._held else max(0, len(self._staff) - len(self._taken) - coming)

    async def load(self) -> Load:
        """Returns what the workers do."""
        return Load(len(self._taken), len(self._waiting), self._staff.held())
