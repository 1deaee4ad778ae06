"""Databases of every earlier version come to head with all that is in them, and go on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.script import ScriptDirectory

from services.coordinator.db.checking import findings
from services.coordinator.store import SqlStore, open_store
from services.coordinator.store import tables as t
from services.coordinator.store.conformance.samples import (
    DEPTH,
    TREES,
    Running,
    a_conclusion,
    a_job,
    a_measurement,
    a_running_job,
    a_spec,
    a_step,
    a_try,
    log_of,
)
from services.coordinator.store.database import Database
from services.coordinator.store.errors import SchemaError
from services.coordinator.store.schema import config_of, newest, revision
from tuner.jobs import Artifact, DatasetFacts, JobState
from tuner.wire.names import JobName

VERSIONS = [r.revision for r in ScriptDirectory.from_config(config_of(None)).walk_revisions()][1:]
"""Every version but the last, which is what the code makes."""

FACTS = DatasetFacts("d1" * 32, 1797, 450, 10, 64, ("Few test cases.",))
FILE = Artifact("predictions/1", "a1" * 32, 100)


def _filled(folder: Path) -> tuple[SqlStore, Running, JobName]:
    """A store in which much has happened, of what every version knew."""
    store = open_store(f"sqlite:///{folder / 'filled.db'}")
    job = a_running_job(store)
    for number in (1, 2):
        store.commit_step(*job.caller, a_step(number))
    store.commit_step(*job.caller, a_conclusion(1, DEPTH))
    rows = [a_measurement(job.name, i, search=(TREES, DEPTH)[i % 2]) for i in range(12)]
    other = replace(rows[3], scores={"brier": 0.75})
    store.record(*job.caller, [*rows, other], [a_try(i) for i in range(3)])
    store.record(*job.caller, [], [], [a_measurement(job.name, 99)])
    store.describe_dataset(*job.caller, FACTS)
    store.attach(*job.caller, FILE)
    waiting = a_job(store)
    store.set_job_state(waiting, JobState.QUEUED, "waits", [JobState.PENDING])
    return store, job, waiting


def _moved(store: SqlStore, url: str, version: str) -> list[str]:
    """Puts the store's rows into a database of an earlier version; returns its tables' names."""
    database = Database(url)
    with store._database.read() as source, database.write() as target:
        command.upgrade(config_of(target), version)
        there = sa.inspect(target)
        tables = [x for x in t.metadata.sorted_tables if there.has_table(x.name)]
        for table in tables:
            columns = {column["name"] for column in there.get_columns(table.name)}
            rows = [
                {name: value for name, value in row.items() if name in columns}
                for row in source.execute(sa.select(table)).mappings()
            ]
            if rows:
                target.execute(sa.insert(table), rows)
        if target.dialect.name == "postgresql":
            for table, key in (("jobs", "id"), ("runner_attempts", "epoch")):
                target.exec_driver_sql(
                    f"SELECT setval(pg_get_serial_sequence('{table}', '{key}'),"
                    f" (SELECT max({key}) FROM {table}))"
                )
    database.close()
    return [table.name for table in tables]


@pytest.mark.parametrize("version", VERSIONS)
def test_every_earlier_version_comes_to_head_with_its_data_and_goes_on(
    empty_url: str, version: str, tmp_path: Path
) -> None:
    before, job, waiting = _filled(tmp_path)
    had = _moved(before, empty_url, version)
    store = open_store(empty_url)

    for name in (job.name, waiting):
        found, wanted = store.get_job(name), before.get_job(name)
        facts = wanted.dataset if version >= "0003" else None
        assert found == replace(wanted, dataset=facts)
        assert log_of(store, name) == log_of(before, name)
        assert store.attempts(name) == before.attempts(name)
        for search in (None, TREES, DEPTH):
            assert store.measurements(name, search) == before.measurements(name, search)
            assert store.plan(name, search) == before.plan(name, search)
            assert store.trials(name, search, 0, 99) == before.trials(name, search, 0, 99)
        assert store.billed_by_level(name) == before.billed_by_level(name)
        assert store.surplus(name) == (before.surplus(name) if "surplus" in had else [])
        assert store.artifacts(name) == (before.artifacts(name) if "artifacts" in had else [])
    assert len(store.measurements(job.name)[0]) == 12
    before.close()

    assert store.commit_step(*job.caller, a_step(3)) is False
    assert store.record(*job.caller, [a_measurement(job.name, 50)], [a_try(7)]).recorded == 1
    assert store.describe_dataset(*job.caller, FACTS) is (version >= "0003")
    fresh = store.create_attempt(job.name, "s{attempt}", "another code")
    assert (fresh.number, fresh.epoch > job.epoch) == (2, True)
    store.set_job_state(job.name, JobState.CANCELLED, "", [JobState.RUNNING])
    store.create_job(JobName("other", "new"), a_spec(), "ada", "r")
    with store._database.read() as connection:
        assert list(findings(connection)) == []
    store.delete_job(job.name)
    store.close()


@pytest.mark.parametrize("version", VERSIONS)
def test_an_older_schema_is_migrated_where_one_coordinator_has_it_or_when_asked(
    empty_url: str, version: str
) -> None:
    database = Database(empty_url)
    with database.write() as connection:
        command.upgrade(config_of(connection), version)
    if database.is_sqlite:
        open_store(empty_url, migrates=False).close()
    else:
        with pytest.raises(SchemaError, match=f"revision {version}, .*`tuner db upgrade`"):
            open_store(empty_url, migrates=False)
        with database.read() as connection:
            assert revision(connection) == version
        open_store(empty_url).close()
    with database.read() as connection:
        assert revision(connection) == newest()
    database.close()


def test_an_empty_database_gets_its_schema_without_asking(empty_url: str) -> None:
    store = open_store(empty_url, migrates=False)
    a_job(store)
    store.close()
