"""What runs ahead of a job's plan: offered to idle slots, unread until a step claims it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from tuner.record import Measurement, PacketOutcome
from tuner.search import SearchRecord
from tuner.search.foresight import Deciding, Foreseen, Foresight, Ids, worth_running
from tuner.spec import JobSpec
from tuner.trials.work import Report, Task

LOOKING = 0.1
"""Most of its time that a runner spends on looking ahead: reports come first."""


class SurplusPackets(Protocol):
    """The broker as it is seen here."""

    def offer_surplus(self, tasks: list[Task]) -> None:
        """Takes packets that no step has asked for yet, for slots that would be idle."""
        ...

    def withdraw(self, search: str) -> list[str]:
        """Takes back a search's surplus that no slot has; returns its packets' ids."""
        ...

    def idle(self) -> int:
        """Returns how many slots have nothing to do and nothing to come."""
        ...


@dataclass(frozen=True)
class _Out:
    """A packet that was offered and hasn't been reported."""

    search: str
    ids: Ids
    device_seconds: float


class Surplus:
    """The packets and results of one job that no step has claimed.

    Results are kept apart from the searches' records, so that no policy can read them. A
    packet that was lost once isn't offered again: should a step claim it, it is the plan's.
    """

    def __init__(
        self,
        job: str,
        attempt: int,
        spec: JobSpec,
        policies: Mapping[str, Deciding],
        packets: SurplusPackets,
        rows: Iterable[Measurement],
    ) -> None:
        """Takes the parts.

        Args:
            job: The job's resource name.
            attempt: The runner's attempt, which its packets are named after.
            spec: The job's spec. Nothing is offered unless it says `resources.speculate`.
            policies: By search, its policy.
            packets: The broker.
            rows: What earlier attempts ran ahead and no step has claimed.
        """
        self._job = job
        self._attempt = attempt
        self._spec = spec
        self._packets = packets
        self._rows = {m.id: m for m in rows}
        self._foresight = {key: Foresight(spec, key, policies[key]) for key in policies}
        self._foreseen: dict[str, tuple[tuple[int, int], list[Foreseen]]] = {}
        self._out: dict[str, _Out] = {}
        self._lost: set[Ids] = set()
        self._offered = 0
        self._not_before = 0.0

    @property
    def running(self) -> bool:
        """Whether any of its packets was offered and hasn't been reported."""
        return bool(self._out)

    def offer(self, records: Mapping[str, SearchRecord], billed: float) -> None:
        """Offers idle slots what the searches are likely to ask for next.

        Args:
            records: The searches' records by key.
            billed: Device-seconds that the job has spent.
        """
        if not self._spec.resources.speculate or time.monotonic() < self._not_before:
            return
        idle = self._packets.idle()
        if idle <= 0:
            return
        began = time.monotonic()
        searches = {f.ids: key for key, record in records.items() for f in self._look(key, record)}
        fresh = [f for key, record in records.items() for f in self._fresh(key, record)]
        fresh.sort(key=lambda f: -f.chance)
        for f in [*worth_running(fresh, self._unclaimed(records), billed)][:idle]:
            self._offer(searches[f.ids], f)
        ended = time.monotonic()
        self._not_before = ended + (ended - began) * (1 / LOOKING - 1)

    def _look(self, key: str, record: SearchRecord) -> list[Foreseen]:
        """Returns what a search may ask for, anew where anything has become final."""
        now = len(record.steps), len(record.measurements)
        if key not in self._foreseen or self._foreseen[key][0] != now:
            # Where all is final, the next step comes before any slot could be given work.
            found = self._foresight[key].next(record) if record.unfinished() else []
            self._foreseen[key] = now, found
        return self._foreseen[key][1]

    def _fresh(self, key: str, record: SearchRecord) -> Iterator[Foreseen]:
        there = {i for out in self._out.values() for i in out.ids}
        there.update(self._rows, record.measurements, _owed(record))
        for f in self._look(key, record):
            if f.ids not in self._lost and not there.issuperset(f.ids):
                yield f

    def _unclaimed(self, records: Mapping[str, SearchRecord]) -> float:
        """Returns the device-seconds at stake: of results, and of what runs at its dearest."""
        owed = {i for record in records.values() for i in _owed(record)}
        run = sum(m.billed_device_seconds for m in self._rows.values())
        return run + sum(o.device_seconds for o in self._out.values() if not owed.issuperset(o.ids))

    def _offer(self, key: str, foreseen: Foreseen) -> None:
        self._offered += 1
        # Its own name: the step that may claim it has a number and places of its own.
        packet = replace(foreseen.packet, id=f"{key}:ahead:{self._attempt}-{self._offered}")
        search = self._spec.search(key)
        self._out[packet.id] = _Out(key, foreseen.ids, foreseen.device_seconds)
        self._packets.offer_surplus([Task(packet, self._job, key, search.learner, search.axis)])

    def claim(self, record: SearchRecord) -> list[Measurement]:
        """Returns the results that the record's last step owes, as its packets' own.

        They leave the surplus.
        """
        return [
            replace(self._rows.pop(i), packet=packet.id)
            for packet in record.unfinished()
            for i in record.ids(packet)
            if i in self._rows
        ]

    def withdraw(self, search: str) -> None:
        """Takes back what no slot has: a step goes first, and the next look is another."""
        if any(out.search == search for out in self._out.values()):
            for packet in self._packets.withdraw(search):
                del self._out[packet]

    def brings(self, ids: Iterable[str]) -> bool:
        """Tells whether all of these measurements are on their way already."""
        return {i for out in self._out.values() for i in out.ids}.issuperset(ids)

    def owns(self, packet: str) -> bool:
        """Tells whether a packet runs ahead, by its id."""
        return packet in self._out

    def take_in(self, report: Report, record: SearchRecord) -> None:
        """Takes the results of a packet of its own that the record hasn't; a lost one has none."""
        out = self._out.pop(report.task.packet.id)
        if report.outcome is PacketOutcome.LOST:
            self._lost.add(out.ids)
        for m in report.measurements:
            if m.id not in record.measurements:
                self._rows.setdefault(m.id, m)

    def kept(self, rows: Sequence[Measurement]) -> list[Measurement]:
        """Returns those of these results that no step has claimed."""
        return [m for m in rows if m.id in self._rows]


def _owed(record: SearchRecord) -> set[str]:
    return {i for packet in record.unfinished() for i in record.ids(packet)}
