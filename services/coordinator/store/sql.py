"""The store over SQL: each call is one transaction, done by the module of its subject."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from services.coordinator.store import artifacts, attempts, jobs, plan, reopening, results
from services.coordinator.store.access import SqlAccess
from services.coordinator.store.accounts import SqlAccounts
from services.coordinator.store.base import Store
from services.coordinator.store.database import Database
from services.coordinator.store.errors import StaleError
from services.coordinator.store.leadership import SqlLeadership
from services.coordinator.store.log import Clock, utc_now
from services.coordinator.store.reading import SqlReading
from services.coordinator.store.rows import AttemptRow, Extend, JobRow, Recorded
from services.coordinator.store.schema import migrate
from services.coordinator.store.shares import SqlShares
from tuner.jobs import Artifact, DatasetFacts, JobState
from tuner.record import Measurement, PacketAttempt, PlanStep
from tuner.spec import JobSpec
from tuner.wire.names import JobName


def open_store(url: str, clock: Clock = utc_now, *, migrates: bool = True) -> SqlStore:
    """Opens a database and brings its schema up to date.

    Args:
        url: "sqlite:///FILE" (its folder is made) or
            "postgresql://USER@HOST/DATABASE".
        clock: Tells the time of every row; the server's clock.
        migrates: Whether an older schema in PostgreSQL is migrated, which other coordinators
            may be at work on. SQLite's always is, and an empty database gets one.

    Raises:
        TunerError: INVALID_ARGUMENT where the address is none of those.
        SchemaError: The schema is newer than this code, or isn't ours; or it is older, and
            isn't to be migrated.
        UnavailableError: The database can't be reached.
    """
    database = Database(url)
    try:
        with database.write() as connection:
            migrate(connection, older=migrates or database.is_sqlite)
    except BaseException:
        database.close()
        raise
    return SqlStore(database, clock)


class SqlStore(SqlLeadership, SqlAccess, SqlAccounts, SqlShares, SqlReading, Store):
    """`Store` over SQLite or PostgreSQL; see open_store."""

    def close(self) -> None:
        """Releases the database."""
        self._database.close()

    # Jobs

    def create_job(
        self, name: JobName, spec: JobSpec, owner: str, request_id: str
    ) -> tuple[JobRow, bool]:
        """Does Store.create_job. An empty request_id is never recognised again."""

        def work(connection: sa.Connection) -> tuple[JobRow, bool]:
            return jobs.create(connection, name, spec, owner, request_id, self._clock)

        try:
            return self._written(work)
        except IntegrityError:
            # Another request took the name or the id between our look and our insert.
            return self._written(work)

    def get_job(self, name: JobName) -> JobRow:
        """Does Store.get_job."""
        with self._database.read() as connection:
            return jobs.get(connection, name)

    def list_jobs(
        self, namespace: str | set[str] | None, limit: int, before: str | None = None
    ) -> tuple[list[JobRow], str | None]:
        """Does Store.list_jobs.

        Raises:
            TunerError: INVALID_ARGUMENT where `before` is no key.
        """
        with self._database.read() as connection:
            return jobs.page(connection, namespace, limit, before)

    def jobs_in(self, states: Sequence[JobState]) -> list[JobRow]:
        """Does Store.jobs_in."""
        with self._database.read() as connection:
            return jobs.in_states(connection, states)

    def set_job_state(
        self, name: JobName, state: JobState, reason: str, expect: Sequence[JobState]
    ) -> JobRow:
        """Does Store.set_job_state. A job that has ended stays so, whatever is expected."""
        return self._written(
            lambda connection: jobs.set_state(connection, name, state, reason, expect, self._clock)
        )

    def reopen_job(
        self,
        name: JobName,
        by: str,
        reason: str,
        expect: Sequence[JobState],
        extend: Extend | None = None,
        request: tuple[str, str] | None = None,
    ) -> JobRow:
        """Does Store.reopen_job."""
        return self._written(
            lambda connection: reopening.reopen(
                connection, name, by, reason, expect, extend, request, self._clock
            )
        )

    def jobs_to_notify(self, limit: int) -> list[JobRow]:
        """Does Store.jobs_to_notify."""
        with self._database.read() as connection:
            return jobs.to_notify(connection, limit)

    def notified(self, name: JobName, sequence: int) -> None:
        """Does Store.notified."""
        self._written(lambda connection: jobs.notified(connection, name, sequence, self._clock))

    def delete_job(self, name: JobName) -> set[str]:
        """Does Store.delete_job."""
        return self._written(lambda connection: jobs.delete(connection, name, self._clock))

    # Attempts

    def create_attempt(self, name: JobName, submission_id: str, code_hash: str) -> AttemptRow:
        """Does Store.create_attempt."""
        return self._written(
            lambda connection: attempts.create(
                connection, name, submission_id, code_hash, self._clock
            )
        )

    def live_attempt(self, name: JobName) -> AttemptRow | None:
        """Does Store.live_attempt."""
        with self._database.read() as connection:
            return attempts.live(connection, name)

    def attempts(self, name: JobName) -> list[AttemptRow]:
        """Does Store.attempts."""
        with self._database.read() as connection:
            return attempts.all_of(connection, name)

    def enrol(self, name: JobName, code_hash: str, token_hash: str) -> AttemptRow:
        """Does Store.enrol; the exchange counts as a sign of life.

        A wrong code is refused without writing: anyone may try one.
        """
        with self._database.read() as connection:
            attempts.check_code(connection, name, code_hash)
        row = self._written(
            lambda connection: attempts.enrol(connection, name, code_hash, token_hash, self._clock)
        )
        if row is None:
            raise StaleError(
                f"the enrolment code of {name} was used before; its attempt has been ended"
            )
        return row

    def heartbeat(
        self,
        name: JobName,
        attempt: int,
        epoch: int,
        slots_busy: int = 0,
        packets_waiting: int = 0,
        held: Mapping[str, int] = MappingProxyType({}),
    ) -> AttemptRow:
        """Does Store.heartbeat."""
        return self._written(
            lambda connection: attempts.heartbeat(
                connection, name, attempt, epoch, slots_busy, packets_waiting, held, self._clock
            )
        )

    def end_attempt(
        self, name: JobName, attempt: int, epoch: int, outcome: str, reason: str
    ) -> None:
        """Does Store.end_attempt. The first end stands."""
        self._written(
            lambda connection: attempts.end(
                connection, name, attempt, epoch, outcome, reason, self._clock
            )
        )

    # The record

    def commit_step(self, name: JobName, attempt: int, epoch: int, step: PlanStep) -> bool:
        """Does Store.commit_step."""
        return self._written(
            lambda connection: plan.commit(connection, name, attempt, epoch, step, self._clock)
        )

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
        """Does Store.record.

        Raises:
            TunerError: INVALID_ARGUMENT where a bill is negative or not finite, or
                predictions don't lie in a file of the job.
        """
        return self._written(
            lambda connection: results.record(
                connection,
                name,
                attempt,
                epoch,
                measurements,
                packet_attempts,
                surplus,
                payloads,
                self._clock,
            )
        )

    def describe_dataset(
        self, name: JobName, attempt: int, epoch: int, facts: DatasetFacts
    ) -> bool:
        """Does Store.describe_dataset."""
        return self._written(
            lambda connection: jobs.describe(connection, name, attempt, epoch, facts, self._clock)
        )

    def attach(self, name: JobName, attempt: int, epoch: int, artifact: Artifact) -> None:
        """Does Store.attach."""
        self._written(
            lambda connection: artifacts.attach(
                connection, name, attempt, epoch, artifact, self._clock
            )
        )
