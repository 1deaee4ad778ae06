"""What is simulated, and what became of it, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from services.coordinator.scheduling.model import Shape


@dataclass(frozen=True)
class Work:
    """A job to be simulated.

    Attributes:
        name: Its name.
        namespace: Whose it is.
        shape: What a slot of it reserves.
        packets: How many packets it takes.
        width: How many of them may run at once.
        seconds: The least and the most that a packet takes.
        arrives: When it is submitted.
        priority: Its priority.
        limit: Its own most slots; None is as many as fit.
    """

    name: str
    namespace: str
    shape: Shape
    packets: int
    width: int
    seconds: tuple[float, float]
    arrives: float = 0.0
    priority: int = 0
    limit: int | None = None


@dataclass
class Story:
    """What became of a job.

    Attributes:
        slot_seconds: What it held, over time.
        first_slot: When it got its first slot; None where it never did.
        longest_wait: Its longest time without a slot, before it had ended.
        ended: When it ended; None where it didn't.
        returns: How often it was sent back to the queue.
    """

    slot_seconds: float = 0.0
    first_slot: float | None = None
    longest_wait: float = 0.0
    ended: float | None = None
    returns: int = 0


@dataclass
class Report:
    """What happened.

    Attributes:
        jobs: By job.
        slot_seconds: What namespaces held, over time.
        lengths: How long each stretch lasted in which a job wanted a slot, had a right to it,
            room for it, and nothing was reserved.
        most_slots: Most slots that each namespace held at once.
        most_jobs: Most jobs of each that were out of the queue at once.
        most_inside: Most jobs in all that were.
        reserved_idle_share: The largest hourly share of the cluster that was kept idle.
        reservations: How many nodes were kept for a job, one after the other.
        busy_share: What of the cluster had a packet, over time.
        changes: How often a share changed.
        decisions: Every decision's shares, in order.
    """

    jobs: dict[str, Story] = field(default_factory=dict)
    slot_seconds: dict[str, float] = field(default_factory=dict)
    lengths: list[float] = field(default_factory=list)
    most_slots: dict[str, int] = field(default_factory=dict)
    most_jobs: dict[str, int] = field(default_factory=dict)
    most_inside: int = 0
    reserved_idle_share: float = 0.0
    reservations: int = 0
    busy_share: float = 0.0
    changes: int = 0
    decisions: list[Mapping[str, int | None]] = field(default_factory=list)
