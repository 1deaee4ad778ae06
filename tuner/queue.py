"""The queue and the namespaces that share the cluster, as plain data."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from tuner.jobs import JobState


@dataclass(frozen=True)
class Quota:
    """What a namespace's jobs may take.

    Attributes:
        weight: Its share beside others that want more than there is.
        max_running_jobs: Jobs that run at once; None for no quota.
        max_slots: Slots held at once.
        max_device_hours: Device-hours in any 30 days.
        max_jobs: Jobs that exist, ended ones too.
    """

    weight: float = 1.0
    max_running_jobs: int | None = None
    max_slots: int | None = None
    max_device_hours: float | None = None
    max_jobs: int | None = None


@dataclass(frozen=True)
class Namespace:
    """Whose jobs they are, what those may take, and what they take now.

    Attributes:
        name: Its name alone.
        quota: Its weight and quotas.
        running_jobs: Jobs that run.
        slots_held: Slots that they hold.
        device_hours: Device-hours of the last 30 days.
    """

    name: str
    quota: Quota = Quota()
    running_jobs: int = 0
    slots_held: int = 0
    device_hours: float = 0.0


@dataclass(frozen=True)
class QueueEntry:
    """A job that waits or runs.

    Attributes:
        job: Its resource name.
        display_name: What people call it.
        owner: Who submitted it.
        state: Where it stands.
        priority: Its priority.
        position: Place from 1; 0 where it runs.
        reason: Why it waits, or why its share is what it is.
        share: Slots that it is granted.
        slots_held: Slots that it holds.
        packets_waiting: Packets of it that wait for a slot.
        create_time: When it was submitted.
    """

    job: str
    display_name: str
    owner: str
    state: JobState
    priority: int = 0
    position: int = 0
    reason: str = ""
    share: int = 0
    slots_held: int = 0
    packets_waiting: int = 0
    create_time: datetime | None = None


@dataclass(frozen=True)
class Queue:
    """All that waits and runs.

    Attributes:
        entries: Those that run, then those that wait, in the order in which they would start.
        capacity: Slots' worth of devices, or cores where there are none, of the cluster.
        reserved: What of it reservations keep idle now.
        reserved_idle_share: What of it they kept idle in the last hour, from 0 to 1.
        leader: Who schedules; empty where nobody does.
        leader_since: Since when; None where nobody does.
    """

    entries: tuple[QueueEntry, ...] = ()
    capacity: float = 0.0
    reserved: float = 0.0
    reserved_idle_share: float = 0.0
    leader: str = ""
    leader_since: datetime | None = None
