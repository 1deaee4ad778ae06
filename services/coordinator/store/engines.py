"""Connections to SQLite and PostgreSQL, set up so that what is committed is durable."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import exc

from tuner.errors import invalid

BUSY_SECONDS = 30.0
"""How long a writer waits for another process's write lock on SQLite, or for a row's."""

CONNECT_SECONDS = 10
"""How long PostgreSQL may take to take a connection."""

IDLE_SECONDS = 5
"""PostgreSQL ends a transaction that its client has left alone for so long.

A coordinator that was frozen in one would else keep its locks, and nobody could take over.
"""

SILENT_SECONDS = 20
"""A connection whose other end doesn't answer for so long is lost."""

CACHE_KIB = 64 * 1024
"""What SQLite's writer may keep in memory."""

LOG_PAGES = 8000
"""SQLite's write-ahead log is written back from this size on, in pages of 4 KiB."""

_URLS = "give sqlite:///FILE or postgresql://USER@HOST/DATABASE"

_POOL = {"pool_size": 8, "max_overflow": 24}


def parsed(url: str) -> sa.URL:
    """Returns the address for SQLAlchemy, with our driver.

    Raises:
        TunerError: INVALID_ARGUMENT where it is none of a database that the store speaks.
    """
    try:
        address = sa.make_url(url)
    except exc.ArgumentError as error:
        raise invalid("url", f"can't be read as a database's address; {_URLS}") from error
    backend = address.get_backend_name()
    if backend == "sqlite":
        if address.database in (None, "", ":memory:") or address.query:
            raise invalid("url", f"names no file, and the record must outlive the server; {_URLS}")
        return address.set(drivername="sqlite+pysqlite")
    if backend in ("postgresql", "postgres"):
        return address.set(drivername="postgresql+psycopg")
    raise invalid("url", f"{backend!r} is no database that the store speaks; {_URLS}")


def sqlite(url: sa.URL) -> tuple[sa.Engine, sa.Engine]:
    """Returns two engines of a file, whose folder is made: to read, and to write.

    There is one writer at a time, and its connection stays, so that what it has read stays
    in its cache: a measurement's id is a digest, so each one's place in an index is another.
    """
    Path(str(url.database)).parent.mkdir(parents=True, exist_ok=True)
    usual = {"timeout": BUSY_SECONDS}
    reading = sa.create_engine(url, connect_args=usual, **_POOL)
    writing = sa.create_engine(url, connect_args=usual, pool_size=1, max_overflow=0)
    sa.event.listen(reading, "begin", lambda begun: begun.exec_driver_sql("BEGIN"))
    sa.event.listen(writing, "begin", lambda begun: begun.exec_driver_sql("BEGIN IMMEDIATE"))
    for engine in (reading, writing):
        sa.event.listen(engine, "connect", _on_sqlite_connect)
    sa.event.listen(writing, "connect", _on_sqlite_writer)
    return reading, writing


def postgresql(url: sa.URL) -> sa.Engine:
    """Returns the engine of a database; what the address itself says goes before."""
    usual = {
        "connect_timeout": CONNECT_SECONDS,
        "keepalives_idle": SILENT_SECONDS // 2,
        "keepalives_interval": SILENT_SECONDS // 4,
        "keepalives_count": 2,
        "tcp_user_timeout": SILENT_SECONDS * 1000,
    }
    wanted = {name: value for name, value in usual.items() if name not in url.query}
    engine = sa.create_engine(url, pool_pre_ping=True, connect_args=wanted, **_POOL)
    sa.event.listen(engine, "connect", _on_postgresql_connect)
    return engine


def _on_sqlite_connect(connection: Any, _record: object) -> None:
    # The driver would begin transactions by itself, late and without the write lock.
    connection.isolation_level = None
    _write_ahead(connection)
    for pragma in ("synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Turns to the write-ahead log, which SQLite refuses at once while another one does too."""
    end = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > end:
                raise
            time.sleep(0.01)
        else:
            return


def _on_sqlite_writer(connection: Any, _record: object) -> None:
    connection.execute(f"PRAGMA cache_size=-{CACHE_KIB}")
    # Pages that several commits change are written back once.
    connection.execute(f"PRAGMA wal_autocheckpoint={LOG_PAGES}")


def _on_postgresql_connect(connection: Any, _record: object) -> None:
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(
            f"SET lock_timeout = '{BUSY_SECONDS:g}s';"
            f"SET idle_in_transaction_session_timeout = '{IDLE_SECONDS}s'"
        )
        # A server may be told to answer before its disk has: then the record would lie.
        cursor.execute(
            "SELECT set_config('synchronous_commit', 'on', false)"
            " WHERE current_setting('synchronous_commit') = 'off'"
        )
    connection.autocommit = False
