"""What a store hands out of its own; `tuner.jobs` and `tuner.record` have the rest."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from tuner.jobs import DatasetFacts, JobState, JobStatus, SearchStatus
from tuner.spec import JobSpec
from tuner.wire.names import JobName

Extend = Callable[[JobSpec], tuple[JobSpec, Sequence[str]]]
"""Returns a spec with more in it, and in sentences what is more. Pure."""


@dataclass(frozen=True)
class JobRow:
    """A job as stored.

    Attributes:
        attempt: The last attempt's number; 0 before the first.
        billed_device_seconds: Sum over its packet attempts.
        dataset: What its data turned out to be; None before it was read.
        share: Slots that the scheduler grants it; None before it did.
        share_reason: Why, or why it waits, in a sentence; empty before the scheduler saw it.
        place: Its place in the queue, from 1; means nothing once it runs.
        avoid_nodes: Nodes that its runner is to keep off.
        slots_held: Slots that its live attempt last said it holds.
        reopened: The last event's number when it was last reopened or resumed; 0 where it
            never was.
    """

    name: JobName
    spec: JobSpec
    state: JobState
    reason: str
    owner: str
    create_time: datetime
    start_time: datetime | None
    end_time: datetime | None
    last_sequence: int
    attempt: int
    billed_device_seconds: float
    searches: tuple[SearchStatus, ...]
    dataset: DatasetFacts | None = None
    share: int | None = None
    share_reason: str = ""
    place: int = 0
    avoid_nodes: tuple[str, ...] = ()
    slots_held: int = 0
    reopened: int = 0

    def status(self) -> JobStatus:
        """Returns the job as it is told: one that waits with its place, and what it waits for."""
        waits = self.state is JobState.QUEUED
        return JobStatus(
            name=str(self.name),
            spec=self.spec,
            state=self.state,
            reason=(self.share_reason if waits and not self.share else "") or self.reason,
            create_time=self.create_time,
            start_time=self.start_time,
            end_time=self.end_time,
            last_sequence=self.last_sequence,
            attempt=self.attempt,
            searches=self.searches,
            billed_device_seconds=self.billed_device_seconds,
            queue_position=self.place if waits else 0,
            owner=self.owner,
            dataset=self.dataset,
            share=self.share,
            slots_held=self.slots_held,
        )


@dataclass(frozen=True)
class AttemptRow:
    """One attempt of a job's runner.

    Attributes:
        job: The job.
        number: 1, 2, ...
        epoch: The lease's epoch; a call that carries another is stale.
        submission_id: The Ray job's id.
        code_hash: SHA-256 of the enrolment code; empty once exchanged.
        token_hash: SHA-256 of the runner's token; empty before the exchange.
        create_time: When it was made.
        heartbeat_time: The last sign of life; None before the first.
        end_time: When it ended; None while it lives.
        outcome: How it ended, in a word; empty while it lives.
        reason: How it ended, in a sentence.
        from_sequence: The job's last event when it was made.
        slots_busy: Slots that had a packet at its last heartbeat.
        packets_waiting: Packets that had no slot then.
        held: Slots held then, by node.
    """

    job: JobName
    number: int
    epoch: int
    submission_id: str
    code_hash: str
    token_hash: str
    create_time: datetime
    heartbeat_time: datetime | None
    end_time: datetime | None
    outcome: str
    reason: str
    from_sequence: int = 0
    slots_busy: int = 0
    packets_waiting: int = 0
    held: Mapping[str, int] = field(default_factory=dict)

    def seconds(self, now: datetime) -> float:
        """Returns how long it has lived; never less than 0, though clocks jump back."""
        return max(0.0, ((self.end_time or now) - self.create_time).total_seconds())

    @property
    def slots_held(self) -> int:
        """Slots that it held at its last heartbeat."""
        return sum(self.held.values())


@dataclass(frozen=True)
class Recorded:
    """What became of a batch of measurements."""

    recorded: int
    repeated: int
    conflicting: int
