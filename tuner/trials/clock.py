"""A clock that stands still while what it times is waited for."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


class PausingClock:
    """Seconds, but for those in which it was paused: a learner's, while its model is attacked."""

    def __init__(self) -> None:
        """Starts it."""
        self._paused = 0.0

    def __call__(self) -> float:
        """Returns seconds of a clock that only goes forward, from an arbitrary start."""
        return time.monotonic() - self._paused

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Stops it for so long as this lasts."""
        start = time.monotonic()
        try:
            yield
        finally:
            self._paused += time.monotonic() - start
