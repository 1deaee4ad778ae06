"""Namespaces: their weights, quotas and use."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

import sqlalchemy as sa

from services.coordinator.store import tables as t
from services.coordinator.store.bulk import upsert
from services.coordinator.store.sqlbase import SqlPart
from tuner.errors import Status, TunerError
from tuner.queue import Quota

DAYS_OF_DEVICE_HOURS = 30
"""Days over which a namespace's device-hours are counted."""


class Accounts(Protocol):
    """The store's namespaces. Every call may raise UnavailableError."""

    def quotas(self) -> dict[str, Quota]:
        """Returns what was set of namespaces, by their names."""
        ...

    def set_quota(self, namespace: str, quota: Quota) -> None:
        """Sets a namespace's weight and quotas, all of them."""
        ...

    def job_counts(self) -> dict[str, int]:
        """Returns how many jobs each namespace has, ended ones too."""
        ...

    def add_usage(self, device_seconds: Mapping[str, float]) -> None:
        """Adds device-seconds that namespaces have used in this hour."""
        ...

    def usage(self, since: datetime) -> dict[str, float]:
        """Returns the device-seconds that namespaces have used since then, to the hour."""
        ...


class SqlAccounts(SqlPart):
    """`Accounts` over SQL."""

    def quotas(self) -> dict[str, Quota]:
        """Does Accounts.quotas."""
        with self._database.read() as connection:
            return {
                row.namespace: Quota(
                    weight=row.weight,
                    max_running_jobs=row.max_running_jobs,
                    max_slots=row.max_slots,
                    max_device_hours=row.max_device_hours,
                    max_jobs=row.max_jobs,
                )
                for row in connection.execute(sa.select(t.namespaces))
            }

    def set_quota(self, namespace: str, quota: Quota) -> None:
        """Does Accounts.set_quota."""
        row = {
            "namespace": namespace,
            "weight": quota.weight,
            "max_running_jobs": quota.max_running_jobs,
            "max_slots": quota.max_slots,
            "max_device_hours": quota.max_device_hours,
            "max_jobs": quota.max_jobs,
        }
        self._written(lambda connection: upsert(connection, t.namespaces, [row]))

    def job_counts(self) -> dict[str, int]:
        """Does Accounts.job_counts."""
        c = t.jobs.c
        query = sa.select(c.namespace, sa.func.count().label("jobs")).group_by(c.namespace)
        with self._database.read() as connection:
            return {row.namespace: row.jobs for row in connection.execute(query)}

    def add_usage(self, device_seconds: Mapping[str, float]) -> None:
        """Does Accounts.add_usage."""
        # In order of their names, so that no two of these wait for each other.
        used = [(name, seconds) for name, seconds in sorted(device_seconds.items()) if seconds > 0]
        if not used:
            return

        def work(connection: sa.Connection) -> None:
            hour = self._clock().replace(minute=0, second=0, microsecond=0)
            rows = [
                {"namespace": name, "hour": hour, "device_seconds": seconds}
                for name, seconds in used
            ]
            upsert(connection, t.usage, rows, adding=("device_seconds",))

        self._written(work)

    def usage(self, since: datetime) -> dict[str, float]:
        """Does Accounts.usage."""
        c = t.usage.c
        query = (
            sa.select(c.namespace, sa.func.sum(c.device_seconds).label("seconds"))
            .where(c.hour >= since.replace(minute=0, second=0, microsecond=0))
            .group_by(c.namespace)
        )
        with self._database.read() as connection:
            return {row.namespace: row.seconds for row in connection.execute(query)}


def check_job_quota(connection: sa.Connection, namespace: str) -> None:
    """Passes while the namespace may have another job, made in this transaction.

    Raises:
        TunerError: RESOURCE_EXHAUSTED where it has as many as it may.
    """
    c = t.namespaces.c
    # Locked, so that two jobs don't both become the last one.
    query = sa.select(c.max_jobs).where(c.namespace == namespace).with_for_update()
    most = connection.execute(query).scalar_one_or_none()
    if most is None:
        return
    count = sa.select(sa.func.count()).where(t.jobs.c.namespace == namespace)
    jobs = connection.execute(count).scalar_one()
    if jobs >= most:
        raise TunerError(
            Status.RESOURCE_EXHAUSTED,
            "QUOTA_EXCEEDED",
            f"{namespace} has {jobs} of its {most} jobs, ended ones too; delete one, or ask an "
            "operator for more",
        )
