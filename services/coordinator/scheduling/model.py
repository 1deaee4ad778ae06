"""What the policy is told, and what it answers, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tuner.queue import Quota

TINY = 1e-9
"""Fractions of a device don't add up exactly."""


@dataclass(frozen=True)
class Shape:
    """What a slot reserves, or a node has.

    Attributes:
        cpus: Processor cores.
        gpus: Devices; may be a fraction.
    """

    cpus: float
    gpus: float = 0.0

    @property
    def devices(self) -> float:
        """Devices, or cores where there are none."""
        return self.gpus or self.cpus

    def fits(self, room: Shape) -> bool:
        """Tells whether the room has place for it."""
        return self.cpus <= room.cpus + TINY and self.gpus <= room.gpus + TINY

    def times(self, room: Shape) -> int:
        """Returns how often it fits the room."""
        found = [
            int((has + TINY) / wants)
            for wants, has in ((self.cpus, room.cpus), (self.gpus, room.gpus))
            if wants > 0
        ]
        return max(0, min(found)) if found else 0

    def plus(self, other: Shape, times: int = 1) -> Shape:
        """Returns both together, the other so many times."""
        return Shape(self.cpus + other.cpus * times, self.gpus + other.gpus * times)

    def share_of(self, whole: Shape) -> float:
        """Returns the larger of its shares of the whole's cores and devices, from 0 to 1."""
        shares = [
            part / of for part, of in ((self.cpus, whole.cpus), (self.gpus, whole.gpus)) if of > 0
        ]
        return max(0.0, *shares) if shares else 0.0

    def __str__(self) -> str:
        """Returns, in words, what it is."""
        parts = []
        for count, what in ((self.cpus, "CPU"), (self.gpus, "GPU")):
            if count:
                parts.append(f"{count:g} {what}{'' if count == 1 else 's'}")
        return " and ".join(parts) or "nothing"


@dataclass(frozen=True)
class Job:
    """A job that wants slots, or has some.

    Attributes:
        name: Its name; unique.
        namespace: Whose it is.
        priority: Jobs of a higher one go first.
        shape: What one of its slots reserves.
        created: When it was submitted, in seconds.
        waits_since: When it began to wait, as far as its record tells; None for now.
        limit: Its own most slots; None is as many as fit.
        admitted: Whether it has been let out of the queue, or its runner lives.
        leaving: Whether it is on its way out, paused or cancelled, say: it keeps what it
            has until it is gone, and gets nothing more.
        share: Slots that it was granted last; None where it never was.
        held: Slots that its runner holds, by node.
        busy: Slots that have a packet.
        waiting: Packets that have no slot.
    """

    name: str
    namespace: str
    shape: Shape
    priority: int = 0
    created: float = 0.0
    waits_since: float | None = None
    limit: int | None = None
    admitted: bool = False
    leaving: bool = False
    share: int | None = None
    held: Mapping[str, int] = field(default_factory=dict)
    busy: int = 0
    waiting: int = 0

    @property
    def slots_held(self) -> int:
        """Slots that it holds, wherever."""
        return max(sum(self.held.values()), self.busy)

    @property
    def seniority(self) -> tuple[float, str]:
        """Sorts jobs by when they came."""
        return self.created, self.name


@dataclass(frozen=True)
class Account:
    """What a namespace may take, and has taken.

    Attributes:
        quota: Its weight and quotas.
        device_hours: What its jobs have used in the days that count.
    """

    quota: Quota = field(default_factory=Quota)
    device_hours: float = 0.0

    @property
    def spent(self) -> bool:
        """Whether its device-hours are used up."""
        most = self.quota.max_device_hours
        return most is not None and self.device_hours >= most


@dataclass(frozen=True)
class World:
    """All that a decision is made of.

    Attributes:
        time: Now, in seconds.
        nodes: What each live node has in all; None before the cluster was ever reached.
        jobs: Every job that waits, runs or is leaving.
        accounts: Namespaces of which anything is known.
        bad_nodes: Nodes to keep off.
    """

    time: float
    nodes: Mapping[str, Shape] | None
    jobs: tuple[Job, ...]
    accounts: Mapping[str, Account] = field(default_factory=dict)
    bad_nodes: frozenset[str] = frozenset()

    def account(self, namespace: str) -> Account:
        """Returns what is known of a namespace."""
        return self.accounts.get(namespace, Account())


@dataclass(frozen=True)
class Rules:
    """What an operator has set.

    Attributes:
        max_running_jobs: Jobs that run at once.
        reserve_after: A wide slot that has waited for so many seconds reserves a node.
        reserve_patience: A reservation that isn't filled within so many seconds is given up.
        reserve_idle_share: What of the capacity reservations may keep idle, over an hour, and
            at once where there is more than one node to choose from.
    """

    max_running_jobs: int = 4
    reserve_after: float = 300.0
    reserve_patience: float = 600.0
    reserve_idle_share: float = 0.25


@dataclass(frozen=True)
class Reservation:
    """A node that is kept for a job's next slot.

    Attributes:
        node: Which.
        job: For whom.
        since: Since when, in seconds.
        before: Slots that the job held there then.
    """

    node: str
    job: str
    since: float
    before: int


@dataclass(frozen=True)
class Decision:
    """What is to be done.

    Attributes:
        shares: Slots by job, for those that run or are to: None is as many as fit.
        reasons: Why, or why a job waits, by job; in a sentence.
        admitted: Waiting jobs that may start now.
        order: Waiting jobs, in the order in which they would start.
        avoid: Nodes to keep off, by job.
        reservations: Nodes that are kept for a job.
        capacity: What the cluster has, in devices, or cores where there are none.
        reserved: What of it reservations keep idle now.
        reserved_idle_share: What of it they kept idle in the last hour, from 0 to 1.
    """

    shares: Mapping[str, int | None] = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)
    admitted: tuple[str, ...] = ()
    order: tuple[str, ...] = ()
    avoid: Mapping[str, frozenset[str]] = field(default_factory=dict)
    reservations: tuple[Reservation, ...] = ()
    capacity: float = 0.0
    reserved: float = 0.0
    reserved_idle_share: float = 0.0
