"""Leases: who may act alone, such as the one coordinator that schedules."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from services.coordinator.store import tables as t
from services.coordinator.store.errors import DeposedError
from services.coordinator.store.sqlbase import SqlPart


@dataclass(frozen=True)
class LeaseRow:
    """A lease as it stands.

    Attributes:
        name: What is leased.
        holder: Who has it; empty where it was given back.
        epoch: Rises with every new holder.
        beat: Rises whenever the holder says that it lives.
        since: When this holder took it, by the database's clock.
        expired: Whether it has run out, by the database's clock.
    """

    name: str
    holder: str
    epoch: int
    beat: int
    since: datetime
    expired: bool


class Leadership(Protocol):
    """The store's leases, timed by the database's clock. Every call may raise UnavailableError."""

    def lease(self, name: str) -> LeaseRow | None:
        """Returns the lease; None where nobody ever had it."""
        ...

    def take_lease(self, name: str, holder: str, seconds: float, seen: LeaseRow | None) -> LeaseRow:
        """Takes a lease with a new epoch, if it still stands as it was seen.

        Args:
            name: What is leased.
            holder: Who takes it.
            seconds: How long it lasts without a renewal.
            seen: The lease as the taker saw it expire or fall silent; None for never held.

        Raises:
            DeposedError: Somebody else took or renewed it meanwhile.
        """
        ...

    def renew_lease(self, name: str, holder: str, epoch: int, seconds: float) -> LeaseRow:
        """Makes the lease last so many seconds from now. Raises DeposedError."""
        ...

    def give_lease(self, name: str, holder: str, epoch: int) -> None:
        """Gives the lease back, for others to take at once; not an error where it is lost."""
        ...


class SqlLeadership(SqlPart):
    """`Leadership` over SQL.

    A takeover locks the row against `Fence.check` of running transactions, so that it
    waits for them and no later one passes; a renewal doesn't, so that it waits for nobody.
    """

    def lease(self, name: str) -> LeaseRow | None:
        """Does Leadership.lease."""
        with self._database.read() as connection:
            row = connection.execute(_named(name)).one_or_none()
            return None if row is None else _lease(row, _now(connection))

    def take_lease(self, name: str, holder: str, seconds: float, seen: LeaseRow | None) -> LeaseRow:
        """Does Leadership.take_lease."""
        c = t.leases.c

        def work(connection: sa.Connection) -> LeaseRow:
            found = connection.execute(_named(name).with_for_update()).one_or_none()
            now = _now(connection)
            values = {
                "holder": holder,
                "epoch": 1 if found is None else found.epoch + 1,
                "beat": 0 if found is None else found.beat + 1,
                "since": now,
                "expire_time": now + timedelta(seconds=seconds),
            }
            statement: sa.Insert | sa.Update
            if found is None and seen is None:
                statement = sa.insert(t.leases).values(name=name, **values)
            elif found and seen and (found.epoch, found.beat) == (seen.epoch, seen.beat):
                statement = sa.update(t.leases).where(c.name == name).values(**values)
            else:
                raise DeposedError(f"the lease {name!r} was taken or renewed since it was seen")
            return _lease(connection.execute(statement.returning(*c)).one(), now)

        try:
            return self._written(work)
        except IntegrityError as error:
            # Somebody else's first row came between our look and our insert.
            raise DeposedError(f"the lease {name!r} was taken since it was seen") from error

    def renew_lease(self, name: str, holder: str, epoch: int, seconds: float) -> LeaseRow:
        """Does Leadership.renew_lease."""
        c = t.leases.c

        def work(connection: sa.Connection) -> LeaseRow:
            now = _now(connection)
            row = connection.execute(
                _held(sa.update(t.leases), name, holder, epoch)
                .values(beat=c.beat + 1, expire_time=now + timedelta(seconds=seconds))
                .returning(*c)
            ).one_or_none()
            if row is None:
                raise DeposedError(f"the lease {name!r} is no longer {holder}'s of epoch {epoch}")
            return _lease(row, now)

        return self._written(work)

    def give_lease(self, name: str, holder: str, epoch: int) -> None:
        """Does Leadership.give_lease. Nothing more is written under its epoch."""
        c = t.leases.c

        def work(connection: sa.Connection) -> None:
            # Locked as by a takeover: whatever is being written under it comes first.
            connection.execute(_named(name).with_for_update()).one_or_none()
            connection.execute(
                _held(sa.update(t.leases), name, holder, epoch).values(
                    holder="", beat=c.beat + 1, expire_time=_now(connection)
                )
            )

        self._written(work)


def _named(name: str) -> sa.Select[Any]:
    return sa.select(t.leases).where(t.leases.c.name == name)


def _held(statement: sa.Update, name: str, holder: str, epoch: int) -> sa.Update:
    c = t.leases.c
    return statement.where(c.name == name, c.holder == holder, c.epoch == epoch)


def _now(connection: sa.Connection) -> datetime:
    """Returns the time by the database's clock, not that of the transaction's begin."""
    if connection.dialect.name == "postgresql":
        now: datetime = connection.execute(sa.select(sa.func.clock_timestamp())).scalar_one()
        return now.astimezone(UTC)
    text = connection.execute(sa.select(sa.func.strftime("%Y-%m-%dT%H:%M:%f", "now"))).scalar_one()
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def _lease(row: sa.Row[Any], now: datetime) -> LeaseRow:
    return LeaseRow(
        name=row.name,
        holder=row.holder,
        epoch=row.epoch,
        beat=row.beat,
        since=row.since,
        expired=not row.holder or row.expire_time <= now,
    )
