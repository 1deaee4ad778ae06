"""What the coordinator asks of a store. Every backend passes the same conformance suite.

Writes are one transaction each: all of it is durable when the call returns, or
nothing of it happened. Events are numbered per job in the writing transaction,
from 1 without gaps. Calls block; the server runs them in threads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Protocol, Self

from services.coordinator.store.access import Access
from services.coordinator.store.accounts import Accounts
from services.coordinator.store.fence import Fence
from services.coordinator.store.leadership import Leadership
from services.coordinator.store.reading import Reading
from services.coordinator.store.rows import AttemptRow, Extend, JobRow, Recorded
from services.coordinator.store.shares import Shares
from tuner.jobs import Artifact, DatasetFacts, JobState
from tuner.record import Measurement, PacketAttempt, PlanStep
from tuner.spec import JobSpec
from tuner.wire.names import JobName


class Store(Leadership, Access, Accounts, Shares, Reading, Protocol):
    """Jobs, their attempts, and what is written to their record.

    Every call may raise UnavailableError, and every one that writes DeposedError where
    the store is fenced.
    """

    def fenced(self, fence: Fence) -> Self:
        """Returns the same store, whose writes are refused once the lease has another epoch."""
        ...

    def close(self) -> None:
        """Releases the database."""
        ...

    # Jobs

    def create_job(
        self, name: JobName, spec: JobSpec, owner: str, request_id: str
    ) -> tuple[JobRow, bool]:
        """Writes a PENDING job, its searches (PENDING, the baseline's too) and its first event.

        Returns:
            The job, and whether it was made now. The same request_id in the
            same namespace gives the job that it made before.

        Raises:
            AlreadyExistsError: The name is taken by another request, or the
                request_id was used for another spec.
            TunerError: RESOURCE_EXHAUSTED where the namespace has as many jobs as it may.
        """
        ...

    def get_job(self, name: JobName) -> JobRow:
        """Returns the job. Raises NotFoundError."""
        ...

    def list_jobs(
        self, namespace: str | set[str] | None, limit: int, before: str | None = None
    ) -> tuple[list[JobRow], str | None]:
        """Lists jobs, newest first, by key.

        Args:
            namespace: Only this one's, or these ones'; None for all.
            limit: How many at most.
            before: The key that the last page ended with.

        Returns:
            The jobs and the key to go on with; None where there are no more.
        """
        ...

    def jobs_in(self, states: Sequence[JobState]) -> list[JobRow]:
        """Returns every job in one of the states, oldest first."""
        ...

    def set_job_state(
        self, name: JobName, state: JobState, reason: str, expect: Sequence[JobState]
    ) -> JobRow:
        """Moves a job to a state, with its event.

        Entering RUNNING first sets start_time; entering an end state sets
        end_time, ends the live attempt, and moves searches that haven't ended
        to CANCELLED (for CANCELLED) or FAILED (for FAILED). Entering PAUSED
        ends the live attempt, too. A job that comes to rest has no share any
        more. An end of which somebody is to be told is noted.

        Raises:
            NotFoundError: There is no such job.
            WrongStateError: It is in none of the expected states.
        """
        ...

    def reopen_job(
        self,
        name: JobName,
        by: str,
        reason: str,
        expect: Sequence[JobState],
        extend: Extend | None = None,
        request: tuple[str, str] | None = None,
    ) -> JobRow:
        """Moves a job that rests or has ended back into the queue, on its record.

        Searches that the job's end closed are open again; where it is extended,
        every search is, and a JobExtended event has the new spec.

        Args:
            name: The job.
            by: Who asks.
            reason: Why it is in the queue.
            expect: The states that it may be in.
            extend: Makes the new spec of the present one; None leaves it. What it raises
                is raised, and nothing has happened.
            request: An id of the request, and a digest of it. The same request again
                changes nothing.

        Raises:
            NotFoundError: There is no such job.
            WrongStateError: It is in none of the expected states, or has ended with
                every search concluded and isn't extended.
            AlreadyExistsError: The id was used for a request with another digest.
        """
        ...

    def jobs_to_notify(self, limit: int) -> list[JobRow]:
        """Returns jobs of whose end somebody is still to be told; those that ended last first."""
        ...

    def notified(self, name: JobName, sequence: int) -> None:
        """Notes that a job's end has been told, or won't be.

        Args:
            name: The job.
            sequence: Its last event then. Where it has gone on since, nothing changes.

        Raises:
            NotFoundError: There is no such job.
        """
        ...

    def delete_job(self, name: JobName) -> set[str]:
        """Removes a job that has ended, with its record.

        Returns:
            The digests of the files that it referenced: its own and its data's.

        Raises:
            NotFoundError: There is no such job.
            WrongStateError: It hasn't ended.
        """
        ...

    # Attempts

    def create_attempt(self, name: JobName, submission_id: str, code_hash: str) -> AttemptRow:
        """Starts the next attempt with a new epoch; an earlier live one is ended as superseded.

        The submission id may contain "{attempt}", which becomes its number.

        Raises:
            NotFoundError: There is no such job.
            WrongStateError: The job has ended, or is paused.
        """
        ...

    def live_attempt(self, name: JobName) -> AttemptRow | None:
        """Returns the attempt that hasn't ended, or None. Raises NotFoundError."""
        ...

    def attempts(self, name: JobName) -> list[AttemptRow]:
        """Returns every attempt of the job, oldest first. Raises NotFoundError."""
        ...

    def enrol(self, name: JobName, code_hash: str, token_hash: str) -> AttemptRow:
        """Exchanges the code for the token, once, with a RunnerStarted event.

        Raises:
            NotFoundError: There is no such job.
            StaleError: No live attempt has that code. Where it was exchanged
                already, that attempt is ended as compromised.
        """
        ...

    def heartbeat(
        self,
        name: JobName,
        attempt: int,
        epoch: int,
        slots_busy: int = 0,
        packets_waiting: int = 0,
        held: Mapping[str, int] = MappingProxyType({}),
    ) -> AttemptRow:
        """Notes a sign of life, and what the runner holds.

        Args:
            name: The job.
            attempt: The runner's attempt.
            epoch: Its epoch.
            slots_busy: Slots that have a packet.
            packets_waiting: Packets that have no slot.
            held: Slots held, by node.

        Raises:
            NotFoundError: There is no such job.
            StaleError: The attempt or epoch is superseded, or has ended.
        """
        ...

    def end_attempt(
        self, name: JobName, attempt: int, epoch: int, outcome: str, reason: str
    ) -> None:
        """Ends an attempt; ending it again is a no-op. Raises NotFoundError, StaleError."""
        ...

    # The record. Each of these checks attempt and epoch in its own transaction.

    def commit_step(self, name: JobName, attempt: int, epoch: int, step: PlanStep) -> bool:
        """Appends a decision with its event, and moves the search's state with it.

        A search's first step makes it RUNNING, a concluding one CONCLUDED (or
        FAILED for Conclusion.FAILED) with the step's decision as the reason.

        Returns:
            True where exactly this step was there already.

        Raises:
            NotFoundError: There is no such job or search.
            StaleError: The attempt or epoch is superseded, or has ended.
            AlreadyExistsError: Another step has that number.
            WrongStateError: The number leaves a gap, or the search has ended.
        """
        ...

    def record(
        self,
        name: JobName,
        attempt: int,
        epoch: int,
        measurements: Sequence[Measurement],
        packet_attempts: Sequence[PacketAttempt],
        surplus: Sequence[Measurement] = (),
        payloads: Sequence[bytes] = (),
    ) -> Recorded:
        """Appends measurements and packet attempts, with their events, and keeps surplus.

        The first row of an id is final. The same result again changes nothing;
        another result is kept as a packet attempt with outcome CONFLICT. The
        same packet attempt (runner attempt, packet, number) again changes
        nothing. Surplus has no event and is no measurement before it is recorded
        as one; the first row of an id stays.

        Args:
            name: The job.
            attempt: The runner's attempt.
            epoch: Its epoch.
            measurements: Results.
            packet_attempts: Tries at packets.
            surplus: Results that ran ahead of the plan.
            payloads: The measurements' own messages, serialised, without record_time and
                unknown fields, one each in their order, where the caller has them from the
                wire: they are what is kept, and packing them again is most of the work.

        Raises:
            NotFoundError: There is no such job or search.
            StaleError: The attempt or epoch is superseded, or has ended.
            TunerError: INVALID_ARGUMENT where predictions don't lie in a file of the job.
        """
        ...

    def describe_dataset(
        self, name: JobName, attempt: int, epoch: int, facts: DatasetFacts
    ) -> bool:
        """Records what the job's data turned out to be; what was recorded first stays.

        Returns:
            True where the same data, by its digest, was recorded before.

        Raises:
            NotFoundError: There is no such job.
            StaleError: The attempt or epoch is superseded, or has ended.
            DataChangedError: Other data was recorded before.
        """
        ...

    def attach(self, name: JobName, attempt: int, epoch: int, artifact: Artifact) -> None:
        """Notes that a file is the job's; one that had its name is so no more.

        Raises:
            NotFoundError: There is no such job.
            StaleError: The attempt or epoch is superseded, or has ended.
        """
        ...
