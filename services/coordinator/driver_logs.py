"""The logs of a job's drivers: from the cluster while it has them, kept for afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager

import structlog

from services.coordinator.artifacts import Artifacts
from services.coordinator.gateway import ClusterGateway, GatewayError
from services.coordinator.hints import POLL_SECONDS, Hints, wait
from services.coordinator.store.base import Store
from services.coordinator.store.rows import AttemptRow
from services.coordinator.threads import reading
from tuner.errors import Status, TunerError
from tuner.wire.names import JobName

log = structlog.get_logger(__name__)

KEEP_SECONDS = 5.0
"""How long a log may take to fetch: a dead node's would hold up the next attempt."""

MAX_LINE = 16_384
"""A longer line is handed out in pieces of so many characters."""


class Lines:
    """Cuts a text that comes in pieces into lines."""

    def __init__(self) -> None:
        self._rest = ""

    def feed(self, piece: str) -> list[str]:
        """Returns the lines that are complete now, without their ends."""
        *lines, self._rest = (self._rest + piece).split("\n")
        return [part for line in lines for part in _parts(line)]

    def flush(self) -> list[str]:
        """Returns what is left, though no line end has come."""
        rest, self._rest = self._rest, ""
        return list(_parts(rest)) if rest else []


def _parts(line: str) -> list[str]:
    return [line[i : i + MAX_LINE] for i in range(0, len(line), MAX_LINE)] or [""]


async def _next(pieces: AsyncGenerator[str, None]) -> str | None:
    return await anext(pieces, None)


