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


def migrate(connection: sa.Connection) -> None:
    """Migrates an empty or older database to head, in the open transaction.

    Raises:
        SchemaError: The schema is newer than this code, or the database holds
            something else.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
    config = config_of(connection)
    script = ScriptDirectory.from_config(config)
    known = {revision.revision for revision in script.walk_revisions()}
    current = set(MigrationContext.configure(connection).get_current_heads())
    if unknown := current - known:
        raise SchemaError(
            f"the database's schema is at revision {', '.join(sorted(unknown))}, which this "
            f"version doesn't know (its own is {script.get_current_head()}); a newer one has "
            "written it: run that, or restore a backup from before the upgrade"
        )
    if not current and (tables := sa.inspect(connection).get_table_names()):
        raise SchemaError(
            f"the database isn't empty and isn't ours: it holds {', '.join(sorted(tables)[:5])}; "
            "give one of its own"
        )
    command.upgrade(config, "head")


def config_of(connection: sa.Connection | None) -> Config:
    """Returns Alembic's configuration for our migrations, over the open transaction."""
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    return config
