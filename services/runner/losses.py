"""Packets whose worker died: tried again, or called CRASHED themselves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from tuner.record import Measurement, Outcome
from tuner.search import SearchRecord
from tuner.trials.work import Report

MAX_LOSSES = 3
"""Workers that a packet may take with it before it is called CRASHED itself."""


class Losses:
    """Counts the workers that packets took with them.

    A lost node is never the packet's fault; a worker that dies on a living node may be.
    """

    def __init__(self) -> None:
        """Counts from none."""
        self._lost: Counter[str] = Counter()

    def forgiven(self, report: Report, node_alive: Callable[[str], bool]) -> bool:
        """Tells whether a packet that was lost once more is to be tried again.

        Args:
            report: How it was lost.
            node_alive: Tells whether a node is still part of the cluster.
        """
        packet = report.task.packet.id
        self._lost[packet] += node_alive(report.node)
        return self._lost[packet] < MAX_LOSSES


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
            error=f"its worker died {MAX_LOSSES} times, last with: {report.error}",
            packet=task.packet.id,
            packet_attempt=task.attempt,
        )
        for member in task.packet.members()
    )
