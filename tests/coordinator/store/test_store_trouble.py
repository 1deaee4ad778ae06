"""A database in trouble: said in words, nothing half-written, and well again by itself."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from postgres_server import PostgresServer, server

from services.coordinator.db.checking import findings
from services.coordinator.store import SqlStore, engines, open_store, results
from services.coordinator.store.conformance.samples import (
    TREES,
    Running,
    a_job,
    a_measurement,
    a_running_job,
    a_step,
    a_try,
    log_of,
)
from services.coordinator.store.errors import UnavailableError
from tuner.jobs import JobState


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "tuner.db"


@pytest.fixture
def on_file(file: Path) -> Iterator[SqlStore]:
    with closing(open_store(f"sqlite:///{file}")) as store:
        yield store


@pytest.fixture
def own_server() -> Iterator[PostgresServer]:
    """A server that a test may stop; `postgres` is everybody's."""
    with server() as running:
        yield running


def _batch(job: Running, number: int, rows: int = 50) -> tuple[list[object], list[object]]:
    measurements = [
        a_measurement(job.name, 1000 * number + i, error="x" * 300) for i in range(rows)
    ]
    return measurements, [a_try(number, billed_device_seconds=1.0)]


def _whole(store: SqlStore, job: Running, batches: int, rows: int = 50) -> None:
    """Proves that just these batches are there, and all of each."""
    assert len(store.measurements(job.name)[0]) == batches * rows
    assert store.get_job(job.name).billed_device_seconds == batches * 1.0
    log_of(store, job.name)
    with store._database.read() as connection:
        assert list(findings(connection)) == []


def _limit(store: SqlStore, pages: int | None) -> None:
    """Lets the file grow by so many pages, as if its disk had no more."""
    with store._database._writers.connect() as connection:
        count = connection.exec_driver_sql("PRAGMA page_count").scalar()
        most = 2**30 if pages is None else count + pages
        connection.exec_driver_sql(f"PRAGMA max_page_count = {most}")


def test_on_a_full_disk_batches_are_there_whole_or_not_at_all(on_file: SqlStore) -> None:
    job = a_running_job(on_file)
    _limit(on_file, 60)
    written = 0
    with pytest.raises(UnavailableError, match="database or disk is full"):
        while written < 100:
            on_file.record(*job.caller, *_batch(job, written))
            written += 1
    assert 0 < written < 100
    _whole(on_file, job, written)
    # Reading goes on, and small things that still fit are written.
    assert on_file.get_job(job.name).state is JobState.RUNNING
    with pytest.raises(UnavailableError):
        on_file.record(*job.caller, *_batch(job, written))
    _limit(on_file, None)
    on_file.record(*job.caller, *_batch(job, written))
    _whole(on_file, job, written + 1)


def test_of_writers_together_on_a_full_disk_none_is_told_what_is_not_so(
    on_file: SqlStore,
) -> None:
    jobs = [a_running_job(on_file) for _ in range(6)]
    _limit(on_file, 40)

    def write(job: Running) -> int:
        for number in range(100):
            try:
                on_file.record(*job.caller, *_batch(job, number, 20))
            except UnavailableError:
                return number
        raise AssertionError("it never was full")

    with ThreadPoolExecutor(len(jobs)) as pool:
        written = list(pool.map(write, jobs))
    for job, batches in zip(jobs, written, strict=True):
        _whole(on_file, job, batches, 20)
    _limit(on_file, None)
    for job, batches in zip(jobs, written, strict=True):
        on_file.record(*job.caller, *_batch(job, batches, 20))
        _whole(on_file, job, batches + 1, 20)


def test_what_cant_be_written_is_unavailable_and_read_all_the_same(on_file: SqlStore) -> None:
    name = a_job(on_file)
    for on in (1, 0):
        connection = on_file._database._writers.raw_connection()
        connection.driver_connection.execute(f"PRAGMA query_only = {on}")
        connection.close()
        if on:
            with pytest.raises(UnavailableError, match="readonly"):
                a_job(on_file)
            assert on_file.get_job(name).name == name
    a_job(on_file)


