"""Foresight: what a search is likely to ask for next, while its last step still runs.

The scores that the step still owes are imagined a few times over, and the policy itself
is asked what it would do then. What it asks for in most of these imaginations is likely
to be asked for in truth, and idle workers may run it ahead of the plan, as surplus.

Nothing here decides anything: a policy never reads what is imagined, nor a result that
no step has claimed. So a search takes the same steps, whatever ran ahead of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from tuner.record import Comparison, Look, Packet, PlanStep, seed_of
from tuner.search.imagination import Imagination, Known
from tuner.search.record import SearchRecord
from tuner.search.spec import SearchSpec, is_nested

IMAGINED = 8
"""How often the running step's end is imagined."""

LIKELY = 0.75
"""Chance below which nothing runs ahead."""

UNCLAIMED = 0.3
"""Most that surplus may cost which no step has claimed, as a share of the bill so far."""

Ids = tuple[str, ...]
"""The measurements that a packet promises. Packets with the same ones are the same work."""


class Deciding(Protocol):
    """A policy, as far as it is asked for its next step."""

    def next_step(self, record: SearchRecord) -> PlanStep | None:
        """Returns the next plan step; None where the search is over."""
        ...


@dataclass(frozen=True)
class Foreseen:
    """A packet that the next step may ask for.

    Attributes:
        packet: The packet; its id is that of the imagined step.
        ids: What it promises.
        chance: How likely the next step asks for it.
        device_seconds: What it will hardly exceed.
    """

    packet: Packet
    ids: Ids
    chance: float
    device_seconds: float


class Foresight:
    """What one search is likely to ask for next."""

    def __init__(self, spec: SearchSpec, key: str, policy: Deciding) -> None:
        """Makes it of a search. Raises KeyError where the spec hasn't the search.

        Args:
            spec: The spec.
            key: The search's key.
            policy: The search's own; its steps follow from a record alone.
        """
        self._metric = spec.question(key).metric
        self._nested = is_nested(spec, key)
        self._policy = policy

    def next(self, record: SearchRecord) -> list[Foreseen]:
        """Returns what the next step may ask for, the likeliest first.

        It reads what steps have claimed and is final, of the running step too, and
        nothing else. Nothing is foreseen before the first measurement, nor at the end.
        """
        if not record.steps or record.concluded:
            return []
        final = {
            i: record.measurements[i]
            for step in record.steps
            for packet in step.packets
            for i in record.ids(packet)
            if i in record.measurements
        }
        known = Known(final.values(), self._metric, nested=self._nested)
        if not known:
            return []
        counted: dict[Ids, int] = {}
        packets: dict[Ids, Packet] = {}
        for i in range(IMAGINED):
            seed = seed_of(record.job, record.search, len(record.steps), len(final), i)
            ahead = _Imagined(
                record.job, record.search, list(record.steps), dict(final), record.reopened
            )
            ahead.imagine(Imagination(known, seed))
            step = self._policy.next_step(ahead)
            for packet in step.packets if step else ():
                ids = tuple(ahead.ids(packet))
                counted[ids] = counted.get(ids, 0) + 1
                packets.setdefault(ids, packet)
        found = [
            # Half an imagination for and half against: few of them prove nothing.
            Foreseen(packets[ids], ids, (n + 0.5) / (IMAGINED + 1), known.seconds(packets[ids]))
            for ids, n in counted.items()
        ]
        return sorted(found, key=lambda f: -f.chance)


class _Imagined(SearchRecord):
    """A record whose running step has ended in some way."""

    def imagine(self, imagination: Imagination) -> None:
        for packet in self.unfinished():
            for i, member in zip(self.ids(packet), packet.members(), strict=True):
                if i not in self.measurements:
                    self.measurements[i] = imagination.row(self.search, i, packet, member)

    def look(self, comparisons: Iterable[Comparison] = ()) -> Look:
        """Returns none worth reading: its digest would take longer than the rest."""
        return Look(0, "", tuple(comparisons))


def worth_running(
    foreseen: Iterable[Foreseen], unclaimed: float, billed: float
) -> Iterator[Foreseen]:
    """Yields what may run ahead, in its order.

    Args:
        foreseen: What may be asked for and hasn't run.
        unclaimed: Device-seconds of surplus, run or running, that no step has claimed.
        billed: Device-seconds spent so far.
    """
    for packet in foreseen:
        if packet.chance >= LIKELY and unclaimed + packet.device_seconds <= UNCLAIMED * billed:
            unclaimed += packet.device_seconds
            yield packet
