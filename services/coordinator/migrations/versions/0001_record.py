"""The first schema: jobs, searches, attempts of the runner, and the record.

A migration is never changed once released, so it names its types itself.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_TIME = sa.DateTime(timezone=True)


def _required(name: str, kind: sa.types.TypeEngine[Any] | type) -> sa.Column[object]:
    return sa.Column(name, kind, nullable=False)


def _job(table: str) -> tuple[sa.Column[object], sa.ForeignKeyConstraint]:
    constraint = sa.ForeignKeyConstraint(
        ["job_id"], ["jobs.id"], name=f"fk_{table}_job_id", ondelete="CASCADE"
    )
    return _required("job_id", _BIG), constraint


def upgrade() -> None:
    """Creates everything."""
    op.create_table(
        "jobs",
        _required("id", _BIG),
        _required("namespace", sa.String),
        _required("job", sa.String),
        sa.Column("request_id", sa.String),
        _required("spec", sa.LargeBinary),
        _required("state", sa.String),
        _required("reason", sa.Text),
        _required("owner", sa.String),
        _required("create_time", _TIME),
        sa.Column("start_time", _TIME),
        sa.Column("end_time", _TIME),
        _required("last_sequence", sa.BigInteger),
        _required("attempt", sa.Integer),
        _required("billed_device_seconds", sa.Double),
        sa.PrimaryKeyConstraint("id", name="pk_jobs"),
        sa.UniqueConstraint("namespace", "job", name="uq_jobs_namespace_job"),
        sa.UniqueConstraint("namespace", "request_id", name="uq_jobs_namespace_request_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_jobs_namespace_id", "jobs", ["namespace", "id"])
    op.create_index("ix_jobs_state", "jobs", ["state"])
    op.create_table(
        "searches",
        *_job("searches"),
        _required("key", sa.String),
        _required("position", sa.Integer),
        _required("state", sa.String),
        _required("reason", sa.Text),
        _required("steps", sa.Integer),
        sa.PrimaryKeyConstraint("job_id", "key", name="pk_searches"),
    )
    op.create_table(
        "runner_attempts",
        _required("epoch", _BIG),
        *_job("runner_attempts"),
        _required("number", sa.Integer),
        _required("submission_id", sa.String),
        _required("code_hash", sa.String),
        _required("token_hash", sa.String),
        _required("create_time", _TIME),
        sa.Column("heartbeat_time", _TIME),
        sa.Column("end_time", _TIME),
        _required("outcome", sa.String),
        _required("reason", sa.Text),
        sa.PrimaryKeyConstraint("epoch", name="pk_runner_attempts"),
        sa.UniqueConstraint("job_id", "number", name="uq_runner_attempts_job_id_number"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "uq_runner_attempts_live",
        "runner_attempts",
        ["job_id"],
        unique=True,
        sqlite_where=sa.text("end_time IS NULL"),
        postgresql_where=sa.text("end_time IS NULL"),
    )
    op.create_table(
        "events",
        *_job("events"),
        _required("sequence", sa.BigInteger),
        _required("time", _TIME),
        _required("kind", sa.String),
        _required("payload", sa.LargeBinary),
        sa.PrimaryKeyConstraint("job_id", "sequence", name="pk_events"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "plan_steps",
        *_job("plan_steps"),
        _required("search", sa.String),
        _required("number", sa.Integer),
        _required("sequence", sa.BigInteger),
        sa.PrimaryKeyConstraint("job_id", "search", "number", name="pk_plan_steps"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "measurements",
        *_job("measurements"),
        _required("id", sa.String),
        _required("sequence", sa.BigInteger),
        _required("search", sa.String),
        _required("phase", sa.String),
        _required("level", sa.BigInteger),
        _required("replicate", sa.Integer),
        _required("outcome", sa.String),
        _required("billed_device_seconds", sa.Double),
        sa.PrimaryKeyConstraint("job_id", "id", name="pk_measurements"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_measurements_job_id_search_sequence",
        "measurements",
        ["job_id", "search", "sequence"],
    )
    op.create_table(
        "packet_attempts",
        *_job("packet_attempts"),
        _required("packet", sa.String),
        _required("runner_attempt", sa.Integer),
        _required("number", sa.Integer),
        _required("conflict", sa.String),
        _required("sequence", sa.BigInteger),
        _required("outcome", sa.String),
        _required("billed_device_seconds", sa.Double),
        sa.PrimaryKeyConstraint(
            "job_id",
            "packet",
            "runner_attempt",
            "number",
            "conflict",
            name="pk_packet_attempts",
        ),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    """Drops everything."""
    for table in (
        "packet_attempts",
        "measurements",
        "plan_steps",
        "events",
        "runner_attempts",
        "searches",
        "jobs",
    ):
        op.drop_table(table)
