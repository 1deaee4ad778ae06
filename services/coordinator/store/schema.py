"""Brings a database to the schema of this code, by Alembic."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

import services.coordinator
from services.coordinator.store.errors import SchemaError

_MIGRATIONS = Path(services.coordinator.__file__).parent / "migrations"

_LOCK = 0x74756E6572
"""The advisory lock of whoever migrates on PostgreSQL; no other use of the number is known."""


def migrate(connection: sa.Connection, *, older: bool = True) -> tuple[str | None, str]:
    """Migrates an empty or older database to head, in the open transaction.

    Args:
        connection: The open transaction.
        older: Whether one that has our tables may be changed; an empty one always is.

    Returns:
        The revision before, None for an empty database, and the one after.

    Raises:
        SchemaError: The schema is newer than this code, or the database holds
            something else; or it is older and is to be left as it is.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
    before, head = revision(connection), newest()
    if before == head:
        return before, head
    if before is None and (tables := sa.inspect(connection).get_table_names()):
        raise SchemaError(
            f"the database isn't empty and isn't ours: it holds {', '.join(sorted(tables)[:5])}; "
            "give one of its own"
        )
    if before is not None and not older:
        raise SchemaError(
            f"the database's schema is at revision {before}, and this version's is {head}; stop "
            "every coordinator, make a backup (`tuner db backup FILE`) and run `tuner db upgrade`, "
            "or set TUNER_COORDINATOR_MIGRATE=true"
        )
    command.upgrade(config_of(connection), "head")
    return before, head


def revision(connection: sa.Connection) -> str | None:
    """Returns the revision of the database's schema; None where it has none of ours.

    Raises:
        SchemaError: This code doesn't know it: a newer one has written it.
    """
    current = MigrationContext.configure(connection).get_current_revision()
    known = {r.revision for r in _script().walk_revisions()}
    if current is not None and current not in known:
        raise SchemaError(
            f"the database's schema is at revision {current}, which this "
            f"version doesn't know (its own is {newest()}); a newer one has "
            "written it: run that, or restore a backup from before the upgrade"
        )
    return current


def newest() -> str:
    """Returns the revision that this code makes."""
    return str(_script().get_current_head())


def _script() -> ScriptDirectory:
    return ScriptDirectory.from_config(config_of(None))


def config_of(connection: sa.Connection | None) -> Config:
    """Returns Alembic's configuration for our migrations, over the open transaction."""
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    return config
