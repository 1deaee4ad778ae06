"""Watching and ending one driver on the cluster."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from services.coordinator.gateway import ClusterGateway, Driver, GatewayError
from services.coordinator.hints import POLL_SECONDS

log = structlog.get_logger(__name__)


class DriverWatch:
    """What the cluster last said of a driver. It is asked one question at a time.

    Attributes:
        known: Whether it has answered yet.
        driver: Its last answer; None where it doesn't know the driver.
    """

    def __init__(self, gateway: ClusterGateway, submission_id: str) -> None:
        """Asks nothing yet; see `watching`."""
        self._gateway = gateway
        self._id = submission_id
        self.known = False
        self.driver: Driver | None = None

    @property
    def gone(self) -> bool:
        """Whether the driver is known to have ended, or to be unknown to the cluster."""
        return self.known and (self.driver is None or self.driver.state.ended)

    @asynccontextmanager
    async def watching(self, news: asyncio.Event) -> AsyncIterator[DriverWatch]:
        """Keeps asking, and sets the event whenever the answer changes."""
        task = asyncio.create_task(self._run(news))
        try:
            yield self
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _run(self, news: asyncio.Event) -> None:
        silent = False
        while True:
            try:
                driver = await self._gateway.state(self._id)
            except GatewayError as error:
                # Not knowing is no news: the runner's heartbeats go on telling.
                if not silent:
                    log.warning("cluster silent", submission=self._id, reason=str(error))
                silent = True
            except Exception:
                # Whatever it answers by next time, somebody has to hear it.
                if not silent:
                    log.exception("the cluster's answer can't be read", submission=self._id)
                silent = True
            else:
                silent = False
                if not self.known or driver != self.driver:
                    self.driver, self.known = driver, True
                    news.set()
            await asyncio.sleep(POLL_SECONDS)


def told(driver: Driver | None) -> str:
    """Returns, in a sentence, how a driver that is gone has ended."""
    if driver is None:
        return "the cluster doesn't know the driver (any more)"
    text = f"the driver ended ({driver.state.value}) without a last word"
    return f"{text}: {driver.message}" if driver.message else text


async def end_driver(gateway: ClusterGateway, submission_id: str, patience: float) -> bool:
    """Stops a driver and waits until it has ended.

    Args:
        gateway: The cluster.
        submission_id: The driver.
        patience: Seconds to wait at most.

    Returns:
        Whether it is known to have ended.
    """
    try:
        async with asyncio.timeout(patience):
            while True:
                try:
                    driver = await gateway.state(submission_id)
                    if driver is None or driver.state.ended:
                        return True
                    # Again each time: a stop that reached nobody has no effect.
                    await gateway.stop(submission_id)
                except GatewayError as error:
                    log.warning("driver not stopped yet", submission=submission_id, why=str(error))
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError:
        return False


async def driver_ends(gateway: ClusterGateway, submission_id: str, patience: float) -> bool:
    """Waits for a driver that is about to end by itself; tells whether it did in time."""
    watch = DriverWatch(gateway, submission_id)
    news = asyncio.Event()
    try:
        async with asyncio.timeout(patience), watch.watching(news):
            while not watch.gone:
                await news.wait()
                news.clear()
    except TimeoutError:
        return False
    return True
