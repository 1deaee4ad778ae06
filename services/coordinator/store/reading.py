"""The record as it is read: files, events, plan, measurements and what they took."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from services.coordinator.store import artifacts, log, plan, results, surplus, trials
from services.coordinator.store.sqlbase import SqlPart
from tuner.jobs import Artifact, Event
from tuner.record import Measurement, PlanStep
from tuner.wire.names import JobName


class Reading(Protocol):
    """What the store tells of jobs' records. Every call may raise UnavailableError."""

    def artifacts(self, name: JobName, after: str = "", limit: int | None = None) -> list[Artifact]:
        """Returns the job's files by name, those after a name. Raises NotFoundError."""
        ...

    def find_artifact(self, name: JobName, called: str) -> Artifact | None:
        """Returns the job's file of that name, if it has one. Raises NotFoundError."""
        ...

    def has_artifact(self, name: JobName, sha256: str) -> bool:
        """Tells whether the job has a file of that content. Raises NotFoundError."""
        ...

    def referenced(self, digests: Iterable[str]) -> set[str]:
        """Returns those of the digests that any job references: its files, or its data's."""
        ...

    def events(self, name: JobName, after: int, limit: int) -> list[Event]:
        """Returns the events after a sequence number, in order. Raises NotFoundError."""
        ...

    def plan(self, name: JobName, search: str | None = None) -> list[PlanStep]:
        """Returns the plan steps in the order in which they were committed.

        Raises:
            NotFoundError: There is no such job.
        """
        ...

    def plan_page(
        self, name: JobName, search: str | None, after: int, limit: int
    ) -> tuple[list[PlanStep], int]:
        """Returns some plan steps in the order in which they were committed.

        Args:
            name: The job.
            search: Only this search's; None for all.
            after: The position that the last page ended with; 0 for the first.
            limit: How many at most.

        Returns:
            The steps and the last one's position.

        Raises:
            NotFoundError: There is no such job.
        """
        ...

    def trials(
        self, name: JobName, search: str | None, after: int, limit: int
    ) -> list[tuple[int, list[Measurement]]]:
        """Returns some candidates' measurements, candidates as they were first recorded.

        Args:
            name: The job.
            search: Only this search's; None for all.
            after: The position of the last candidate of the last page; 0 for the first page.
            limit: How many candidates at most.

        Returns:
            Each candidate's position and all its measurements as they were recorded.

        Raises:
            NotFoundError: There is no such job.
        """
        ...

    def measurements(
        self,
        name: JobName,
        search: str | None = None,
        after: int = 0,
        limit: int | None = None,
    ) -> tuple[list[Measurement], int]:
        """Returns measurements in the order in which they were recorded.

        Args:
            name: The job.
            search: Only this search's.
            after: The position that the last page ended with.
            limit: How many at most; None for all.

        Returns:
            The measurements and the last one's position.

        Raises:
            NotFoundError: There is no such job.
        """
        ...

    def measurement_count(self, name: JobName) -> int:
        """Returns how many measurements the job has. Raises NotFoundError."""
        ...

    def last_measurement_sequence(self, name: JobName) -> int:
        """Returns the number of the last measurement's event; 0 where there is none.

        Raises:
            NotFoundError: There is no such job.
        """
        ...

    def surplus(self, name: JobName) -> list[Measurement]:
        """Returns what ran ahead and isn't among the measurements, by id. Raises NotFoundError."""
        ...

    def billed_by_level(self, name: JobName) -> dict[tuple[str, int], float]:
        """Returns the device-seconds billed by search and level. Raises NotFoundError."""
        ...


class SqlReading(SqlPart):
    """`Reading` over SQL: each call sees one snapshot."""

    def artifacts(self, name: JobName, after: str = "", limit: int | None = None) -> list[Artifact]:
        """Does Reading.artifacts."""
        with self._database.read() as connection:
            return artifacts.listed(connection, name, after, limit)

    def find_artifact(self, name: JobName, called: str) -> Artifact | None:
        """Does Reading.find_artifact."""
        with self._database.read() as connection:
            return artifacts.find(connection, name, called)

    def has_artifact(self, name: JobName, sha256: str) -> bool:
        """Does Reading.has_artifact."""
        with self._database.read() as connection:
            return artifacts.has(connection, name, sha256)

    def referenced(self, digests: Iterable[str]) -> set[str]:
        """Does Reading.referenced."""
        with self._database.read() as connection:
            return artifacts.referenced(connection, digests)

    def events(self, name: JobName, after: int, limit: int) -> list[Event]:
        """Does Reading.events."""
        with self._database.read() as connection:
            return log.read_events(connection, name, after, limit)

    def plan(self, name: JobName, search: str | None = None) -> list[PlanStep]:
        """Does Reading.plan."""
        with self._database.read() as connection:
            return plan.read(connection, name, search, 0, None)[0]

    def plan_page(
        self, name: JobName, search: str | None, after: int, limit: int
    ) -> tuple[list[PlanStep], int]:
        """Does Reading.plan_page."""
        with self._database.read() as connection:
            return plan.read(connection, name, search, after, limit)

    def trials(
        self, name: JobName, search: str | None, after: int, limit: int
    ) -> list[tuple[int, list[Measurement]]]:
        """Does Reading.trials."""
        with self._database.read() as connection:
            return trials.page(connection, name, search, after, limit)

    def measurements(
        self,
        name: JobName,
        search: str | None = None,
        after: int = 0,
        limit: int | None = None,
    ) -> tuple[list[Measurement], int]:
        """Does Reading.measurements."""
        with self._database.read() as connection:
            return results.read(connection, name, search, after, limit)

    def measurement_count(self, name: JobName) -> int:
        """Does Reading.measurement_count."""
        with self._database.read() as connection:
            return results.count(connection, name)

    def last_measurement_sequence(self, name: JobName) -> int:
        """Does Reading.last_measurement_sequence."""
        with self._database.read() as connection:
            return results.last_sequence(connection, name)

    def surplus(self, name: JobName) -> list[Measurement]:
        """Does Reading.surplus."""
        with self._database.read() as connection:
            return surplus.unclaimed(connection, name)

    def billed_by_level(self, name: JobName) -> dict[tuple[str, int], float]:
        """Does Reading.billed_by_level."""
        with self._database.read() as connection:
            return results.billed_by_level(connection, name)
