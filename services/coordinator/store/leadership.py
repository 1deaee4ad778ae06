"""Leases: who may act alone, such as the one coordinator that schedules."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

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
    """`Leadership` over SQL."""
