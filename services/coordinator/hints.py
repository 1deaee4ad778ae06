"""Hints that there is news. Polling is the truth: a lost hint costs a second, never an event."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from tuner.errors import Status, TunerError
from tuner.wire.names import JobName

POLL_SECONDS = 1.0


class Hints:
    """Wakes those who wait for news of a job, or for any job's state. For one event loop.

    Attributes:
        closing: Set once the server is going away.
    """

    def __init__(self) -> None:
        self._listeners: dict[JobName | None, set[asyncio.Event]] = {}
        self.closing = asyncio.Event()

    def ring(self, name: JobName, *, state: bool = False) -> None:
        """Says that there is news of the job.

        Args:
            name: The job.
            state: Whether its state may have changed, which the scheduler wants to know.
        """
        for topic in (name, None) if state else (name,):
            for event in self._listeners.get(topic, ()):
                event.set()

    def close(self) -> None:
        """Wakes everyone; who waits from now on is told that the server is going away."""
        self.closing.set()
        for events in self._listeners.values():
            for event in events:
                event.set()

    def check(self) -> None:
        """Raises TunerError, UNAVAILABLE, once the server is going away."""
        if self.closing.is_set():
            raise TunerError(
                Status.UNAVAILABLE,
                "SHUTTING_DOWN",
                "the coordinator is shutting down; ask again, from where you were",
            )

    @contextmanager
    def listen(self, name: JobName | None = None) -> Iterator[asyncio.Event]:
        """Gives an event that is set at news of the job, or of any job's state for None.

        Clear it before reading what it may be news of.
        """
        event = asyncio.Event()
        self._listeners.setdefault(name, set()).add(event)
        try:
            yield event
        finally:
            listeners = self._listeners[name]
            listeners.discard(event)
            if not listeners:
                del self._listeners[name]


async def wait(event: asyncio.Event, seconds: float = POLL_SECONDS) -> None:
    """Waits for the event, so many seconds at most."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
