"""The audit log's writer: entries in batches, off the way of the calls that they are about."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice

import structlog

from services.coordinator.store.base import Store
from services.coordinator.store.errors import UnavailableError
from services.coordinator.store.log import Clock, utc_now
from tuner.access import AuditEntry
from tuner.errors import Status, TunerError

log = structlog.get_logger(__name__)

FLUSH_SECONDS = 0.5
"""Entries wait at most so long, while the database answers."""

BATCH = 500
MAX_WAITING = 10_000
"""Entries that wait for the database. Where there are more, no call that is to be audited is
begun: nothing is done that the log doesn't tell."""

ROOM_SECONDS = 5.0
"""How long a call waits for there to be room."""

COALESCE_SECONDS = 60.0
MAX_KINDS = 100
"""Kinds of refusals told apart in so many seconds. The first of a kind is written at once, the
others are counted; kinds beyond these are counted as one."""

MAX_REASON = 500
CLOSING_SECONDS = 3.0


@dataclass
class _More:
    """Refusals like one that is written."""

    like: AuditEntry
    count: int = 0


class Audit:
    """Takes entries, and writes them. Belongs to one event loop."""

    def __init__(self, store: Store, clock: Clock = utc_now) -> None:
        """Takes where entries are kept, and what tells their time."""
        self._store = store
        self._clock = clock
        self._waiting: deque[AuditEntry] = deque()
        self._more: dict[tuple[str, ...], _More] = {}
        self._others = 0
        self._window_end = 0.0
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._task: asyncio.Task[None] | None = None
        self._under_way: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins to write."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Writes what waits, if the database takes it within seconds, and ends."""
        if self._task is None:
            return
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._close_window()
        try:
            async with asyncio.timeout(CLOSING_SECONDS):
                await self._write_all()
        except (TimeoutError, UnavailableError) as error:
            # The log of the service is what is left to tell it.
            log.error("audit entries lost", count=len(self._waiting), reason=str(error))  # noqa: TRY400

    async def room(self) -> None:
        """Returns once another entry can be kept.

        Raises:
            TunerError: UNAVAILABLE where the database has taken none for long.
        """
        if self._room.is_set():
            return
        try:
            async with asyncio.timeout(ROOM_SECONDS):
                await self._room.wait()
        except TimeoutError as error:
            raise TunerError(
                Status.UNAVAILABLE,
                "STORE_UNAVAILABLE",
                "the audit log can't be written at present, so nothing may be changed",
            ) from error

    def done(self, entry: AuditEntry) -> None:
        """Notes a call that did something."""
        self._add(entry)

    def refused(self, entry: AuditEntry) -> None:
        """Notes a call that was refused, or failed. Floods of them are counted, not written."""
        if time.monotonic() >= self._window_end:
            self._close_window()
            self._window_end = time.monotonic() + COALESCE_SECONDS
        host = entry.peer.rpartition(":")[0] or entry.peer
        kind = (entry.subject, entry.token, entry.method, entry.namespace, entry.status, host)
        if (more := self._more.get(kind)) is not None:
            more.count += 1
        elif len(self._more) < MAX_KINDS:
            self._more[kind] = _More(entry)
            self._add(entry)
        else:
            self._others += 1

    def _add(self, entry: AuditEntry) -> None:
        if len(self._waiting) >= 2 * MAX_WAITING:
            # Refusals alone come this far, a hundred a minute: the database is long gone.
            log.error("audit entry lost", method=entry.method, subject=entry.subject)
            return
        at = entry.time or self._clock()
        self._waiting.append(replace(entry, reason=entry.reason[:MAX_REASON], time=at))
        self._news.set()
        if len(self._waiting) >= MAX_WAITING:
            self._room.clear()

    def _close_window(self) -> None:
        """Writes how many refusals were only counted."""
        for more in self._more.values():
            if more.count:
                reason = f"and {more.count} more like it within {COALESCE_SECONDS:g} s"
                self._add(replace(more.like, reason=reason, time=None))
        if self._others:
            reason = f"{self._others} refusals of other kinds within {COALESCE_SECONDS:g} s"
            self._add(AuditEntry("", "", "", "", "", "", reason))
        self._more.clear()
        self._others = 0

    async def _run(self) -> None:
        while True:
            left = self._window_end - time.monotonic()
            open_ = bool(self._more) and left > 0
            try:
                async with asyncio.timeout(left if open_ else None):
                    await self._news.wait()
            except TimeoutError:
                self._close_window()
                continue
            # What comes meanwhile is written with it.
            await asyncio.sleep(FLUSH_SECONDS)
            self._news.clear()
            try:
                await self._write_all()
            except UnavailableError as error:
                # That the database is gone is told once, by whoever watches it.
                log.debug("audit log waits", entries=len(self._waiting), reason=str(error))
                self._news.set()

    async def _write_all(self) -> None:
        """Writes what waits. Raises UnavailableError."""
        most = BATCH
        while self._waiting:
            try:
                await self._write(most)
            except UnavailableError:
                raise
            except Exception:
                # One entry that no database takes must neither keep back all that follow nor
                # take along those beside it: which one it is shows one by one.
                if most == 1:
                    log.exception("audit entry lost")
                    self._drop(1)
                most = 1

    async def _write(self, most: int) -> None:
        """Writes the oldest entries. What is being written already is waited for instead.

        Whoever waits may be told to end meanwhile; a write goes on then, and isn't begun twice.
        """
        if self._under_way is None:
            batch = list(islice(self._waiting, most))
            self._under_way = asyncio.create_task(self._append(batch))
        await asyncio.shield(self._under_way)

    async def _append(self, batch: Sequence[AuditEntry]) -> None:
        try:
            await asyncio.to_thread(self._store.append_audit, batch)
            self._drop(len(batch))
        finally:
            self._under_way = None

    def _drop(self, count: int) -> None:
        """Takes the oldest entries out of the queue. Only the writer does."""
        for _ in range(count):
            self._waiting.popleft()
        if len(self._waiting) < MAX_WAITING:
            self._room.set()
