"""What several coordinators, shares, quotas, tokens and reopened jobs need to be kept."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from tuner.record import candidate_id
from tuner.v1 import record_pb2
from tuner.wire.values import setting_from_wire

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_TIME = sa.DateTime(timezone=True)
_TABLES = ("audit", "grants", "tokens", "outlook", "usage", "namespaces", "leases", "requests")


# So that a page costs what the first one does, wherever it is.
_PAGES = (
    ("ix_plan_steps_job_id_sequence", "plan_steps", ["job_id", "sequence"]),
    ("ix_plan_steps_job_id_search_sequence", "plan_steps", ["job_id", "search", "sequence"]),
    ("ix_measurements_job_id_sequence", "measurements", ["job_id", "sequence"]),
    (
        "ix_measurements_job_id_candidate_sequence",
        "measurements",
        ["job_id", "candidate", "sequence"],
    ),
)


def _columns() -> dict[str, tuple[sa.Column[Any], ...]]:
    """Returns the new columns by table: new objects each time, for a table takes them."""
    return {
        "jobs": (
            sa.Column("last_time", _TIME),
            sa.Column("submitted", sa.LargeBinary),
            sa.Column("share", sa.Integer),
            sa.Column("share_reason", sa.Text, nullable=False, server_default=""),
            sa.Column("place", sa.Integer, nullable=False, server_default="0"),
            sa.Column("avoid_nodes", sa.Text, nullable=False, server_default="[]"),
            sa.Column("reopened", sa.BigInteger, nullable=False, server_default="0"),
            sa.Column("to_notify", sa.Boolean, nullable=False, server_default=sa.false()),
        ),
        "runner_attempts": (
            sa.Column("from_sequence", sa.BigInteger, nullable=False, server_default="0"),
            sa.Column("slots_busy", sa.Integer, nullable=False, server_default="0"),
            sa.Column("packets_waiting", sa.Integer, nullable=False, server_default="0"),
            sa.Column("held", sa.Text, nullable=False, server_default="{}"),
        ),
        "measurements": (sa.Column("candidate", sa.String, nullable=False, server_default=""),),
        "packet_attempts": (
            sa.Column("lost_node", sa.String),
            sa.Column("lost_time", _TIME),
        ),
    }


def upgrade() -> None:
    """Adds the columns, with what is right of rows that are there, and the tables."""
    for table, columns in _columns().items():
        for column in columns:
            op.add_column(table, column)
    op.execute(
        "UPDATE jobs SET last_time = (SELECT time FROM events"
        " WHERE events.job_id = jobs.id AND events.sequence = jobs.last_sequence)"
    )
    op.execute(
        "UPDATE runner_attempts SET from_sequence = coalesce((SELECT max(sequence) FROM events"
        " WHERE events.job_id = runner_attempts.job_id"
        " AND events.time <= runner_attempts.create_time), 0)"
    )
    op.create_index(
        "ix_jobs_to_notify",
        "jobs",
        ["end_time"],
        sqlite_where=sa.text("to_notify = 1"),
        postgresql_where=sa.text("to_notify"),
    )
    op.create_index("ix_packet_attempts_lost_time", "packet_attempts", ["lost_time"])
    for index in _PAGES:
        op.create_index(*index)
    _name_candidates(op.get_bind())
    op.create_table(
        "requests",
        sa.Column("job_id", _BIG, nullable=False),
        sa.Column("request_id", sa.String, nullable=False),
        sa.Column("digest", sa.String, nullable=False),
        sa.Column("create_time", _TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.id"], name="fk_requests_job_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("job_id", "request_id", name="pk_requests"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "leases",
        sa.Column("name", sa.String, nullable=False),
        sa.Column("holder", sa.String, nullable=False),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("beat", sa.BigInteger, nullable=False),
        sa.Column("since", _TIME, nullable=False),
        sa.Column("expire_time", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_leases"),
    )
    op.create_table(
        "namespaces",
        sa.Column("namespace", sa.String, nullable=False),
        sa.Column("weight", sa.Double, nullable=False),
        sa.Column("max_running_jobs", sa.Integer),
        sa.Column("max_slots", sa.Integer),
        sa.Column("max_device_hours", sa.Double),
        sa.Column("max_jobs", sa.Integer),
        sa.PrimaryKeyConstraint("namespace", name="pk_namespaces"),
    )
    op.create_table(
        "usage",
        sa.Column("namespace", sa.String, nullable=False),
        sa.Column("hour", _TIME, nullable=False),
        sa.Column("device_seconds", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("namespace", "hour", name="pk_usage"),
    )
    op.create_index("ix_usage_hour", "usage", ["hour"])
    op.create_table(
        "outlook",
        sa.Column("id", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("capacity", sa.Double, nullable=False),
        sa.Column("reserved", sa.Double, nullable=False),
        sa.Column("reserved_idle_share", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_outlook"),
    )
    op.create_table(
        "tokens",
        sa.Column("id", sa.String, nullable=False),
        sa.Column("hash", sa.String, nullable=False),
        sa.Column("subject", sa.String, nullable=False),
        sa.Column("created_by", sa.String, nullable=False),
        sa.Column("create_time", _TIME, nullable=False),
        sa.Column("expire_time", _TIME),
        sa.Column("revoke_time", _TIME),
        sa.PrimaryKeyConstraint("id", name="pk_tokens"),
        sa.UniqueConstraint("hash", name="uq_tokens_hash"),
    )
    op.create_table(
        "grants",
        sa.Column("token", sa.String, nullable=False),
        sa.Column("namespace", sa.String, nullable=False),
        sa.Column("role", sa.String, nullable=False),
        sa.ForeignKeyConstraint(
            ["token"], ["tokens.id"], name="fk_grants_token", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("token", "namespace", name="pk_grants"),
    )
    op.create_table(
        "audit",
        sa.Column("id", _BIG, nullable=False),
        sa.Column("time", _TIME, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("token", sa.String, nullable=False),
        sa.Column("method", sa.String, nullable=False),
        sa.Column("namespace", sa.String, nullable=False),
        sa.Column("resource", sa.Text, nullable=False),
        sa.Column("status", sa.String, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("peer", sa.String, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_audit_namespace_id", "audit", ["namespace", "id"])


def _name_candidates(connection: sa.Connection) -> None:
    """Says of measurements that are there which candidate each is of."""
    rows = sa.text(
        "SELECT m.job_id, m.sequence, m.id, e.payload FROM measurements m JOIN events e "
        "ON e.job_id = m.job_id AND e.sequence = m.sequence "
        "WHERE m.job_id > :job OR (m.job_id = :job AND m.sequence > :sequence) "
        "ORDER BY m.job_id, m.sequence LIMIT 10000"
    )
    change = sa.text(
        "UPDATE measurements SET candidate = :candidate WHERE job_id = :job AND id = :id"
    )
    after = {"job": 0, "sequence": 0}
    while some := connection.execute(rows, after).all():
        connection.execute(
            change,
            [
                {"candidate": _candidate(row.payload), "job": row.job_id, "id": row.id}
                for row in some
            ],
        )
        after = {"job": some[-1].job_id, "sequence": some[-1].sequence}


def _candidate(payload: bytes) -> str:
    m = record_pb2.Measurement.FromString(payload)
    return candidate_id(m.search, m.level, setting_from_wire(m.hyperparameters))


def downgrade() -> None:
    """Drops them."""
    for table in _TABLES:
        op.drop_table(table)
    for name, table, _columns_of in _PAGES:
        op.drop_index(name, table)
    op.drop_index("ix_packet_attempts_lost_time", "packet_attempts")
    op.drop_index("ix_jobs_to_notify", "jobs")
    for table, columns in _columns().items():
        for column in columns:
            op.drop_column(table, column.name)
