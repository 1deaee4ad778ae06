"""The cluster's nodes, and what is left of them while slots are handed out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from services.coordinator.scheduling.model import Job, Shape


class Room:
    """Nodes that fill up. What didn't fit a node once fits it no more."""

    def __init__(self, nodes: Mapping[str, Shape], order: Iterable[str]) -> None:
        """Takes what each node has left, and the order in which they are filled."""
        self._left = dict(nodes)
        self._order = [node for node in order if node in self._left]
        # By job, how many nodes at the front have no room for it any more.
        self._full: dict[str, int] = {}

    def take(self, node: str, shape: Shape, slots: int = 1) -> None:
        """Takes so many slots' worth of a node, which may lack it: others hold it still."""
        self._left[node] = self._left[node].plus(shape, -slots)

    def place(self, job: Job, barred: frozenset[str]) -> str | None:
        """Takes a slot of the job; returns its node, or None where it fits none."""
        at = self._full.get(job.name, 0)
        while at < len(self._order):
            node = self._order[at]
            if node not in barred and job.shape.fits(self._left[node]):
                self.take(node, job.shape)
                self._full[job.name] = at
                return node
            at += 1
        self._full[job.name] = at
        return None


def free_now(nodes: Mapping[str, Shape], jobs: Iterable[Job]) -> dict[str, Shape]:
    """Returns what nobody holds, by node."""
    free = dict(nodes)
    for job in jobs:
        for node, slots in job.held.items():
            if node in free:
                free[node] = free[node].plus(job.shape, -slots)
    return free


def total(nodes: Iterable[Shape]) -> Shape:
    """Returns what the nodes have together."""
    whole = Shape(0.0, 0.0)
    for node in nodes:
        whole = whole.plus(node)
    return whole


def obtainable(
    shape: Shape,
    free: Mapping[str, Shape],
    barred: frozenset[str],
    releasing: Iterable[tuple[Job, int]],
) -> int:
    """Returns how many more slots of a shape will find room without a node being kept for it.

    Slots fit what is free; and each slot that another gives up makes room for one, if
    one is enough on whichever node it happens.

    Args:
        shape: What one of them reserves.
        free: What nobody holds, by node.
        barred: Nodes that can't be used.
        releasing: Jobs with how many slots they will give up.
    """
    found = sum(shape.times(room) for node, room in free.items() if node not in barred)
    for other, slots in releasing:
        at = [node for node in other.held if node in free]
        if at and all(
            node not in barred and shape.fits(free[node].plus(other.shape)) for node in at
        ):
            found += slots
    return found
