"""Group commit: writers that come while another commits share the next transaction.

For SQLite, which has one writer at a time and syncs its file with every commit. The order
is that of LevelDB's writers: whoever comes to an empty queue leads, does the work of all
who queue, commits once, and wakes them; the first who came meanwhile leads next.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, TypeVar

import sqlalchemy as sa

from services.coordinator.store.errors import UnavailableError

_Answer = TypeVar("_Answer")

MOST_WORKS = 64
"""Most works that one transaction holds."""

MOST_SECONDS = 0.05
"""No further work is begun in a transaction that has lasted so long."""

MOST_WAITING = 1024
"""Most works that may wait for their turn."""


class Group:
    """Does works from several threads, many to a transaction."""

    def __init__(
        self,
        write: Callable[[], AbstractContextManager[sa.Connection]],
        translate: Callable[[Exception], Exception],
    ) -> None:
        """Takes what opens a transaction that writes, and what turns the driver's errors to ours.

        Args:
            write: Opens the transaction; it is durable when the block has ended, and raises
                UnavailableError where it can't be.
            translate: Turns what a work raised into what its caller is to see.
        """
        self._write = write
        self._translate = translate
        self._mutex = threading.Lock()
        self._waiting: deque[_Turn] = deque()
        self._led = False

    def run(self, work: Callable[[sa.Connection], _Answer]) -> _Answer:
        """Does the work in a transaction; its changes are durable when this returns.

        A work that raises is undone alone, and its caller gets the error. Another thread
        may do it, so it must not rely on its own.

        Raises:
            UnavailableError: The transaction failed, and nothing in it happened; or too
                many wait already.
        """
        turn = _Turn(work)
        with self._mutex:
            if len(self._waiting) >= MOST_WAITING:
                raise UnavailableError(f"{MOST_WAITING} writers wait for the database already")
            self._waiting.append(turn)
            leads, self._led = not self._led, True
        if not leads:
            turn.woken.wait()
        if not turn.done:
            self._lead()
        if turn.error is not None:
            raise turn.error
        answer: _Answer = turn.answer
        return answer

    def _lead(self) -> None:
        """Does the works at the head of the queue, the caller's own among them, and hands on."""
        turns: list[_Turn] = []
        try:
            with self._write() as connection:
                end = time.monotonic() + MOST_SECONDS
                while turn := self._next():
                    turns.append(turn)
                    turn.do(connection, self._translate)
                    if len(turns) == MOST_WORKS or time.monotonic() > end:
                        break
        except BaseException as error:
            if not turns:
                # No transaction could be begun, and those who wait would fare no better.
                turns = self._all()
            _fail(turns, error)
            if not isinstance(error, Exception):
                raise
        finally:
            self._hand_on()
            for turn in turns:
                turn.done = True
                turn.woken.set()

    def _next(self) -> _Turn | None:
        with self._mutex:
            return self._waiting.popleft() if self._waiting else None

    def _all(self) -> list[_Turn]:
        with self._mutex:
            turns = list(self._waiting)
            self._waiting.clear()
            return turns

    def _hand_on(self) -> None:
        """Makes the first who waits the leader, if anybody does."""
        with self._mutex:
            self._led = bool(self._waiting)
            if self._led:
                self._waiting[0].woken.set()


class _Turn:
    """One caller's work. Woken, it is done or leads."""

    def __init__(self, work: Callable[[sa.Connection], Any]) -> None:
        self._work = work
        self.woken = threading.Event()
        self.done = False
        self.answer: Any = None
        self.error: Exception | None = None

    def do(self, connection: sa.Connection, translate: Callable[[Exception], Exception]) -> None:
        """Does the work in a savepoint. Raises where the whole transaction is gone with it."""
        # The driver's own connection: these statements are as many as the works.
        driver: Any = connection.connection.dbapi_connection
        driver.execute("SAVEPOINT work")
        try:
            self.answer = self._work(connection)
        except Exception as error:
            if not driver.in_transaction:
                # A full disk, for one, makes SQLite roll back by itself.
                raise
            driver.execute("ROLLBACK TO work")
            self.error = translate(error)
        driver.execute("RELEASE work")


def _fail(turns: list[_Turn], error: BaseException) -> None:
    """Gives those whose work is undone an error each: one raised in several threads garbles."""
    for turn in turns:
        if turn.error is None:
            turn.error = UnavailableError(
                str(error) if isinstance(error, UnavailableError) else f"not written: {error!r}"
            )
            turn.error.__cause__ = error
