"""One reader a job, whose events all that watch the job share.

The reader looks at once after a quiet time, at news of the job's state, and else once a
second, so that a job that is recorded hundreds of times a second costs its watchers a message
a second. What it read last is kept, within bounds; a watcher that is behind that rereads the
store at its own pace, so a slow one costs nobody any memory.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

from services.coordinator.api.portions import portions
from services.coordinator.hints import Hints, wait
from services.coordinator.store.base import Store
from services.coordinator.store.rows import JobRow
from services.coordinator.threads import reading
from tuner.jobs import Event, JobStateChanged
from tuner.v1 import tuner_service_pb2 as pb
from tuner.wire.jobs import event_to_wire
from tuner.wire.names import JobName

EVENTS_A_MESSAGE = 1000
PACE_SECONDS = 1.0
"""The least time between two messages to a watcher that is up to date, but for news of a state."""

EVENTS_KEPT = 1000
BYTES_KEPT = 512 * 1024
"""Of each job that is watched; in memory they take two or three times as much."""


class Feed:
    """What happens to one job, for all that watch it.

    Attributes:
        tail: The sequence of the last event that was read.
        ended: Whether the job had ended at that event.
        watchers: How many have it.
    """

    def __init__(self, job: JobRow, store: Store, hints: Hints) -> None:
        """Begins at the job's present end."""
        self._name, self._store, self._hints = job.name, store, hints
        self._made = job.create_time
        self.watchers = 0
        self.tail = job.last_sequence
        self.ended = job.state.ended
        self._kept: list[pb.Event] = []
        self._bytes = 0
        self._messages: dict[int, list[pb.WatchJobResponse]] = {}
        self._turn = asyncio.Event()
        self._reader = asyncio.create_task(self._read())
        self._reader.add_done_callback(lambda _task: self._wake())

    async def close(self) -> None:
        """Ends the reader."""
        self._reader.cancel()
        await asyncio.wait([self._reader])

    def serves(self, job: JobRow) -> bool:
        """Tells whether it is this very job's, and goes on."""
        return self._made == job.create_time and not self._reader.done()

    @property
    def kept(self) -> int:
        """How many events are kept."""
        return len(self._kept)

    def turn(self) -> asyncio.Event:
        """Returns an event that is set at the next news. Ask for it before looking for any."""
        return self._turn

    def check(self) -> None:
        """Raises what the reader failed with, if it did: a StoreError, or that the server stops."""
        if self._reader.done():
            self._reader.result()

    def messages(self, after: int) -> Sequence[pb.WatchJobResponse] | None:
        """Returns the events after one, in messages; None where they aren't all kept any more."""
        if after >= self.tail:
            return ()
        behind = self.tail - after
        if behind > len(self._kept):
            return None
        if after not in self._messages:
            events = self._kept[-behind:]
            self._messages[after] = [
                pb.WatchJobResponse(events=some) for some in portions(events, EVENTS_A_MESSAGE)
            ]
        return self._messages[after]

    async def _read(self) -> None:
        """Reads on and on. Ends with an error, or by being cancelled."""
        name = self._name
        with self._hints.listen(name) as moved, self._hints.listen(name, record=True) as grown:
            while True:
                self._hints.check()
                moved.clear()
                grown.clear()
                events, messages = await reading(read, self._store, name, self.tail)
                if not events:
                    await wait(grown)
                    continue
                self._keep(events, messages)
                if len(events) < EVENTS_A_MESSAGE:
                    await wait(moved, PACE_SECONDS)

    def _keep(self, events: Sequence[Event], messages: Sequence[pb.Event]) -> None:
        self._kept += messages
        self._bytes += sum(message.ByteSize() for message in messages)
        dropped = 0
        while self._bytes > BYTES_KEPT or len(self._kept) - dropped > EVENTS_KEPT:
            self._bytes -= self._kept[dropped].ByteSize()
            dropped += 1
        del self._kept[:dropped]
        self.tail = events[-1].sequence
        for event in events:
            if isinstance(event.what, JobStateChanged):
                self.ended = event.what.state.ended
        self._wake()

    def _wake(self) -> None:
        self._messages.clear()
        turn, self._turn = self._turn, asyncio.Event()
        turn.set()


def read(store: Store, name: JobName, after: int) -> tuple[list[Event], list[pb.Event]]:
    """Returns a message's worth of events after one, also as messages. Raises StoreError."""
    events = store.events(name, after, EVENTS_A_MESSAGE)
    return events, [event_to_wire(event) for event in events]


class Feeds:
    """The feeds of the jobs that somebody watches."""

    def __init__(self, store: Store, hints: Hints) -> None:
        """Takes where events are, and what tells of news."""
        self._store, self._hints = store, hints
        self._feeds: dict[JobName, Feed] = {}

    @asynccontextmanager
    async def feed(self, job: JobRow) -> AsyncGenerator[Feed, None]:
        """Gives the job's feed; it ends when nobody has it any more.

        One that has failed, or of a deleted job of this name, is replaced for who comes later.
        """
        name = job.name
        feed = self._feeds.get(name)
        if feed is None or not feed.serves(job):
            feed = self._feeds[name] = Feed(job, self._store, self._hints)
        elif feed.tail < job.last_sequence:
            self._hints.recorded(name)
        feed.watchers += 1
        try:
            yield feed
        finally:
            feed.watchers -= 1
            if not feed.watchers:
                if self._feeds.get(name) is feed:
                    del self._feeds[name]
                await feed.close()
