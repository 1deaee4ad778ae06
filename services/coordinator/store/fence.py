"""What keeps a deposed leader from writing: the lease's epoch, checked with every write."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from services.coordinator.store import tables as t
from services.coordinator.store.errors import DeposedError


@dataclass(frozen=True)
class Fence:
    """A lease and the epoch under which its holder writes."""

    lease: str
    epoch: int

    def check(self, connection: sa.Connection) -> None:
        """Passes while the lease has that epoch, and keeps it so until the transaction ends.

        Raises:
            DeposedError: Another one holds the lease by now.
        """
        c = t.leases.c
        query = sa.select(c.epoch).where(c.name == self.lease).with_for_update(read=True)
        epoch = connection.execute(query).scalar_one_or_none()
        if epoch != self.epoch:
            raise DeposedError(
                f"the lease {self.lease!r} has epoch {epoch} by now, and this is {self.epoch}"
            )
