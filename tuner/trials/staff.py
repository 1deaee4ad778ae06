"""The workers that a broker has: who they are, where, and which of them are to go."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Worker:
    """A slot's worker.

    Attributes:
        actor: Its actor handle, to kill it by.
        node: The node that it runs on.
    """

    actor: Any
    node: str


class Staff:
    """Workers in the order in which they started.

    Attributes:
        share: How many may stay.
        avoided: Nodes that they are to leave.
    """

    def __init__(self) -> None:
        """Makes it of nobody, with room for all."""
        self.share = math.inf
        self.avoided: frozenset[str] = frozenset()
        self._workers: dict[str, Worker] = {}

    def __len__(self) -> int:
        """Returns how many there are."""
        return len(self._workers)

    def __contains__(self, worker: str) -> bool:
        """Tells whether this worker is one of them."""
        return worker in self._workers

    def join(self, worker: str, actor: Any, node: str) -> None:
        """Takes one on."""
        self._workers[worker] = Worker(actor, node)

    def leave(self, worker: str) -> None:
        """Forgets one; nothing where it isn't there."""
        self._workers.pop(worker, None)

    def actors(self, workers: Collection[str] | None = None) -> list[Any]:
        """Returns the actor handles, of these workers or of all."""
        return [w.actor for name, w in self._workers.items() if workers is None or name in workers]

    def held(self) -> Mapping[str, int]:
        """Returns how many there are, by node."""
        return dict(Counter(worker.node for worker in self._workers.values()))

    def beside(self, worker: str) -> list[str]:
        """Returns the others on a worker's node."""
        found = self._workers.get(worker)
        if found is None:
            return []
        return [n for n, w in self._workers.items() if w.node == found.node and n != worker]

    def nodes(self, busy: Collection[str]) -> list[str]:
        """Returns the nodes that have any, those with the fewest busy ones first."""
        found = dict.fromkeys((worker.node for worker in self._workers.values()), 0)
        for name, worker in self._workers.items():
            found[worker.node] += name in busy
        return sorted(found, key=lambda node: (node in self.avoided, found[node]))

    def leaving(self, busy: Collection[str]) -> set[str]:
        """Returns those that are to go as soon as they have nothing to do.

        Those on avoided nodes, and of the rest as many as are beyond the share: the idle
        ones first, then those that started first.
        """
        if not self.avoided and len(self) <= self.share:
            return set()
        leaving = {name for name, worker in self._workers.items() if worker.node in self.avoided}
        staying = [name for name in self._workers if name not in leaving]
        beyond = len(staying) - self.share
        if beyond > 0:
            staying.sort(key=lambda name: name in busy)
            leaving.update(staying[: int(beyond)])
        return leaving
