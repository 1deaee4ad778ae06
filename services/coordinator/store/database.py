"""Transactions on SQLite and PostgreSQL that mean the same on both.

A writer on SQLite takes the write lock when it begins (BEGIN IMMEDIATE), so
that two of them queue instead of deadlocking; on PostgreSQL a writer locks the
row of its job first. A reader sees one snapshot on either.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import exc

from services.coordinator.store.errors import UnavailableError
from tuner.errors import invalid

BUSY_SECONDS = 30.0
"""How long a writer waits for another process's write lock on SQLite."""

_URLS = "give sqlite:///FILE or postgresql://USER@HOST/DATABASE"


class Database:
    """A pool of connections; several threads may use it at once."""

    def __init__(self, url: str) -> None:
        """Opens the pool; it connects when first used.

        Args:
            url: "sqlite:///FILE" or "postgresql://USER@HOST/DATABASE".

        Raises:
            TunerError: INVALID_ARGUMENT where it is no such address.
        """
        parsed = _parse(url)
        self._writer: contextlib.AbstractContextManager[Any]
        self._writers: sa.Engine
        if parsed.get_backend_name() == "sqlite":
            self._engine = _sqlite(parsed)
            # Threads of this process queue here: SQLite's own waiting polls, and starves some.
            self._writer = threading.Lock()
            self._readers = self._engine
            self._writers = self._engine.execution_options(writes=True)
        else:
            self._engine = sa.create_engine(
                parsed, pool_size=8, max_overflow=24, pool_pre_ping=True
            )
            self._writer = contextlib.nullcontext()
            self._readers = self._engine.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )
            self._writers = self._engine

    @contextlib.contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """Opens a transaction that only reads, all of it from one snapshot.

        Raises:
            UnavailableError: The database can't be reached.
        """
        with _translated(), self._readers.begin() as connection:
            yield connection

    @contextlib.contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """Opens a transaction that writes; it is durable when the block has ended.

        Raises:
            UnavailableError: The database can't be reached, or stays locked.
        """
        with _translated(), self._writer, self._writers.begin() as connection:
            yield connection

    def close(self) -> None:
        """Closes every connection."""
        self._engine.dispose()


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except exc.TimeoutError as error:
        raise UnavailableError(f"the database's connections are all in use: {error}") from error
    except exc.DBAPIError as error:
        if isinstance(error, exc.OperationalError) or error.connection_invalidated:
            # What the driver said, without the statement and its values.
            raise UnavailableError(f"the database can't be used: {error.orig}") from error
        raise


def _parse(url: str) -> sa.URL:
    try:
        parsed = sa.make_url(url)
    except exc.ArgumentError as error:
        raise invalid("url", f"can't be read as a database's address; {_URLS}") from error
    backend = parsed.get_backend_name()
    if backend == "sqlite":
        if parsed.database in (None, "", ":memory:") or parsed.query:
            raise invalid("url", f"names no file, and the record must outlive the server; {_URLS}")
        return parsed.set(drivername="sqlite+pysqlite")
    if backend in ("postgresql", "postgres"):
        return parsed.set(drivername="postgresql+psycopg")
    raise invalid("url", f"{backend!r} is no database that the store speaks; {_URLS}")


def _sqlite(url: sa.URL) -> sa.Engine:
    Path(str(url.database)).parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(
        url, pool_size=8, max_overflow=24, connect_args={"timeout": BUSY_SECONDS}
    )
    sa.event.listen(engine, "connect", _on_connect)
    sa.event.listen(engine, "begin", _on_begin)
    return engine


def _on_connect(connection: Any, _record: object) -> None:
    # The driver would begin transactions by itself, late and without the write lock.
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _on_begin(connection: sa.Connection) -> None:
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
