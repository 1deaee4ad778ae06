"""Shares: what jobs' runners hold and are granted, why, and the cluster that it is of."""

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
from tuner.jobs import JobState, ShareChanged
from tuner.wire.names import JobName


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


class Shares(Protocol):
    """The store's shares of the cluster. Every call may raise UnavailableError."""

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


class SqlShares(SqlPart):
    """`Shares` over SQL."""

    def loads(self) -> dict[JobName, Load]:
        """Does Shares.loads."""
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
        """Does Shares.orders."""
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
        """Does Shares.set_share."""
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
        """Does Shares.note."""
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
        """Does Shares.lost_by_node."""
        c = t.packet_attempts.c
        packets = sa.select(c.lost_node, c.job_id, c.packet).where(c.lost_time >= since)
        lost = packets.where(c.lost_node.is_not(None), c.lost_node != "").distinct().subquery()
        query = sa.select(lost.c.lost_node, sa.func.count().label("packets")).group_by(
            lost.c.lost_node
        )
        with self._database.read() as connection:
            return {row.lost_node: row.packets for row in connection.execute(query)}

    def outlook(self) -> Outlook:
        """Does Shares.outlook."""
        with self._database.read() as connection:
            row = connection.execute(sa.select(t.outlook)).one_or_none()
        if row is None:
            return Outlook()
        return Outlook(row.capacity, row.reserved, row.reserved_idle_share)

    def set_outlook(self, outlook: Outlook) -> None:
        """Does Shares.set_outlook."""
        row = {
            "id": 1,
            "capacity": outlook.capacity,
            "reserved": outlook.reserved,
            "reserved_idle_share": outlook.reserved_idle_share,
        }
        self._written(lambda connection: upsert(connection, t.outlook, [row]))
