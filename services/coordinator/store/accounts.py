"""Namespaces: their weights, quotas and use, and the shares of their jobs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

import sqlalchemy as sa

from services.coordinator.store import tables as t
from services.coordinator.store.bulk import upsert
from services.coordinator.store.errors import WrongStateError
from services.coordinator.store.log import append, lock_job, named, no_job
from services.coordinator.store.sqlbase import SqlPart
from tuner.errors import Status, TunerError
from tuner.jobs import JobState, ShareChanged
from tuner.queue import Quota
from tuner.wire.names import JobName

DAYS_OF_DEVICE_HOURS = 30
"""Days over which a namespace's device-hours are counted."""


@dataclass(frozen=True)
class Load:
    """What the runner of a job's live attempt last said.

    Attributes:
        held: Slots that it holds, by node.
        busy: Slots that have a packet.
        waiting: Packets that have no slot.
    """

    held: Mapping[str, int] = field(default_factory=dict)
    busy: int = 0
    waiting: int = 0


@dataclass(frozen=True)
class Orders:
    """What a job's runner is to be told.

    Attributes:
        state: Where the job stands.
        reason: Why it stands there.
        share: Slots that the scheduler grants it; None before it did.
        share_reason: Why.
        avoid_nodes: Nodes to keep off.
    """

    state: JobState
    reason: str = ""
    share: int | None = None
    share_reason: str = ""
    avoid_nodes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Notice:
    """What the scheduler says of a job without changing its share.

    Attributes:
        reason: Why its share is what it is, or what it waits for.
        place: Its place in the queue, from 1; 0 where it runs.
    """

    reason: str
    place: int = 0


@dataclass(frozen=True)
class Outlook:
    """The cluster as the leader last knew it, in devices, or cores where there are none.

    Attributes:
        capacity: What it has.
        reserved: What of it reservations keep idle.
        reserved_idle_share: What of it they kept idle in the last hour, from 0 to 1.
    """

    capacity: float = 0.0
    reserved: float = 0.0
    reserved_idle_share: float = 0.0


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

    def loads(self) -> dict[JobName, Load]:
        """Returns what the runners of all live attempts last said."""
        ...

    def orders(self, name: JobName) -> Orders:
        """Returns what the job's runner is to be told. Raises NotFoundError."""
        ...

    def set_share(
        self, name: JobName, slots: int, reason: str, avoid_nodes: Sequence[str] = ()
    ) -> None:
        """Grants a job a share of slots, with a ShareChanged event where it is another.

        Raises:
            NotFoundError: There is no such job.
            WrongStateError: It has ended.
        """
        ...

    def note(self, notices: Mapping[JobName, Notice]) -> None:
        """Says why jobs wait or have what they have; jobs that are gone are passed over."""
        ...

    def lost_by_node(self, since: datetime) -> dict[str, int]:
        """Returns how many packets each node has lost since then."""
        ...

    def outlook(self) -> Outlook:
        """Returns the cluster as the leader last knew it."""
        ...

    def set_outlook(self, outlook: Outlook) -> None:
        """Leaves the cluster as the leader knows it."""
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

    def loads(self) -> dict[JobName, Load]:
        """Does Accounts.loads."""
        a, j = t.runner_attempts.c, t.jobs.c
        query = (
            sa.select(j.namespace, j.job, a.held, a.slots_busy, a.packets_waiting)
            .join_from(t.runner_attempts, t.jobs, a.job_id == j.id)
            .where(a.end_time.is_(None))
        )
        with self._database.read() as connection:
            return {
                JobName(row.namespace, row.job): Load(
                    json.loads(row.held), row.slots_busy, row.packets_waiting
                )
                for row in connection.execute(query)
            }

    def orders(self, name: JobName) -> Orders:
        """Does Accounts.orders."""
        c = t.jobs.c
        columns = (c.state, c.reason, c.share, c.share_reason, c.avoid_nodes)
        query = sa.select(*columns).where(*named(name))
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            raise no_job(name)
        avoid = tuple(json.loads(row.avoid_nodes))
        return Orders(JobState(row.state), row.reason, row.share, row.share_reason, avoid)

    def set_share(
        self, name: JobName, slots: int, reason: str, avoid_nodes: Sequence[str] = ()
    ) -> None:
        """Does Accounts.set_share."""
        c = t.jobs.c

        def work(connection: sa.Connection) -> None:
            job = lock_job(connection, name, self._clock)
            if job.state.ended:
                raise WrongStateError(f"{name} has ended ({job.state}), so it has no share")
            before = connection.execute(sa.select(c.share).where(c.id == job.id)).scalar_one()
            connection.execute(
                sa.update(t.jobs)
                .where(c.id == job.id)
                .values(
                    share=slots, share_reason=reason, avoid_nodes=json.dumps(sorted(avoid_nodes))
                )
            )
            if before != slots:
                append(connection, job, [ShareChanged(slots, reason)])

        self._written(work)

    def note(self, notices: Mapping[JobName, Notice]) -> None:
        """Does Accounts.note."""
        if not notices:
            return
        c = t.jobs.c
        update = (
            sa.update(t.jobs)
            .where(c.namespace == sa.bindparam("of"), c.job == sa.bindparam("called"))
            .values(share_reason=sa.bindparam("why"), place=sa.bindparam("at"))
        )
        rows = [
            {
                "of": name.namespace,
                "called": name.job,
                "why": notices[name].reason,
                "at": notices[name].place,
            }
            # Always in one order, so that no two of these wait for each other.
            for name in sorted(notices, key=str)
        ]
        self._written(lambda connection: connection.execute(update, rows))

    def lost_by_node(self, since: datetime) -> dict[str, int]:
        """Does Accounts.lost_by_node."""
        c = t.packet_attempts.c
        packets = sa.select(c.lost_node, c.job_id, c.packet).where(c.lost_time >= since)
        lost = packets.where(c.lost_node.is_not(None), c.lost_node != "").distinct().subquery()
        query = sa.select(lost.c.lost_node, sa.func.count().label("packets")).group_by(
            lost.c.lost_node
        )
        with self._database.read() as connection:
            return {row.lost_node: row.packets for row in connection.execute(query)}

    def outlook(self) -> Outlook:
        """Does Accounts.outlook."""
        with self._database.read() as connection:
            row = connection.execute(sa.select(t.outlook)).one_or_none()
        if row is None:
            return Outlook()
        return Outlook(row.capacity, row.reserved, row.reserved_idle_share)

    def set_outlook(self, outlook: Outlook) -> None:
        """Does Accounts.set_outlook."""
        row = {
            "id": 1,
            "capacity": outlook.capacity,
            "reserved": outlook.reserved,
            "reserved_idle_share": outlook.reserved_idle_share,
        }
        self._written(lambda connection: upsert(connection, t.outlook, [row]))


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
