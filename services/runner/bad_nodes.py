"""Nodes that lose packet after packet while others lose none."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Collection

LOST_PACKETS = 3
"""So many packets lost on one node, and none elsewhere, speak against the node."""

WINDOW_SECONDS = 600.0
"""How long a loss counts."""

FIRST_REST_SECONDS, LONGEST_REST_SECONDS = 600.0, 4 * 3600.0
"""How long such a node is kept off: twice as long every time that it happens again."""


class BadNodes:
    """Counts lost packets by node.

    A packet counts once on a node, for one that kills its workers goes on to do so.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Counts from none.

        Args:
            clock: Returns seconds of a clock that only goes forward.
        """
        self._clock = clock
        self._lock = threading.Lock()
        self._losses: deque[tuple[float, str, str]] = deque()
        self._until: dict[str, float] = {}
        self._times: Counter[str] = Counter()

    def lost(self, node: str, packet: str) -> None:
        """Notes that a node has lost a packet."""
        with self._lock:
            self._losses.append((self._clock(), node, packet))

    def avoided(self, nodes: Collection[str]) -> set[str]:
        """Returns which of these nodes are to be kept off now.

        Args:
            nodes: The living ones that a slot fits on. A node is judged beside others only.
        """
        with self._lock:
            now = self._clock()
            while self._losses and self._losses[0][0] < now - WINDOW_SECONDS:
                self._losses.popleft()
            lost: dict[str, set[str]] = {}
            for _, node, packet in self._losses:
                lost.setdefault(node, set()).add(packet)
            if len(lost) == 1 and len(nodes) > 1:
                [(node, packets)] = lost.items()
                if len(packets) >= LOST_PACKETS:
                    rest = min(FIRST_REST_SECONDS * 2 ** self._times[node], LONGEST_REST_SECONDS)
                    self._times[node] += 1
                    self._until[node] = now + rest
                    self._losses.clear()
            return {node for node, until in self._until.items() if until > now and node in nodes}
