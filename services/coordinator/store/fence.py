"""What keeps a deposed leader from writing: the lease's epoch, checked with every write."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import sqlalchemy as sa

from services.coordinator.store import tables as t
from services.coordinator.store.errors import DeposedError


@dataclass(frozen=True)
class Fence:
    """A lease and the epoch under which its holder writes.

    Attributes:
        lease: The lease's name.
        epoch: Its epoch when it was taken.
        on_deposed: Called, in any thread, whenever a write was refused. Who writes may
            take the error for one of many; this tells who leads.
    """

    lease: str
    epoch: int
    on_deposed: Callable[[], object] = field(default=lambda: None, compare=False, repr=False)

    def check(self, connection: sa.Connection) -> None:
        """Passes while the lease has that epoch, and keeps it so until the transaction ends.

        Raises:
            DeposedError: Another one holds the lease by now, or it was given back.
        """
        c = t.leases.c
        # FOR KEY SHARE holds up a takeover, which locks FOR UPDATE, and no renewal. SQLite
        # has one writer at a time, so that nothing can come between.
        query = (
            sa.select(c.epoch, c.holder)
            .where(c.name == self.lease)
            .with_for_update(read=True, key_share=True)
        )
        row = connection.execute(query).one_or_none()
        if row is not None and row.epoch == self.epoch and row.holder:
            return
        self.on_deposed()
        if row is None or row.epoch != self.epoch:
            now = "isn't there" if row is None else f"has epoch {row.epoch} by now"
            raise DeposedError(f"the lease {self.lease!r} {now}, and this is {self.epoch}")
        raise DeposedError(f"the lease {self.lease!r} of epoch {self.epoch} was given back")