def test_a_file_that_stays_locked_is_unavailable(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "BUSY_SECONDS", 0.1)
    with closing(open_store(f"sqlite:///{file}")) as store:
        with closing(sqlite3.connect(file, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with ThreadPoolExecutor(4) as pool:
                for future in [pool.submit(a_job, store) for _ in range(4)]:
                    with pytest.raises(UnavailableError, match="database is locked"):
                        future.result()
            other.execute("ROLLBACK")
        a_job(store)
        assert len(store.list_jobs(None, 10)[0]) == 1


def test_a_file_that_is_none_of_sqlite_is_unavailable(file: Path) -> None:
    file.write_bytes(b"a recipe for bread" * 500)
    with pytest.raises(UnavailableError, match="not a database"):
        open_store(f"sqlite:///{file}")


def test_a_server_that_was_away_is_found_again(own_server: PostgresServer) -> None:
    url = own_server.new_database()
    with closing(open_store(url)) as store:
        job = a_running_job(store)
        store.record(*job.caller, *_batch(job, 0))
        with ThreadPoolExecutor(4) as pool:  # so that several connections are lost
            list(pool.map(lambda _: store.get_job(job.name), range(16)))
        own_server.stop("immediate")
        for _ in range(2):
            with pytest.raises(UnavailableError, match="the database can't be used"):
                store.record(*job.caller, *_batch(job, 1))
            with pytest.raises(UnavailableError):
                store.get_job(job.name)
        own_server.start()
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda _: store.get_job(job.name), range(16)))
        store.record(*job.caller, *_batch(job, 1))
        _whole(store, job, 2)


def test_a_server_that_goes_amid_a_transaction_leaves_nothing_of_it(
    own_server: PostgresServer,
) -> None:
    url = own_server.new_database()
    with closing(open_store(url)) as store:
        job = a_running_job(store)

        def work(connection: object) -> None:
            rows, tries = _batch(job, 0)
            results.record(connection, *job.caller, rows, tries, (), (), lambda: datetime.now(UTC))
            own_server.stop("immediate")

        with pytest.raises(UnavailableError):
            store._written(work)
        own_server.start()
        _whole(store, job, 0)
        store.record(*job.caller, *_batch(job, 0))
        _whole(store, job, 1)


@pytest.mark.parametrize(
    ("code", "said"),
    [("53100", "no space left"), ("25006", "read-only"), ("57014", "canceled"), ("53200", "out")],
)
def test_what_the_server_refuses_for_its_own_sake_is_unavailable(
    postgres: PostgresServer, code: str, said: str
) -> None:
    url = postgres.new_database()
    with closing(open_store(url)) as store:
        job = a_running_job(store)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(
                "CREATE FUNCTION refuse() RETURNS trigger AS $$ BEGIN"
                f" RAISE EXCEPTION '{said}' USING ERRCODE = '{code}'; END $$ LANGUAGE plpgsql"
            )
            connection.execute(
                "CREATE TRIGGER refuse BEFORE INSERT ON packet_attempts EXECUTE FUNCTION refuse()"
            )
            with pytest.raises(UnavailableError, match=said):
                store.record(*job.caller, *_batch(job, 0))
            connection.execute("DROP TRIGGER refuse ON packet_attempts")
        _whole(store, job, 0)
        store.record(*job.caller, *_batch(job, 0))
        _whole(store, job, 1)


def test_a_client_frozen_in_a_transaction_keeps_no_locks(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "IDLE_SECONDS", 1)
    with closing(open_store(postgres_url)) as frozen, closing(open_store(postgres_url)) as store:
        job = a_running_job(store)
        with pytest.raises(UnavailableError), frozen._database.write() as connection:
            connection.exec_driver_sql("SELECT id FROM jobs FOR UPDATE")
            # Waits for the lock, which the server takes from the frozen one.
            store.record(*job.caller, *_batch(job, 0))
            connection.exec_driver_sql("SELECT 1")
        _whole(store, job, 1)
        frozen.get_job(job.name)


def test_commits_are_durable_even_where_the_server_usually_is_not(
    postgres: PostgresServer,
) -> None:
    url = postgres.new_database()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {connection.info.dbname} SET synchronous_commit = off")
    with closing(open_store(url)) as store, store._database.write() as connection:
        assert connection.exec_driver_sql("SHOW synchronous_commit").scalar() == "on"


def test_a_clock_that_is_set_back_turns_no_order_round(url: str) -> None:
    times = [datetime(2026, 1, 1, 12, tzinfo=UTC)]
    with closing(open_store(url, clock=lambda: times[0])) as store:
        job = a_running_job(store)
        times[0] -= timedelta(hours=1)
        store.commit_step(*job.caller, a_step())
        # A sign of life shows, or a runner that lives would be given up.
        beats = []
        for _ in range(2):
            times[0] += timedelta(seconds=1)
            beats.append(store.heartbeat(*job.caller).heartbeat_time)
        assert beats == [times[0] - timedelta(seconds=1), times[0]]
        store.record(*job.caller, [a_measurement(job.name)], [a_try()])
        row = store.set_job_state(job.name, JobState.SUCCEEDED, "", [JobState.RUNNING])
        assert row.end_time >= row.start_time >= row.create_time
        log = log_of(store, job.name)
        assert [e.time for e in log] == sorted(e.time for e in log)
        assert store.measurements(job.name, TREES)[0][0].record_time == log[-3].time
        # Other jobs know nothing of it.
        assert store.get_job(a_job(store)).create_time == times[0]