class DriverLogs:
    """Reads and keeps drivers' logs."""

    def __init__(
        self, store: Store, artifacts: Artifacts, gateway: ClusterGateway, hints: Hints
    ) -> None:
        """Takes where logs come from and where they are kept."""
        self._store = store
        self._artifacts = artifacts
        self._gateway = gateway
        self._hints = hints

    async def keep(self, attempt: AttemptRow) -> None:
        """Keeps the log of an attempt whose driver has ended.

        Where the cluster has it no more, what was copied while it grew has to do.
        """
        text, reason = None, "the cluster doesn't know the driver any more"
        try:
            async with asyncio.timeout(KEEP_SECONDS):
                text = await self._gateway.logs(attempt.submission_id)
        except (GatewayError, TimeoutError) as error:
            reason = str(error) or f"not to be had within {KEEP_SECONDS:g} s"
        if text is None:
            text = await self._so_far(attempt) or None
            log.warning(
                "log not complete",
                submission=attempt.submission_id,
                reason=reason,
                characters=len(text or ""),
            )
        if text is not None:
            await asyncio.to_thread(self._artifacts.put_log, attempt.job, attempt.number, text)

    @asynccontextmanager
    async def copied(self, attempt: AttemptRow) -> AsyncIterator[None]:
        """Copies the log of an attempt as it grows: a head node that dies takes it along."""
        task = asyncio.create_task(self._copy(attempt))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _copy(self, attempt: AttemptRow) -> None:
        try:
            so_far = len(await self._so_far(attempt))
            async with aclosing(self._growth(attempt, so_far)) as pieces:
                async for piece in pieces:
                    await asyncio.to_thread(
                        self._artifacts.append_log, attempt.job, attempt.number, piece
                    )
        except TunerError:
            # The server is going away; whoever goes on finds how far this came.
            return
        except Exception:
            # The job does without.
            log.exception("log not copied", submission=attempt.submission_id)

    async def _so_far(self, attempt: AttemptRow) -> str:
        return await asyncio.to_thread(self._artifacts.growing_log, attempt.job, attempt.number)

    async def kept(self, attempt: AttemptRow) -> bool:
        """Tells whether the log of an attempt has been kept."""
        return await self._kept(attempt) is not None

    async def read(
        self, name: JobName, follow: bool
    ) -> AsyncGenerator[tuple[int, list[str]], None]:
        """Yields attempt numbers and lines, attempt by attempt.

        Args:
            name: The job.
            follow: Go on until the job has ended.

        Raises:
            NotFoundError: There is no such job.
            TunerError: UNAVAILABLE, once the server is going away.
        """
        done = 0
        with self._hints.listen(name) as news:
            while True:
                news.clear()
                self._hints.check()
                job = await reading(self._store.get_job, name)
                for attempt in await reading(self._store.attempts, name):
                    if attempt.number <= done:
                        continue
                    async with aclosing(self._of(attempt, follow)) as pieces:
                        lines = Lines()
                        async for piece in pieces:
                            if complete := lines.feed(piece):
                                yield attempt.number, complete
                        if rest := lines.flush():
                            yield attempt.number, rest
                    done = attempt.number
                # The job was read before its attempts, so none can follow.
                if not follow or job.state.ended:
                    return
                await wait(news)

    async def _of(self, attempt: AttemptRow, follow: bool) -> AsyncGenerator[str, None]:
        """Yields one attempt's log in pieces."""
        kept = await self._kept(attempt)
        if kept is not None:
            yield kept
            return
        if not follow:
            yield await self._fetch(attempt)
            return
        sent = 0
        async with aclosing(self._growth(attempt, sent)) as pieces:
            async for piece in pieces:
                sent += len(piece)
                yield piece
        text = await self._kept(attempt) or await self._fetch(attempt)
        yield text[sent:]

    async def _growth(self, attempt: AttemptRow, sent: int) -> AsyncGenerator[str, None]:
        """Yields what comes after so many characters of a log, until its driver is gone."""
        while True:
            skip = sent
            try:
                async with aclosing(self._tail(attempt)) as pieces:
                    async for piece in pieces:
                        fresh, skip = piece[skip:], max(0, skip - len(piece))
                        sent += len(fresh)
                        if fresh:
                            yield fresh
            except GatewayError as error:
                log.debug("log broke off", submission=attempt.submission_id, reason=str(error))
            else:
                return
            if await self._is_gone(attempt):
                return
            self._hints.check()
            await asyncio.sleep(POLL_SECONDS)

    async def _kept(self, attempt: AttemptRow) -> str | None:
        """Returns the log that was kept; None where none was."""
        try:
            return await asyncio.to_thread(self._artifacts.get_log, attempt.job, attempt.number)
        except TunerError as error:
            if error.status is not Status.NOT_FOUND:
                raise
            return None

    async def _tail(self, attempt: AttemptRow) -> AsyncGenerator[str, None]:
        """Yields the log as it grows; ends with UNAVAILABLE when the server is going away."""
        closing = asyncio.create_task(self._hints.closing.wait())
        async with aclosing(self._gateway.tail(attempt.submission_id)) as pieces:
            try:
                while True:
                    following = asyncio.create_task(_next(pieces))
                    try:
                        await asyncio.wait(
                            {following, closing}, return_when=asyncio.FIRST_COMPLETED
                        )
                        self._hints.check()
                        piece = await following
                    finally:
                        following.cancel()
                        await asyncio.gather(following, return_exceptions=True)
                    if piece is None:
                        return
                    yield piece
            finally:
                closing.cancel()

    async def _fetch(self, attempt: AttemptRow) -> str:
        """Returns the log that there is so far; empty where there is none."""
        try:
            text = await self._gateway.logs(attempt.submission_id)
        except GatewayError as error:
            log.warning("log not read", submission=attempt.submission_id, reason=str(error))
            so_far = await self._so_far(attempt)
            return so_far or f"(the log of this attempt can't be read: {error})"
        return text if text is not None else await self._so_far(attempt)

    async def _is_gone(self, attempt: AttemptRow) -> bool:
        """Tells whether no more log can come."""
        try:
            driver = await self._gateway.state(attempt.submission_id)
        except GatewayError:
            return False
        return driver is None or driver.state.ended
