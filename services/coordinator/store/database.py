"""Transactions on SQLite and PostgreSQL that mean the same on both.

A writer on SQLite takes the write lock when it begins (BEGIN IMMEDIATE), so
that two of them queue instead of deadlocking; on PostgreSQL a writer locks the
row of its job first. A reader sees one snapshot on either.

Writers share the wait for the disk: on SQLite by `grouping`, on PostgreSQL by
the server's own group commit over as many connections.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import exc

from services.coordinator.store import engines
from services.coordinator.store.errors import UnavailableError
from services.coordinator.store.grouping import Group
from tuner.errors import invalid

_Answer = TypeVar("_Answer")

_READ_ONLY = "25006"
"""PostgreSQL's code where it is a standby, or was told not to write."""


class Database:
    """A pool of connections; several threads may use it at once.

    One that was lost, with the server or on its way, is replaced when it is next asked for.
    """

    def __init__(self, url: str) -> None:
        """Opens the pool; it connects when first used.

        Args:
            url: "sqlite:///FILE" or "postgresql://USER@HOST/DATABASE".

        Raises:
            TunerError: INVALID_ARGUMENT where it is no such address.
        """
        self.url = engines.parsed(url)
        self._writer: contextlib.AbstractContextManager[Any]
        self._readers: sa.Engine
        self._writers: sa.Engine
        self._group: Group | None = None
        if self.is_sqlite:
            self._readers, self._writers = engines.sqlite(self.url)
            # Threads of this process queue here: SQLite's own waiting polls, and starves some.
            self._writer = threading.Lock()
            self._group = Group(self.write, _translated)
        else:
            self._writers = engines.postgresql(self.url)
            self._writer = contextlib.nullcontext()
            self._readers = self._writers.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )

    @property
    def is_sqlite(self) -> bool:
        """Whether it is a file of this machine's."""
        return self.url.get_backend_name() == "sqlite"

    @contextlib.contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """Opens a transaction that only reads, all of it from one snapshot.

        Raises:
            UnavailableError: The database can't be reached, or fails.
        """
        with _translating(), self._readers.begin() as connection:
            yield connection

    @contextlib.contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """Opens a transaction that writes; it is durable when the block has ended.

        Raises:
            UnavailableError: The database can't be reached, stays locked, or fails; then
                nothing was written.
        """
        with _translating(), self._writer, self._writers.begin() as connection:
            yield connection

    def written(self, work: Callable[[sa.Connection], _Answer]) -> _Answer:
        """Runs work in a transaction that writes, perhaps with that of other threads.

        Returns:
            Its answer, once what it wrote is durable.

        Raises:
            UnavailableError: As `write`.
        """
        if self._group is not None:
            return self._group.run(work)
        with self.write() as connection:
            return work(connection)

    def close(self) -> None:
        """Closes every connection."""
        self._readers.dispose()
        self._writers.dispose()


@contextlib.contextmanager
def _translating() -> Iterator[None]:
    try:
        yield
    except (exc.TimeoutError, exc.DBAPIError) as error:
        raised = _translated(error)
        if raised is error:
            raise
        raise raised from error


def _translated(error: Exception) -> Exception:
    """Returns what a driver's error means.

    UnavailableError for what isn't the statement's fault, INVALID_ARGUMENT for a value that the
    database doesn't hold: PostgreSQL's text has no NUL, and its numbers end. Else the error.
    """
    if isinstance(error, exc.TimeoutError):
        return UnavailableError(f"the database's connections are all in use: {error}")
    if not isinstance(error, exc.DBAPIError):
        return error
    if isinstance(error, exc.DataError):
        return invalid("request", f"holds a value that the database can't: {error.orig}")
    if (
        isinstance(error, exc.OperationalError | exc.InterfaceError)
        or error.connection_invalidated
        # A damaged file has no class of its own.
        or type(error) is exc.DatabaseError
        or getattr(error.orig, "sqlstate", None) == _READ_ONLY
    ):
        # What the driver said, without the statement and its values.
        return UnavailableError(f"the database can't be used: {error.orig}")
    return error
