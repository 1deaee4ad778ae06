"""What every part of the SQL store works with: the database, the clock, and the fence."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Self, TypeVar

import sqlalchemy as sa

from services.coordinator.store.database import Database
from services.coordinator.store.fence import Fence
from services.coordinator.store.log import Clock

_Answer = TypeVar("_Answer")


class SqlPart:
    """A part of the SQL store. Several threads may use one at once."""

    def __init__(self, database: Database, clock: Clock) -> None:
        """Takes a database whose schema is this code's."""
        self._database = database
        self._clock = clock
        self._fence: Fence | None = None

    def fenced(self, fence: Fence) -> Self:
        """Does Store.fenced."""
        other = copy.copy(self)
        other._fence = fence
        return other

    def _written(self, work: Callable[[sa.Connection], _Answer]) -> _Answer:
        """Runs work in a transaction that writes; it is durable when this returns.

        The transaction may hold other callers' work beside it, and another thread may run it.

        Raises:
            DeposedError: The fence's lease has another holder by now.
            UnavailableError: The database can't be reached, or stays locked.
        """
        fence = self._fence
        if fence is None:
            return self._database.written(work)

        def fenced(connection: sa.Connection) -> _Answer:
            fence.check(connection)
            return work(connection)

        return self._database.written(fenced)
