"""The packets that wait for a worker, and who may have which."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Collection, Iterable

from tuner.trials.work import Task

BUNDLE_SECONDS = 0.1
"""Packets that are expected to take less together are handed out together."""

BUNDLE_PACKETS = 32
"""Most packets handed out together."""

_MEMORY = 0.7
"""How much of the expected time of a search's packets outlives a report."""


class Waiting:
    """Packets first come first served; surplus where nothing else waits.

    One that is to be alone has a node emptied for it: who is busy there goes on to the end
    of his packet, and nobody there gets another before that one has ended.
    """

    def __init__(self) -> None:
        """Makes it empty."""
        self._packets: deque[Task] = deque()
        self._surplus: deque[Task] = deque()
        self._alone: deque[Task] = deque()
        self._emptied: set[str] = set()
        self._seconds: dict[str, float] = {}

    def __len__(self) -> int:
        """Returns how many wait, without surplus."""
        return len(self._packets) + len(self._alone)

    @property
    def surplus(self) -> int:
        """How much surplus waits."""
        return len(self._surplus)

    @property
    def alone(self) -> int:
        """How many of them are to be alone."""
        return len(self._alone)

    def add(self, tasks: Iterable[Task]) -> None:
        """Puts packets at the end."""
        self._packets.extend(tasks)

    def add_surplus(self, tasks: Iterable[Task]) -> None:
        """Takes packets that no step has asked for yet."""
        self._surplus.extend(tasks)

    def add_again(self, task: Task) -> None:
        """Puts a packet to the front."""
        (self._alone if task.alone else self._packets).appendleft(task)

    def withdraw(self, search: str) -> list[str]:
        """Takes a search's surplus away; returns its packets' ids."""
        gone = [task.packet.id for task in self._surplus if task.search == search]
        self._surplus = deque(task for task in self._surplus if task.search != search)
        return gone

    def clear(self) -> None:
        """Forgets all."""
        for queue in (self._packets, self._surplus, self._alone):
            queue.clear()
        self._emptied.clear()

    def empty(self, nodes: Collection[str]) -> None:
        """Has as many of these nodes emptied as there are packets that are to be alone.

        Args:
            nodes: Those that have workers, the best first.
        """
        self._emptied.intersection_update(nodes)
        for node in nodes:
            if len(self._emptied) >= len(self._alone):
                break
            self._emptied.add(node)

    def has_for(self, node: str, others_busy: bool, alone_there: bool) -> bool:
        """Tells whether there is anything for a worker.

        Args:
            node: Where it is.
            others_busy: Whether another one is busy there.
            alone_there: Whether that one's packet is to be alone.
        """
        if alone_there:
            return False
        if node in self._emptied:
            return not others_busy
        return bool(self._packets or self._surplus)

    def take(self, node: str, workers: int) -> list[Task]:
        """Takes off what a worker gets next: one, or as many as are short.

        A packet that was lost before goes alone in its bundle, so that no other is lost with
        it. There must be something for the worker.

        Args:
            node: Where it is.
            workers: How many there are in all; a bundle leaves others their share.
        """
        if node in self._emptied:
            self._emptied.discard(node)
            return [self._alone.popleft()]
        if not self._packets:
            return [self._surplus.popleft()]
        most = min(BUNDLE_PACKETS, len(self._packets) // (2 * max(workers, 1)))
        tasks = [self._packets.popleft()]
        seconds = self._expected(tasks[0])
        while len(tasks) < most:
            seconds += self._expected(self._packets[0])
            if seconds > BUNDLE_SECONDS:
                break
            tasks.append(self._packets.popleft())
        return tasks

    def took(self, search: str, seconds: float) -> None:
        """Learns how long a packet of a search took."""
        known = self._seconds.get(search, seconds)
        # At once up, slowly down: a bundle that is too long keeps others waiting.
        self._seconds[search] = max(seconds, _MEMORY * known + (1 - _MEMORY) * seconds)

    def _expected(self, task: Task) -> float:
        """Returns the seconds that a packet is expected to take; endless where nothing is known."""
        return self._seconds.get(task.search, math.inf) if task.attempt == 1 else math.inf
