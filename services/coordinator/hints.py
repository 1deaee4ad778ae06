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
        self._readers: dict[JobName | None, set[asyncio.Event]] = {}
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
        self.recorded(name)

    def recorded(self, name: JobName) -> None:
        """Says that the job's record has grown, which whoever follows it wants to know.

        Nobody else is woken: a record grows hundreds of times a second.
        """
        for event in self._readers.get(name, ()):
            event.set()

    def close(self) -> None:
        """Wakes everyone; who waits from now on is told that the server is going away."""
        self.closing.set()
        for events in (*self._listeners.values(), *self._readers.values()):
            for event in events:
                event.set()

    def listeners(self, name: JobName) -> int:
        """Returns how many wait for news of the job."""
        return len(self._listeners.get(name, ())) + len(self._readers.get(name, ()))

    def check(self) -> None:
        """Raises TunerError, UNAVAILABLE, once the server is going away."""
        if self.closing.is_set():
            raise TunerError(
                Status.UNAVAILABLE,
                "SHUTTING_DOWN",
                "the coordinator is shutting down; ask again, from where you were",
            )

    @contextmanager
    def listen(
        self, name: JobName | None = None, *, record: bool = False
    ) -> Iterator[asyncio.Event]:
        """Gives an event that is set at news of the job, or of any job's state for None.

        Clear it before reading what it may be news of.

        Args:
            name: The job.
            record: Whether its record's growth is news, too.
        """
        kind = self._readers if record else self._listeners
        event = asyncio.Event()
        kind.setdefault(name, set()).add(event)
        try:
            yield event
        finally:
            listeners = kind[name]
            listeners.discard(event)
            if not listeners:
                del kind[name]


async def wait(event: asyncio.Event, seconds: float = POLL_SECONDS) -> None:
    """Waits for the event, so many seconds at most."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
