"""Virtual workers: what a schedule of packets takes, without waiting for it."""

from __future__ import annotations

import heapq
from collections.abc import Iterable


class Workers:
    """Workers that take packets one after another; time is counted, not spent.

    Attributes:
        device_seconds: What all of them worked.
    """

    def __init__(self, count: int) -> None:
        """Makes so many idle workers, at time 0. Raises ValueError for fewer than one."""
        if count < 1:
            raise ValueError(f"{count} workers do no work; there must be at least one")
        self._free = [0.0] * count
        self.device_seconds = 0.0

    @property
    def now(self) -> float:
        """When the last worker is done with what it has, in seconds."""
        return max(self._free)

    @property
    def idle_at(self) -> float:
        """When the first worker is done with what it has, in seconds."""
        return self._free[0]

    def start(self, seconds: float, at: float = 0.0) -> float:
        """Gives the next packet to the worker that is free first; returns when it ends.

        Args:
            seconds: What the packet takes.
            at: When it becomes known: it can't start before.

        Raises:
            ValueError: It takes less than no time.
        """
        if seconds < 0:
            raise ValueError(f"a packet can't take {seconds} s")
        end = max(heapq.heappop(self._free), at) + seconds
        heapq.heappush(self._free, end)
        self.device_seconds += seconds
        return end

    def run(self, packets: Iterable[float]) -> float:
        """Runs a step: its packets in their order, none before the step before is done.

        Graham's list scheduling (1966). Returns when the last of them ends.
        """
        known = self.now
        for seconds in packets:
            self.start(seconds, known)
        return self.now
