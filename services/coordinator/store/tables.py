"""The tables. `events` is the log and holds every payload once; the record's tables index it.

A change here needs a migration; a test proves that the migrations make these
very tables.
"""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy import Column, ForeignKey, Index, Integer, LargeBinary, String, UniqueConstraint

Big = sa.BigInteger().with_variant(Integer, "sqlite")
"""64 bits; SQLite's INTEGER has them, and only under that name counts keys by itself."""


class UtcTime(sa.TypeDecorator[datetime]):
    """A point in time, in UTC; SQLite keeps no time zones."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """Returns the time in UTC."""
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """Returns the time with its zone."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Sentence(sa.TypeDecorator[str]):
    """Words for people, wherever they come from; PostgreSQL's text holds no NUL."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: sa.Dialect) -> str | None:
        """Returns the words with every NUL made visible."""
        return None if value is None else value.replace("\0", "\ufffd")


def _job() -> Column[int]:
    return Column("job_id", Big, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)


metadata = sa.MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    }
)

jobs = sa.Table(
    "jobs",
    metadata,
    Column("id", Big, primary_key=True),
    Column("namespace", String, nullable=False),
    Column("job", String, nullable=False),
    # NULL where the caller gave none: such jobs have nothing to be recognised by.
    Column("request_id", String),
    Column("spec", LargeBinary, nullable=False),
    Column("state", String, nullable=False),
    Column("reason", Sentence, nullable=False),
    Column("owner", String, nullable=False),
    Column("create_time", UtcTime, nullable=False),
    Column("start_time", UtcTime),
    Column("end_time", UtcTime),
    Column("last_sequence", sa.BigInteger, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("billed_device_seconds", sa.Double, nullable=False),
    # What its data turned out to be; NULL before it was read.
    Column("dataset", LargeBinary),
    UniqueConstraint("namespace", "job"),
    UniqueConstraint("namespace", "request_id"),
    Index(None, "namespace", "id"),
    Index(None, "state"),
    # Keys aren't used again, so that a page's key stays where it was.
    sqlite_autoincrement=True,
)

searches = sa.Table(
    "searches",
    metadata,
    _job(),
    Column("key", String, primary_key=True),
    Column("position", Integer, nullable=False),
    Column("state", String, nullable=False),
    Column("reason", Sentence, nullable=False),
    # The number of its last plan step.
    Column("steps", Integer, nullable=False),
)

# The epoch is unique over all jobs and time: a runner whose job was deleted and
# made again under the same name is stale too.
runner_attempts = sa.Table(
    "runner_attempts",
    metadata,
    Column("epoch", Big, primary_key=True),
    Column("job_id", Big, ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("submission_id", String, nullable=False),
    # Kept after the exchange, so that a second one is recognised.
    Column("code_hash", String, nullable=False),
    Column("token_hash", String, nullable=False),
    Column("create_time", UtcTime, nullable=False),
    Column("heartbeat_time", UtcTime),
    Column("end_time", UtcTime),
    Column("outcome", String, nullable=False),
    Column("reason", Sentence, nullable=False),
    UniqueConstraint("job_id", "number"),
    Index(
        "uq_runner_attempts_live",
        "job_id",
        unique=True,
        sqlite_where=sa.text("end_time IS NULL"),
        postgresql_where=sa.text("end_time IS NULL"),
    ),
    sqlite_autoincrement=True,
)

events = sa.Table(
    "events",
    metadata,
    _job(),
    Column("sequence", sa.BigInteger, primary_key=True),
    Column("time", UtcTime, nullable=False),
    Column("kind", String, nullable=False),
    Column("payload", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

plan_steps = sa.Table(
    "plan_steps",
    metadata,
    _job(),
    Column("search", String, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("sequence", sa.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

measurements = sa.Table(
    "measurements",
    metadata,
    _job(),
    Column("id", String, primary_key=True),
    Column("sequence", sa.BigInteger, nullable=False),
    Column("search", String, nullable=False),
    Column("phase", String, nullable=False),
    Column("level", sa.BigInteger, nullable=False),
    Column("replicate", Integer, nullable=False),
    Column("outcome", String, nullable=False),
    Column("billed_device_seconds", sa.Double, nullable=False),
    Index(None, "job_id", "search", "sequence"),
    sqlite_with_rowid=False,
)

packet_attempts = sa.Table(
    "packet_attempts",
    metadata,
    _job(),
    Column("packet", String, primary_key=True),
    Column("runner_attempt", Integer, primary_key=True),
    Column("number", Integer, primary_key=True),
    # Empty for the try itself; else the digest of a result that it brought and
    # that differed from the final one.
    Column("conflict", String, primary_key=True),
    Column("sequence", sa.BigInteger, nullable=False),
    Column("outcome", String, nullable=False),
    Column("billed_device_seconds", sa.Double, nullable=False),
    sqlite_with_rowid=False,
)

# Results that ran ahead of the plan. One whose id is among `measurements` has been claimed.
surplus = sa.Table(
    "surplus",
    metadata,
    _job(),
    Column("id", String, primary_key=True),
    Column("payload", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

# Files that jobs have made. A measurement's predictions lie in one of its job's.
artifacts = sa.Table(
    "artifacts",
    metadata,
    _job(),
    Column("name", String, primary_key=True),
    Column("sha256", String, nullable=False),
    Column("size_bytes", sa.BigInteger, nullable=False),
    Column("create_time", UtcTime, nullable=False),
    Index(None, "sha256"),
    sqlite_with_rowid=False,
)
