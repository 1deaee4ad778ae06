"""What the suite asks of the backend that it is run over."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol

from services.coordinator.store.base import Store


def now() -> datetime:
    """Returns the present time."""
    return datetime.now(UTC)


class MakeStore(Protocol):
    """Opens a test's store: without jobs at first, and the same one whenever it is opened."""

    def __call__(self, clock: Callable[[], datetime] = now) -> Store:
        """Returns the store.

        Args:
            clock: Tells the time of every row.
        """
        ...
