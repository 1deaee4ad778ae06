"""`tuner db`: what it finds, what it copies, what it upgrades, and how it says so."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from postgres_server import PostgresServer, find
from typer.testing import CliRunner

from services.coordinator.db import backup
from services.coordinator.db.__main__ import main
from services.coordinator.db.checking import findings
from services.coordinator.store import SqlStore, open_store
from services.coordinator.store.conformance.samples import (
    DEPTH,
    Running,
    a_conclusion,
    a_job,
    a_measurement,
    a_running_job,
    a_step,
    a_try,
    log_of,
)
from services.coordinator.store.database import Database
from services.coordinator.store.schema import config_of, newest
from tuner.cli.db import app
from tuner.jobs import JobState
from tuner.wire.names import JobName

URL = "TUNER_COORDINATOR_DATABASE_URL"


@pytest.fixture
def db(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Runs the command on a database; returns its exit code, data and talk."""

    def run(url: str, *arguments: str) -> tuple[int, str, str]:
        monkeypatch.setenv(URL, url)
        code = main(list(arguments))
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


Db = Callable[..., tuple[int, str, str]]


def _busy(store: SqlStore) -> Running:
    """A job with something of everything."""
    job = a_running_job(store)
    store.commit_step(*job.caller, a_step())
    store.commit_step(*job.caller, a_conclusion(1, DEPTH))
    rows = [a_measurement(job.name, i) for i in range(5)]
    store.record(*job.caller, rows, [a_try(1), a_try(2)], [a_measurement(job.name, 9)])
    other = a_running_job(store)
    store.set_job_state(other.name, JobState.SUCCEEDED, "", [JobState.RUNNING])
    a_job(store)
    return job


def test_a_whole_database_is_said_to_be(store: SqlStore, url: str, db: Db) -> None:
    _busy(store)
    assert db(url, "check") == (
        0,
        f"whole; the schema is at revision {newest()}, which is this version's\n",
        "",
    )


# What is done to a busy job's rows, and what is to be found.
HARM = {
    "an event is gone": (
        "DELETE FROM events WHERE job_id = :job AND sequence = 4",
        "events up to number",
    ),
    "the last number is wrong": (
        "UPDATE jobs SET last_sequence = last_sequence + 1 WHERE id = :job",
        "its last is said to be",
    ),
    "a measurement lacks its event": (
        "UPDATE measurements SET sequence = 1 WHERE job_id = :job",
        "a measurement has no event 1",
    ),
    "an event lacks its measurement": (
        "DELETE FROM measurements WHERE job_id = :job",
        "the measurement of event",
    ),
    "an event lacks its try": (
        "DELETE FROM packet_attempts WHERE job_id = :job AND packet LIKE '%\\:1'",
        "the try at a packet of event",
    ),
    "a plan step is gone": (
        "DELETE FROM plan_steps WHERE job_id = :job AND number = 1 AND search LIKE 'forest%'",
        "has 0 plan steps up to number 0, and is said to have 1",
    ),
    "the bill is wrong": (
        "UPDATE jobs SET billed_device_seconds = 7 WHERE id = :job",
        "7 device-seconds are billed, and its tries at packets add up to 1",
    ),
    "the attempts are wrong": (
        "UPDATE jobs SET attempt = 3 WHERE id = :job",
        "its last attempt is 1, and is said to be 3",
    ),
    "an attempt outlives its job": (
        "UPDATE jobs SET state = 'FAILED' WHERE id = :job",
        "has ended (FAILED), and an attempt of it lives",
    ),
    "an event can't be read": (
        "UPDATE events SET kind = 'gossip' WHERE job_id = :job AND sequence = 3",
        "event 3 (gossip) can't be read: there is no kind of event",
    ),
    "measurements are mixed up": (
        "UPDATE measurements SET id = 'x' || substr(id, 2) WHERE job_id = :job",
        "is of measurement",
    ),
}


@pytest.mark.parametrize("harm", HARM)
def test_what_breaks_a_promise_of_the_record_is_found(
    store: SqlStore, url: str, db: Db, harm: str
) -> None:
    job = _busy(store)
    statement, found = HARM[harm]
    with store._database.write() as connection:
        key = connection.execute(
            sa.text("SELECT id FROM jobs WHERE job = :name"), {"name": job.name.job}
        ).scalar_one()
        assert connection.execute(sa.text(statement), {"job": key}).rowcount > 0
    code, said, _ = db(url, "check")
    assert code == 1
    lines = [line for line in said.splitlines() if found in line]
    assert lines, said
    assert all(line.startswith(f"{job.name}: ") for line in lines)


def test_references_to_nothing_and_damage_of_the_file_are_found(tmp_path: Path, db: Db) -> None:
    file = tmp_path / "tuner.db"
    url = f"sqlite:///{file}"
    with closing(open_store(url)) as store:
        _busy(store)
        with store._database.write() as connection:
            raw = connection.connection.driver_connection
            raw.execute("COMMIT")
            raw.execute("PRAGMA foreign_keys = OFF")
            raw.execute("BEGIN")
            raw.execute("DELETE FROM jobs WHERE id = 1")
    code, said, _ = db(url, "check")
    assert code == 1
    assert "refers to a row of jobs that isn't there" in said
    data = bytearray(file.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 40_000] = b"\x55" * 40_000
    file.write_bytes(data)
    code, said, told = db(url, "check")
    assert code == 1
    assert "damaged" in said or "malformed" in told


