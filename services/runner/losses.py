"""Packets that were lost, or lacked memory: tried again, or given the outcome themselves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import replace

from tuner.record import Measurement, Member, Outcome, PacketOutcome
from tuner.search import SearchRecord
from tuner.trials.work import Loss, Report, Task

MAX_LOSSES = 3
"""Workers that a packet may take with it before it is called CRASHED itself."""

MAX_STALLS = 2
"""Workers that it may hold up before it is called TIMED_OUT."""

_OUTCOMES = {Loss.MEMORY: Outcome.OUT_OF_MEMORY, Loss.STALLED: Outcome.TIMED_OUT}
_NUMBERS = 10
"""Tries that a part of a packet may have: parts are told apart by the numbers of their tries."""


class Losses:
    """Counts the workers that packets took with them.

    A lost node is never the packet's fault; a worker that dies on a living node may be. A
    lack of memory is no packet's fault while others used the same memory: it is tried again
    alone on its node, and at last each of its members by itself.
    """

    def __init__(self, bearing: Collection[str] = (), whole_devices: bool = False) -> None:
        """Counts from none.

        Args:
            bearing: The searches whose packets bear conditions beside their clean scores.
            whole_devices: Whether every slot has a device, and so its memory, to itself.
        """
        self._bearing = bearing
        self._whole_devices = whole_devices
        self._lost: Counter[Task] = Counter()

    def again(self, report: Report, node_alive: Callable[[str], bool]) -> list[Task]:
        """Returns what is tried next of a packet that was lost once more; nothing at the end.

        Where conditions may be what kills its workers, the last try is without them: they
        are never to cost a clean result.

        Args:
            report: How it was lost.
            node_alive: Tells whether a node is still part of the cluster.
        """
        task = report.task
        if not node_alive(report.node):
            return [task]
        if report.loss is Loss.MEMORY and report.beside and not task.alone:
            return [replace(task, alone=True)]
        what = replace(task, attempt=1, alone=False)
        self._lost[what] += 1
        lost = self._lost[what]
        if lost < _most(report):
            return [replace(task, alone=True) if report.loss is Loss.MEMORY else task]
        if task.search in self._bearing and not task.bare and report.loss is not Loss.STALLED:
            why = f"its worker died {lost} times, last with: {report.error}; tried without it"
            bare = replace(task, bare=why)
            self._lost[replace(bare, attempt=1, alone=False)] = lost
            return [bare]
        members = list(task.packet.members())
        if report.loss is Loss.MEMORY and len(members) > 1:
            return _parts(task, members)
        return []

    def lacking(self, report: Report) -> list[Task]:
        """Returns what is tried again of a packet that ended, for lack of memory beside others.

        Its other members' results are final.
        """
        if report.outcome is not PacketOutcome.COMPLETED or not report.beside:
            return []
        if report.task.alone or self._whole_devices:
            return []
        out = Outcome.OUT_OF_MEMORY
        lacked = [row for row in report.measurements if row.outcome is out]
        members = [Member(row.setting, row.level, row.replicate) for row in lacked]
        return _parts(report.task, members)


def given_up(record: SearchRecord, report: Report) -> tuple[Measurement, ...]:
    """Returns the rows of a packet that took too many workers with it."""
    task, what = report.task, "was ended" if report.loss is Loss.STALLED else "died"
    outcome = Outcome.CRASHED if report.loss is None else _OUTCOMES.get(report.loss)
    return tuple(
        Measurement(
            id=record.id_of(task.packet.phase, member),
            search=task.search,
            phase=task.packet.phase,
            level=member.level,
            setting=member.setting,
            replicate=member.replicate,
            outcome=outcome or Outcome.CRASHED,
            error=f"its worker {what} {_most(report)} times, last with: {report.error}",
            packet=task.packet.id,
            packet_attempt=task.attempt,
        )
        for member in task.packet.members()
    )


def _parts(task: Task, members: Iterable[Member]) -> list[Task]:
    """Returns members of a packet as tasks of their own, each alone on its node."""
    return [
        replace(
            task,
            packet=replace(
                task.packet,
                settings=(member.setting,),
                levels=(member.level,),
                replicates=(member.replicate,),
            ),
            attempt=_NUMBERS * (task.attempt // _NUMBERS + place),
            alone=True,
        )
        for place, member in enumerate(members, 1)
    ]


def _most(report: Report) -> int:
    """Returns how many workers a packet may take with it, one more without its conditions."""
    if report.loss is Loss.STALLED:
        return MAX_STALLS
    return MAX_LOSSES + 1 if report.task.bare else MAX_LOSSES
