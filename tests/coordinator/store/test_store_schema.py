"""Migrations: an empty database comes to head, a newer or foreign one is left alone."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from services.coordinator.store import open_store
from services.coordinator.store.base import Store
from services.coordinator.store.conformance.samples import a_job
from services.coordinator.store.database import Database
from services.coordinator.store.errors import SchemaError, UnavailableError
from services.coordinator.store.tables import metadata
from tuner.errors import TunerError


def _run(url: str, *statements: str) -> None:
    database = Database(url)
    with database.write() as connection:
        for statement in statements:
            connection.execute(sa.text(statement))
    database.close()


def test_the_migrations_make_the_very_tables_of_the_code(empty_url: str) -> None:
    open_store(empty_url).close()
    database = Database(empty_url)
    with database.read() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, metadata) == []
        found = sa.inspect(connection)
        for table in metadata.sorted_tables:
            assert found.get_pk_constraint(table.name)["constrained_columns"] == [
                column.name for column in table.primary_key.columns
            ]
            deletes = {
                (key["constrained_columns"][0], key["options"].get("ondelete"))
                for key in found.get_foreign_keys(table.name)
            }
            assert deletes == {
                (key.column_keys[0], "CASCADE") for key in table.foreign_key_constraints
            }
    database.close()


def test_opening_again_keeps_everything(empty_url: str) -> None:
    store = open_store(empty_url)
    job = store.get_job(a_job(store))
    store.close()
    again: Store = open_store(empty_url)
    assert again.get_job(job.name) == job
    again.close()


def test_a_newer_schema_is_refused_and_left_alone(empty_url: str) -> None:
    open_store(empty_url).close()
    _run(empty_url, "UPDATE alembic_version SET version_num = '9999'")
    for _ in range(2):
        with pytest.raises(SchemaError, match=r"revision 9999, .* newer"):
            open_store(empty_url)


def test_a_database_of_something_else_is_refused_and_left_alone(empty_url: str) -> None:
    _run(empty_url, "CREATE TABLE recipes (id INTEGER)")
    with pytest.raises(SchemaError, match="recipes"):
        open_store(empty_url)
    database = Database(empty_url)
    with database.read() as connection:
        assert sa.inspect(connection).get_table_names() == ["recipes"]
    database.close()


def test_several_may_open_an_empty_database_at_once(empty_url: str) -> None:
    opened: list[Store] = []
    threads = [
        threading.Thread(target=lambda: opened.append(open_store(empty_url))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(opened) == 4
    a_job(opened[0])
    for store in opened:
        assert len(store.list_jobs(None, 10)[0]) == 1
        store.close()


@pytest.mark.parametrize(
    "url", ["", "tuner.db", "sqlite://", "sqlite:///:memory:", "mysql://root@host/tuner"]
)
def test_addresses_that_are_none_are_refused(url: str) -> None:
    with pytest.raises(TunerError, match=r"url: .*give sqlite:///FILE or postgresql://"):
        open_store(url)


def test_a_database_out_of_reach_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "folder.db").mkdir()
    for url in (
        f"sqlite:///{tmp_path / 'folder.db'}",
        f"postgresql://tuner:secret@/tuner?host={tmp_path}",
    ):
        with pytest.raises(UnavailableError) as caught:
            open_store(url)
        assert "secret" not in str(caught.value)


def test_sqlite_is_durable_and_keeps_its_references(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'new' / 'tuner.db'}")
    with database.read() as connection:
        for pragma, value in (("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1)):
            assert connection.execute(sa.text(f"PRAGMA {pragma}")).scalar() == value
    database.close()
