"""What passes between the runner, the broker and the slot workers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from tuner.catalog import SAMPLES, Condition, Value
from tuner.record import Measurement, Member, Packet, PacketOutcome
from tuner.robustness.base import Effort


@dataclass(frozen=True)
class Task:
    """A packet on its way to a worker.

    Attributes:
        packet: The packet.
        job: The job's resource name, for the measurements' ids.
        search: The search's key.
        learner: The learner to run.
        axis: The searched axis; "" where there is none.
        attempt: Which try at the packet it is, from 1.
        bare: Why it is tried without the conditions that its search bears, which may have
            killed its workers; empty where it is tried with them.
        alone: Whether no other worker of the job may be busy on its node meanwhile, for its
            memory was too little when some were.
    """

    packet: Packet
    job: str
    search: str
    learner: str
    axis: str
    attempt: int = 1
    bare: str = ""
    alone: bool = False

    def full_setting(self, member: Member) -> dict[str, Value]:
        """Returns every hyperparameter of a member; a size of the training set is none."""
        setting = dict(member.setting)
        if self.axis not in ("", SAMPLES.name):
            setting[self.axis] = member.level
        return setting


@dataclass(frozen=True)
class Allowed:
    """How long a packet of a search may take before its worker is given up.

    Attributes:
        packet: Seconds of any packet.
        member: Seconds more of each of its members.
    """

    packet: float
    member: float = 0.0

    def seconds(self, packet: Packet) -> float:
        """Returns the seconds of this packet."""
        return self.packet + self.member * len(list(packet.members()))


class Loss(StrEnum):
    """How a worker was lost, as far as is known. A node that is gone is found by its id."""

    # It ended, or was ended, by itself.
    DIED = "DIED"
    # Its node had too little memory, and the cluster ended it.
    MEMORY = "MEMORY"
    # It reported nothing for longer than a packet may take.
    STALLED = "STALLED"


@dataclass(frozen=True)
class Load:
    """What a job's slots do.

    Attributes:
        busy: Workers that have a packet.
        waiting: Packets that nobody has.
        held: Workers, busy or not, by node.
    """

    busy: int = 0
    waiting: int = 0
    held: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Report:
    """How one try at a packet ended.

    Attributes:
        task: The try.
        measurements: A row a member, in the packet's order; empty where the
            worker was lost.
        node: The node that it ran on.
        device_type: "cpu" or the accelerator's type.
        start_time: When it was taken.
        end_time: When it ended.
        billed_device_seconds: What it cost.
        outcome: COMPLETED or LOST.
        error: Why it was lost.
        predictions: By measurement id, what it predicted of the test, as
            `tuner.predictions` encodes it; of those that are to be kept.
        loss: How the worker was lost, where it was.
        beside: Whether another worker of the job was busy on its node meanwhile.
    """

    task: Task
    measurements: tuple[Measurement, ...]
    node: str
    device_type: str
    start_time: datetime
    end_time: datetime
    billed_device_seconds: float
    outcome: PacketOutcome
    error: str = ""
    predictions: Mapping[str, bytes] = field(default_factory=dict)
    loss: Loss | None = None
    beside: bool = False


@dataclass(frozen=True)
class Bearing:
    """What a search's learner is made to bear beside its clean scores.

    Attributes:
        measured: Conditions of measuring rows.
        tuned: Conditions of tuning rows: that of the metric that the search is judged on.
        effort: How hard is tried.
        footprint: Whether latency and size are measured of measuring rows.
    """

    measured: tuple[Condition, ...] = ()
    tuned: tuple[Condition, ...] = ()
    effort: Effort = field(default_factory=Effort)
    footprint: bool = False


@dataclass(frozen=True)
class SlotConfig:
    """What every slot worker of a job is told once.

    Attributes:
        job: The job's resource name.
        label: What the dashboard shows beside the worker, such as the job's id.
        seed: The job's seed.
        gpus: Devices reserved by a slot.
        cpus: Cores reserved by a slot.
        threads: Threads that a learner may use.
        packet_timeout_seconds: A packet that takes longer is stopped.
        predictions: Whether what is predicted of the test is kept.
        metrics: The user's own metrics, as "module:function".
        bearings: By search, what its learner is made to bear; nothing where it isn't there.
    """

    job: str
    label: str
    seed: int
    cpus: float
    gpus: float
    threads: int
    packet_timeout_seconds: float
    predictions: bool = True
    metrics: tuple[str, ...] = ()
    bearings: Mapping[str, Bearing] = field(default_factory=dict)

    @property
    def device_share(self) -> float:
        """Share of a device that a slot reserves: of accelerators, or of cores without any."""
        return device_share(self.cpus, self.gpus)


def device_share(cpus: float, gpus: float) -> float:
    """Returns the share of a device that a slot reserves: of accelerators, or of cores."""
    return gpus or cpus
