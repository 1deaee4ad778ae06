"""What a policy may read: a search's plan and the measurements that it claimed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from tuner.record import (
    Comparison,
    Look,
    Measurement,
    Member,
    Packet,
    Phase,
    PlanStep,
    StepKind,
    measurement_id,
    record_digest,
)


@dataclass
class SearchRecord:
    """The plan of one search so far, and the final measurements.

    A decision reads only measurements that earlier steps claimed, once all of
    them are final, in the order in which the steps claimed them. So it doesn't
    depend on who measured them, or when.

    Attributes:
        job: The job's resource name.
        search: The search's key.
        steps: Its plan steps, from number 1.
        measurements: Final measurements of the search by id.
        reopened: How many of the steps there were when a search that had concluded was last
            opened again. Those stay as they are, their conclusions as decisions of their time.
    """

    job: str
    search: str
    steps: list[PlanStep] = field(default_factory=list)
    measurements: dict[str, Measurement] = field(default_factory=dict)
    reopened: int = 0
    _ids: dict[str, list[str]] = field(default_factory=dict, repr=False, compare=False)
    _rows: dict[tuple[Phase, float], list[Measurement]] = field(
        default_factory=dict, repr=False, compare=False
    )
    _read: int = field(default=0, repr=False, compare=False)

    def id_of(self, phase: Phase, member: Member) -> str:
        """Returns the measurement's id of a packet's member."""
        return measurement_id(
            self.job, self.search, phase, member.level, member.setting, member.replicate
        )

    def ids(self, packet: Packet) -> list[str]:
        """Returns the measurements' ids that a packet promises, in its own order."""
        ids = self._ids.get(packet.id)
        if ids is None:
            ids = [self.id_of(packet.phase, member) for member in packet.members()]
            self._ids[packet.id] = ids
        return ids

    def unfinished(self) -> list[Packet]:
        """Returns the packets of the last step with any that still owe a measurement.

        A search that was ended from outside, by a budget say, may have been so in the middle
        of a step. Once it is open again, that step comes first.
        """
        last = next((step for step in reversed(self.steps) if step.packets), None)
        if last is None or self.concluded:
            return []
        return [
            packet
            for packet in last.packets
            if any(i not in self.measurements for i in self.ids(packet))
        ]

    @property
    def concluded(self) -> bool:
        """Whether the last step ended the search, and nobody has opened it again."""
        return len(self.steps) > self.reopened and self.steps[-1].kind is StepKind.CONCLUDE

    def reopen(self) -> None:
        """Opens the search again where its last step has ended it: the next one may go on."""
        if self.concluded:
            self.reopened = len(self.steps)

    def claimed(self, phase: Phase | None = None) -> Iterator[Measurement]:
        """Yields the final measurements in the order in which steps claimed them.

        Raises:
            KeyError: One of them isn't final yet: it is too early to decide.
        """
        for step in self.steps:
            for packet in step.packets:
                if phase is None or packet.phase is phase:
                    for i in self.ids(packet):
                        yield self.measurements[i]

    def rows(self, phase: Phase, level: float) -> Sequence[Measurement]:
        """Returns the final measurements at a level, in the order of their claims.

        Raises:
            KeyError: One that was claimed isn't final yet.
        """
        return self._indexed().get((phase, level), ())

    def levels(self, phase: Phase) -> list[int]:
        """Returns the levels that have such measurements, rising. Raises as `rows` does."""
        return sorted(row[0].level for key, row in self._indexed().items() if key[0] is phase)

    def _indexed(self) -> dict[tuple[Phase, float], list[Measurement]]:
        for step in self.steps[self._read :]:
            new = [self.measurements[i] for packet in step.packets for i in self.ids(packet)]
            for row in new:
                self._rows.setdefault((row.phase, row.level), []).append(row)
            self._read += 1
        return self._rows

    def look(self, comparisons: Iterable[Comparison] = ()) -> Look:
        """Returns what a decision that is taken now reads."""
        rows = list(self.claimed())
        return Look(len(rows), record_digest(rows), tuple(comparisons))
