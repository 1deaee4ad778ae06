"""What becomes of a packet that was lost, or lacked memory: tried again, or final."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

from services.runner.bearings import bearings
from services.runner.losses import Losses, given_up
from tuner.record import Measurement, Outcome, PacketOutcome
from tuner.search import SearchRecord
from tuner.spec import JobSpec
from tuner.trials.work import Report, Task


class Front(Protocol):
    """The broker as it is seen here."""

    def retry(self, task: Task) -> None:
        """Puts a packet at the front, as its next try."""
        ...


class Retries:
    """Judges the reports of one job."""

    def __init__(self, spec: JobSpec, packets: Front, on_lost: Callable[[str, str], None]) -> None:
        """Takes the parts.

        Args:
            spec: The job's spec.
            packets: The broker.
            on_lost: Called with a node and a packet that it has lost.
        """
        self._packets = packets
        self._on_lost = on_lost
        self._losses = Losses(bearings(spec), whole_devices=spec.resources.gpus >= 1)

    def judged(
        self, report: Report, record: SearchRecord, node_alive: Callable[[str], bool]
    ) -> tuple[Report, Sequence[Measurement]]:
        """Offers again what is to be tried again.

        Args:
            report: How a try at a packet of the plan ended.
            record: Its search.
            node_alive: Tells whether a node is still part of the cluster.

        Returns:
            The report, with the reason where something isn't final; the rows that are.
        """
        if report.outcome is not PacketOutcome.LOST:
            again = self._losses.lacking(report)
            report = _without_lack(report) if again else report
            rows: Sequence[Measurement] = report.measurements
        else:
            self._on_lost(report.node, report.task.packet.id)
            if not node_alive(report.node):
                report = replace(report, error=f"its node was lost: {report.error}")
            again = self._losses.again(report, node_alive)
            rows = () if again else given_up(record, report)
        for task in reversed(again):
            self._packets.retry(task)
        return report, rows

    def judged_surplus(self, report: Report, ended_by_us: bool) -> Report:
        """Returns a report on what ran ahead without what isn't final; nothing is tried again.

        Should a step claim it, it is the plan's.
        """
        if report.outcome is not PacketOutcome.LOST:
            return _without_lack(report) if self._losses.lacking(report) else report
        if not ended_by_us:
            self._on_lost(report.node, report.task.packet.id)
        return report


def _without_lack(report: Report) -> Report:
    out = Outcome.OUT_OF_MEMORY
    final = tuple(row for row in report.measurements if row.outcome is not out)
    lacked = len(report.measurements) - len(final)
    why = f"{lacked} lacked memory while others used it; to be tried alone"
    return replace(report, measurements=final, error=why)
