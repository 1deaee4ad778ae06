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
    # The last event's, which no later one's goes behind; NULL before the first.
    Column("last_time", UtcTime),
    Column("attempt", Integer, nullable=False),
    Column("billed_device_seconds", sa.Double, nullable=False),
    # What its data turned out to be; NULL before it was read.
    Column("dataset", LargeBinary),
    # What was submitted, where the spec has been extended since.
    Column("submitted", LargeBinary),
    # Slots that the scheduler grants; NULL before it did.
    Column("share", Integer),
    # What else the scheduler has to say of it: why, its place in the queue, and the nodes,
    # as JSON, that its runner is to keep off.
    Column("share_reason", Sentence, nullable=False, server_default=""),
    Column("place", Integer, nullable=False, server_default="0"),
    Column("avoid_nodes", sa.Text, nullable=False, server_default="[]"),
    # The last event's number when it was last reopened or resumed: attempts from before say
    # nothing of how it goes on. 0 where it never was.
    Column("reopened", sa.BigInteger, nullable=False, server_default="0"),
    # Whether somebody is still to be told of its end.
    Column("to_notify", sa.Boolean, nullable=False, server_default=sa.false()),
    UniqueConstraint("namespace", "job"),
    UniqueConstraint("namespace", "request_id"),
    Index(None, "namespace", "id"),
    Index(None, "state"),
    Index(
        "ix_jobs_to_notify",
        "end_time",
        sqlite_where=sa.text("to_notify = 1"),
        postgresql_where=sa.text("to_notify"),
    ),
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
    # The job's last event when it was made: what it recorded comes after it.
    Column("from_sequence", sa.BigInteger, nullable=False, server_default="0"),
    # What its runner said at its last heartbeat.
    Column("slots_busy", Integer, nullable=False, server_default="0"),
    Column("packets_waiting", Integer, nullable=False, server_default="0"),
    # Slots held by node, as JSON.
    Column("held", sa.Text, nullable=False, server_default="{}"),
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
    Index(None, "job_id", "sequence"),
    Index(None, "job_id", "search", "sequence"),
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
    # What a candidate's measurements have in common: tuner.record.candidate_id.
    Column("candidate", String, nullable=False, server_default=""),
    Index(None, "job_id", "sequence"),
    Index(None, "job_id", "search", "sequence"),
    Index(None, "job_id", "candidate", "sequence"),
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
    # Where it was lost, and when that was recorded; NULL for every other outcome.
    Column("lost_node", String),
    Column("lost_time", UtcTime),
    Index(None, "lost_time"),
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

# Requests that changed a job, so that a retry is recognised (AIP-155).
requests = sa.Table(
    "requests",
    metadata,
    _job(),
    Column("request_id", String, primary_key=True),
    Column("digest", String, nullable=False),
    Column("create_time", UtcTime, nullable=False),
    sqlite_with_rowid=False,
)

# Who may act alone, such as the one coordinator that schedules. The epoch rises with every
# new holder, and the beat whenever the holder says that it lives.
leases = sa.Table(
    "leases",
    metadata,
    Column("name", String, primary_key=True),
    Column("holder", String, nullable=False),
    Column("epoch", sa.BigInteger, nullable=False),
    Column("beat", sa.BigInteger, nullable=False),
    Column("since", UtcTime, nullable=False),
    Column("expire_time", UtcTime, nullable=False),
)

# Namespaces whose weight or quotas were set. NULL is no quota.
namespaces = sa.Table(
    "namespaces",
    metadata,
    Column("namespace", String, primary_key=True),
    Column("weight", sa.Double, nullable=False),
    Column("max_running_jobs", Integer),
    Column("max_slots", Integer),
    Column("max_device_hours", sa.Double),
    Column("max_jobs", Integer),
)

# Device-seconds that a namespace's jobs have held, by hour.
usage = sa.Table(
    "usage",
    metadata,
    Column("namespace", String, primary_key=True),
    Column("hour", UtcTime, primary_key=True),
    Column("device_seconds", sa.Double, nullable=False),
    Index(None, "hour"),
)

# What the leader last knew of the cluster, for other coordinators to tell: one row.
outlook = sa.Table(
    "outlook",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    # In devices, or cores where there are none.
    Column("capacity", sa.Double, nullable=False),
    Column("reserved", sa.Double, nullable=False),
    # Of the capacity, over the last hour.
    Column("reserved_idle_share", sa.Double, nullable=False),
)

tokens = sa.Table(
    "tokens",
    metadata,
    Column("id", String, primary_key=True),
    Column("hash", String, nullable=False),
    Column("subject", String, nullable=False),
    Column("created_by", String, nullable=False),
    Column("create_time", UtcTime, nullable=False),
    Column("expire_time", UtcTime),
    Column("revoke_time", UtcTime),
    UniqueConstraint("hash"),
)

# What a token may do; the namespace "-" is all of them.
grants = sa.Table(
    "grants",
    metadata,
    Column("token", String, ForeignKey("tokens.id", ondelete="CASCADE"), primary_key=True),
    Column("namespace", String, primary_key=True),
    Column("role", String, nullable=False),
)

# Who did what: appended to, never changed.
audit = sa.Table(
    "audit",
    metadata,
    Column("id", Big, primary_key=True),
    Column("time", UtcTime, nullable=False),
    Column("subject", Sentence, nullable=False),
    Column("token", String, nullable=False),
    Column("method", String, nullable=False),
    Column("namespace", String, nullable=False),
    Column("resource", Sentence, nullable=False),
    Column("status", String, nullable=False),
    Column("reason", Sentence, nullable=False),
    Column("peer", String, nullable=False),
    Index(None, "namespace", "id"),
    sqlite_autoincrement=True,
)
