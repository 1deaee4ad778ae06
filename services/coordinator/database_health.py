"""Whether the database answers, and what calls are told while it doesn't."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from tuner.errors import Status, TunerError

log = structlog.get_logger(__name__)

SILENT_SECONDS = 4.0
"""A database that hasn't answered for so long is taken for silent. A call that waited for it
longer would run into its caller's deadline, and what did isn't tried again."""


UNAVAILABLE = "the coordinator's database can't be used at present; ask again"
"""What callers are told; why is for the log, since it names hosts and files."""


class DatabaseHealth:
    """What the last look at the database found. Belongs to one event loop.

    A database that refuses is left to the calls: some of them may still succeed, such as
    reading while its disk is full. One that is silent holds every call, so they are
    refused without asking.

    Attributes:
        reason: Why it can't be used; empty where it can.
        sign: Changes with every failure and recovery. Whoever couldn't be heard of
            because of the database is told by it from whoever was silent.
    """

    def __init__(self) -> None:
        """Takes it for well."""
        self.reason = ""
        self.sign = 0
        self._silent = False
        self._since = 0.0
        self._waiting: set[asyncio.Timeout] = set()

    def answered(self) -> None:
        """Notes that it did what it was asked for."""
        if self.reason:
            seconds = round(time.monotonic() - self._since, 1)
            log.warning("the database is back", after_seconds=seconds)
            self.reason, self._silent = "", False
            self.sign += 1

    def failed(self, reason: str, *, silent: bool = False) -> None:
        """Notes that it can't be used; the first time it is told in the log."""
        line = " ".join(reason.split())
        if not self.reason:
            self._since = time.monotonic()
            log.error("the database can't be used; calls answer UNAVAILABLE", reason=line)
        self.reason, self._silent = line, silent
        self.sign += 1
        if silent:
            now = asyncio.get_running_loop().time()
            for bound in self._waiting:
                bound.reschedule(now)

    @asynccontextmanager
    async def needed(self) -> AsyncIterator[None]:
        """Lets a block run as long as the database isn't silent.

        Raises:
            TunerError: UNAVAILABLE once it is. What the block was doing may still happen.
        """
        if self._silent:
            raise self._refusal()
        bound = asyncio.timeout(None)
        try:
            async with bound:
                self._waiting.add(bound)
                try:
                    yield
                finally:
                    self._waiting.discard(bound)
        except TimeoutError as error:
            if not bound.expired():
                raise
            raise self._refusal() from error

    def _refusal(self) -> TunerError:
        return TunerError(Status.UNAVAILABLE, "STORE_UNAVAILABLE", UNAVAILABLE)