def test_an_older_schema_is_told_and_upgraded(empty_url: str, db: Db) -> None:
    database = Database(empty_url)
    with database.write() as connection:
        command.upgrade(config_of(connection), "0002")
    assert db(empty_url, "check")[:2] == (
        1,
        f"the schema is at revision 0002, and this version's is {newest()}; upgrade it first\n",
    )
    assert db(empty_url, "upgrade") == (0, f"upgraded from 0002 to {newest()}\n", "")
    assert db(empty_url, "upgrade") == (0, f"the schema is at revision {newest()} already\n", "")
    assert db(empty_url, "check")[0] == 0
    with database.write() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    for asked in ("check", "upgrade"):
        code, said, told = db(empty_url, asked)
        assert (code, said) == (1, "")
        assert "revision 9999" in told
    database.close()


def test_a_backup_of_a_live_database_is_whole_and_can_be_restored(
    store: SqlStore, url: str, db: Db, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    job = _busy(store)
    stop = threading.Event()
    written = [0]

    def write() -> None:
        while not stop.is_set():
            number = 100 + written[0]
            store.record(*job.caller, [a_measurement(job.name, number)], [a_try(number)])
            written[0] += 1

    writer = threading.Thread(target=write)
    writer.start()
    copy = tmp_path / "copy"
    try:
        while not written[0]:
            assert writer.is_alive()
        least = written[0]
        code, said, told = db(url, "backup", str(copy))
        most = written[0] + 1
    finally:
        stop.set()
        writer.join()
    assert (code, said) == (0, f"{copy}\n")
    assert told.startswith("to restore: stop")
    assert copy.stat().st_mode & 0o777 == 0o600
    assert [f.name for f in tmp_path.iterdir() if f.name.endswith(".part")] == []

    if url.startswith("sqlite"):
        restored = f"sqlite:///{copy}"
    else:
        postgres: PostgresServer = request.getfixturevalue("postgres")
        restored = postgres.new_database()
        subprocess.run(
            [find("pg_restore"), "--no-owner", "--exit-on-error", f"--dbname={restored}", copy],
            check=True,
        )
    with closing(open_store(restored)) as again:
        log = log_of(again, job.name)
        assert log == log_of(store, job.name)[: len(log)]
        assert least <= again.measurement_count(job.name) - 5 <= most
        with again._database.read() as connection:
            assert list(findings(connection)) == []
        # It goes on from there.
        again.record(*job.caller, [a_measurement(job.name, 99_999)], [])
        again.create_job(JobName("default", "after"), again.get_job(job.name).spec, "ada", "")


def test_a_backup_takes_nothings_place_and_leaves_nothing_behind(
    store: SqlStore, url: str, db: Db, tmp_path: Path
) -> None:
    there = tmp_path / "there"
    there.write_text("precious")
    code, _, told = db(url, "backup", str(there))
    assert (code, there.read_text()) == (2, "precious")
    assert f"file: {there} is there already" in told
    code, _, told = db(url, "backup", str(tmp_path / "nowhere" / "copy"))
    assert (code, f"there is no folder {tmp_path / 'nowhere'}" in told) == (2, True)
    assert {f.name for f in tmp_path.iterdir()} - {"tuner.db", "tuner.db-wal", "tuner.db-shm"} == {
        "there"
    }


def test_without_pg_dump_it_says_so(
    postgres_url: str, db: Db, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(backup, "_DEBIAN", str(tmp_path))
    code, _, told = db(postgres_url, "backup", str(tmp_path / "copy"))
    assert (code, "pg_dump isn't installed here" in told) == (1, True)
    assert not list(tmp_path.iterdir())


def test_what_pg_dump_refuses_is_told_without_the_password(db: Db, tmp_path: Path) -> None:
    url = f"postgresql://tuner:secret@/none?host={tmp_path}"
    code, _, told = db(url, "backup", str(tmp_path / "copy"))
    assert code == 1
    assert "pg_dump failed" in told
    assert "secret" not in told
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("asked", [["check"], ["backup", "copy"]])
def test_a_file_that_is_not_there_is_not_made(tmp_path: Path, db: Db, asked: list[str]) -> None:
    file = tmp_path / "no.db"
    code, said, told = db(f"sqlite:///{file}", *asked)
    assert (code, said) == (2, "")
    assert f"there is no database {file}; name one with --database" in told
    assert not file.exists()


def test_the_command_finds_the_database_and_passes_on_what_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in [name for name in os.environ if name.startswith("TUNER_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("TUNER_HOME", str(tmp_path))
    made = CliRunner().invoke(app, ["upgrade"])
    assert (made.exit_code, capfd.readouterr().err) == (0, "")
    assert (tmp_path / "coordinator.db").is_file()
    other = tmp_path / "other.db"
    found = CliRunner().invoke(app, ["check", "--database", f"sqlite:///{other}"])
    assert (found.exit_code, "other.db" in capfd.readouterr().err) == (2, True)
