"""Every test that takes `store` or `url` runs on every backend."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from postgres_server import PostgresMissingError, PostgresServer, server

from services.coordinator.store import SqlStore, open_store
from services.coordinator.store.conformance import MakeStore

BACKENDS = ["sqlite", "postgresql"]


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    try:
        with server() as running:
            yield running
    except PostgresMissingError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def postgres_url(postgres: PostgresServer) -> str:
    """One database for many tests: making one takes longer than most of them."""
    url = postgres.new_database()
    open_store(url).close()
    return url


@pytest.fixture(params=BACKENDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a database without jobs."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'tuner.db'}"
    address: str = request.getfixturevalue("postgres_url")
    with psycopg.connect(address) as connection:
        connection.execute("DELETE FROM jobs")
    return address


@pytest.fixture(params=BACKENDS)
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a database without tables."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'empty.db'}"
    return request.getfixturevalue("postgres").new_database()


@pytest.fixture
def store(url: str) -> Iterator[SqlStore]:
    opened = open_store(url)
    yield opened
    opened.close()


@pytest.fixture
def make_store(url: str) -> MakeStore:
    """Opens the database once more; who does closes it, too."""
    return functools.partial(open_store, url)
