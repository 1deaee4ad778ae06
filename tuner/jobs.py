"""Jobs, their events and the cluster as the coordinator tells of them, as plain data.

The store keeps these types, the wire carries them, the client hands them out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from tuner.catalog import Value
from tuner.curve import SearchState
from tuner.record import Measurement, PacketAttempt, PlanStep, Setting
from tuner.spec import JobSpec


class JobState(StrEnum):
    """Where a job stands."""

    PENDING = "PENDING"
    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    PAUSING = "PAUSING"
    PAUSED = "PAUSED"
    STOPPING = "STOPPING"
    CANCELLING = "CANCELLING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"

    @property
    def ended(self) -> bool:
        """Whether it stays so for good."""
        return self in (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED)


@dataclass(frozen=True)
class SearchStatus:
    """Where a search stands, and why."""

    key: str
    state: SearchState
    reason: str = ""


@dataclass(frozen=True)
class DatasetFacts:
    """What a job's data turned out to be, recorded before anything is planned.

    Attributes:
        digest: SHA-256 of the content.
        examples: Examples in all.
        test_examples: Those of the test among them.
        classes: Number of classes; 0 where a number is predicted.
        features: Values to an example.
        notes: What its owner should know of it, in sentences.
    """

    digest: str
    examples: int
    test_examples: int
    classes: int
    features: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Artifact:
    """A file that a job has made.

    Attributes:
        name: A relative path, such as "truth.npz".
        sha256: Its content.
        size_bytes: Its size.
        create_time: When it was attached; None where that wasn't told.
    """

    name: str
    sha256: str
    size_bytes: int
    create_time: datetime | None = None


@dataclass(frozen=True)
class JobStatus:
    """A job as the coordinator last told it.

    Attributes:
        name: "namespaces/{namespace}/jobs/{job}"; empty for a spec that was
            only judged.
        spec: What was submitted.
        state: Where it stands.
        reason: Why it stands there.
        create_time: When it was submitted.
        start_time: When it first ran; None before.
        end_time: When it ended; None before.
        last_sequence: The last event's number.
        attempt: The attempt of its runner, 0 before the first.
        searches: Its searches, the baseline's too.
        billed_device_seconds: All that was spent, tuning included.
        queue_position: Place in the queue from 1; 0 where it isn't queued.
        owner: Who submitted it.
        dataset: What its data turned out to be; None before it was read.
        share: Slots that the scheduler grants it now; None before it did.
        slots_held: Slots that its runner last said it holds.
    """

    name: str
    spec: JobSpec
    state: JobState = JobState.PENDING
    reason: str = ""
    create_time: datetime | None = None
    start_time: datetime | None = None
    end_time: datetime | None = None
    last_sequence: int = 0
    attempt: int = 0
    searches: tuple[SearchStatus, ...] = ()
    billed_device_seconds: float = 0.0
    queue_position: int = 0
    owner: str = ""
    dataset: DatasetFacts | None = None
    share: int | None = None
    slots_held: int = 0

    @property
    def id(self) -> str:
        """The last part of the name."""
        return self.name.rpartition("/")[2]


@dataclass(frozen=True)
class JobStateChanged:
    """The job's state changed."""

    state: JobState
    reason: str = ""


@dataclass(frozen=True)
class SearchStateChanged:
    """A search's state changed."""

    search: str
    state: SearchState
    reason: str = ""


@dataclass(frozen=True)
class RunnerStarted:
    """An attempt of the job's runner was enrolled."""

    attempt: int
    submission_id: str


@dataclass(frozen=True)
class RunnerEnded:
    """An attempt of the job's runner has ended.

    Attributes:
        attempt: Which.
        outcome: How, in a word: "COMPLETED", "LOST", "EXPIRED", ...
        reason: How, in a sentence.
    """

    attempt: int
    outcome: str
    reason: str = ""


@dataclass(frozen=True)
class JobExtended:
    """The job was reopened with more.

    Attributes:
        spec: Its spec from then on.
        by: Who asked.
        changes: What is different, in sentences.
    """

    spec: JobSpec
    by: str
    changes: tuple[str, ...] = ()


@dataclass(frozen=True)
class ShareChanged:
    """The scheduler granted the job another share of slots."""

    slots: int
    reason: str = ""


@dataclass(frozen=True)
class UnknownEvent:
    """Something that a newer coordinator tells and this client doesn't know."""


What = (
    JobStateChanged
    | SearchStateChanged
    | RunnerStarted
    | RunnerEnded
    | JobExtended
    | ShareChanged
    | PlanStep
    | Measurement
    | PacketAttempt
)
"""What can happen to a job; all of it is recorded."""


@dataclass(frozen=True)
class Event:
    """One numbered event of a job.

    Attributes:
        sequence: 1, 2, ... without gaps.
        time: When it was recorded; None where that wasn't told.
        what: What happened; its type tells the kind.
    """

    sequence: int
    time: datetime | None
    what: What | UnknownEvent


@dataclass(frozen=True)
class Trial:
    """A candidate and all its measurements.

    Attributes:
        measured: True for the candidate that was measured at its level.
    """

    search: str
    level: int
    setting: Setting
    measurements: tuple[Measurement, ...]
    measured: bool

    @property
    def hyperparameters(self) -> Mapping[str, Value]:
        """The hyperparameters by name, without the level."""
        return dict(self.setting)


@dataclass(frozen=True)
class Node:
    """A machine of the cluster."""

    id: str
    address: str
    cpus: float
    gpus: float
    alive: bool


@dataclass(frozen=True)
class ClusterStatus:
    """The cluster as the coordinator sees it.

    Attributes:
        dashboard_address: Where Ray's dashboard is.
        nodes: Its nodes, dead ones that it remembers among them.
        cpus: Processor cores.
        gpus: Devices.
        cpus_free: Cores that nothing has reserved.
        gpus_free: Devices that nothing has reserved.
        jobs_running: Jobs that have been admitted and haven't ended.
        jobs_queued: Jobs that wait to be admitted.
        server_version: The coordinator's version.
        problem: Why the cluster can't be reached, or what of it couldn't be
            told; empty where all is well.
    """

    dashboard_address: str
    nodes: tuple[Node, ...] = ()
    cpus: float = 0.0
    gpus: float = 0.0
    cpus_free: float = 0.0
    gpus_free: float = 0.0
    jobs_running: int = 0
    jobs_queued: int = 0
    server_version: str = ""
    problem: str = ""
