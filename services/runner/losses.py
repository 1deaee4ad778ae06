"""Packets whose worker died: tried again, or called CRASHED themselves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import replace

from tuner.record import Measurement, Outcome
from tuner.search import SearchRecord
from tuner.trials.work import Report, Task

MAX_LOSSES = 3
"""Workers that a packet may take with it before it is called CRASHED itself."""


class Losses:
    """Counts the workers that packets took with them.

    A lost node is never the packet's fault; a worker that dies on a living node may be.
    """

    def __init__(self, bearing: Collection[str] = ()) -> None:
        """Counts from none.

        Args:
            bearing: The searches whose packets bear conditions beside their clean scores.
        """
        self._bearing = bearing
        self._lost: Counter[str] = Counter()

    def again(self, report: Report, node_alive: Callable[[str], bool]) -> Task | None:
        """Returns what is tried next of a packet that was lost once more; None for nothing.

        Where conditions may be what kills its workers, the last try is without them: they
        are never to cost a clean result.

        Args:
            report: How it was lost.
            node_alive: Tells whether a node is still part of the cluster.
        """
        task = report.task
        self._lost[task.packet.id] += node_alive(report.node)
        lost = self._lost[task.packet.id]
        if lost < _most(task):
            return task
        if task.search in self._bearing and not task.bare:
            why = f"its worker died {lost} times, last with: {report.error}; tried without it"
            return replace(task, bare=why)
        return None


def crashed(record: SearchRecord, report: Report) -> tuple[Measurement, ...]:
    """Returns the rows of a packet that took too many workers with it."""
    task = report.task
    return tuple(
        Measurement(
            id=record.id_of(task.packet.phase, member),
            search=task.search,
            phase=task.packet.phase,
            level=member.level,
            setting=member.setting,
            replicate=member.replicate,
            outcome=Outcome.CRASHED,
            error=f"its worker died {_most(task)} times, last with: {report.error}",
            packet=task.packet.id,
            packet_attempt=task.attempt,
        )
        for member in task.packet.members()
    )


def _most(task: Task) -> int:
    """Returns how many workers a packet may take with it, one more without its conditions."""
    return MAX_LOSSES + 1 if task.bare else MAX_LOSSES
