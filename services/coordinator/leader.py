"""Which of several coordinators schedules: the one that holds the lease, while it holds it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Protocol, TypeVar

import structlog

from services.coordinator.core import Core
from services.coordinator.database_health import SILENT_SECONDS
from services.coordinator.hints import wait
from services.coordinator.store.errors import DeposedError, UnavailableError
from services.coordinator.store.fence import Fence
from services.coordinator.store.leadership import LeaseRow

log = structlog.get_logger(__name__)

LEASE = "scheduler"
LEASE_SECONDS = 8.0
RENEW_SECONDS = 2.0
LOOK_SECONDS = 1.0
"""How often who doesn't lead looks whether somebody does."""

_Answer = TypeVar("_Answer")

Announce = Callable[[bool, bool], Awaitable[None]]
"""Takes whether the database can be used, and whether this coordinator leads."""


class Led(Protocol):
    """What only one coordinator may do at a time."""

    def start(self) -> None:
        """Begins."""
        ...

    async def stop(self, patience: float) -> None:
        """Ends, within about so many seconds."""
        ...


class Together:
    """Several things that only one coordinator may do at a time."""

    def __init__(self, *led: Led) -> None:
        """Takes them in the order in which they begin."""
        self._led = led

    def start(self) -> None:
        """Begins all of them."""
        for one in self._led:
            one.start()

    async def stop(self, patience: float) -> None:
        """Ends all of them at once, within about so many seconds."""
        await asyncio.gather(*(one.stop(patience) for one in self._led))


class Leader:
    """A task that takes the lease, or watches over whoever has it.

    What is led works on a store whose writes are refused once the lease has another
    holder, so that it does no harm between having lost the lease and knowing it.
    """

    def __init__(
        self,
        core: Core,
        make: Callable[[Core], Led],
        announce: Announce,
        holder: str,
        *,
        alone: bool,
    ) -> None:
        """Does nothing before `start`.

        Args:
            core: The parts; their store isn't fenced.
            make: Makes what is led, out of parts whose store is.
            announce: Told of every change.
            holder: What this coordinator is known by; no other one's, nor that of its life
                before a restart.
            alone: Whether no other process can have this database, so that a lease that
                stands there was left by one that is dead.
        """
        self._core = core
        self._make = make
        self._announce = announce
        self._holder = holder
        self._alone = alone
        self._task: asyncio.Task[None] | None = None
        # The lease waits for the database alone, and not behind calls that do too.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="lease")
        self._patience = 0.0
        self._leads = False
        # Whether the last try to write failed.
        self._unwritten = False
        self._announced: tuple[bool, bool] | None = None

    def start(self) -> None:
        """Begins to follow or to lead."""
        self._task = asyncio.create_task(self._run(), name="leader")

    async def stop(self, patience: float) -> None:
        """Ends what is led, and gives the lease back for another to take at once."""
        if self._task is not None:
            self._patience = patience
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _run(self) -> None:
        while True:
            try:
                lease, until = await self._taken()
                await self._lead(lease, until)
            except Exception:
                # Whatever it was, somebody has to lead.
                log.exception("leading failed; following again")
                await asyncio.sleep(LOOK_SECONDS)

    async def _taken(self) -> tuple[LeaseRow, float]:
        """Follows until the lease can be taken.

        Returns:
            The lease, taken, and until when it is surely ours, by the loop's clock.
        """
        store, life = self._core.store, _Life()
        while True:
            now = asyncio.get_running_loop().time()
            try:
                seen = await self._ask(partial(store.lease, LEASE), writes=False)
                if life.differs(seen):
                    # Whoever leads can write, so that this one could.
                    await self._well()
                if self._alone or seen is None or seen.expired or life.ended(seen, now):
                    now = asyncio.get_running_loop().time()
                    taken = await self._ask(
                        partial(store.take_lease, LEASE, self._holder, LEASE_SECONDS, seen)
                    )
                    return taken, now + LEASE_SECONDS
            except DeposedError as error:
                log.debug("lease not taken", reason=str(error))
            except UnavailableError:
                # Told by `_ask`. Whoever leads can't reach it either, perhaps.
                life = _Life()
            await asyncio.sleep(LOOK_SECONDS)

    async def _lead(self, lease: LeaseRow, until: float) -> None:
        """Leads until the lease is lost, or can't be renewed for as long as it lasts."""
        loop, store = asyncio.get_running_loop(), self._core.store
        refused = asyncio.Event()
        fence = Fence(LEASE, lease.epoch, lambda: loop.call_soon_threadsafe(refused.set))
        led = self._make(replace(self._core, store=store.fenced(fence)))
        led.start()
        log.info("leads", epoch=lease.epoch)
        renew = partial(store.renew_lease, LEASE, self._holder, lease.epoch, LEASE_SECONDS)
        patience, asked_to_end = 0.0, False
        try:
            await self._tell(leads=True)
            async with asyncio.timeout_at(until) as bound:
                while True:
                    await wait(refused, RENEW_SECONDS)
                    refused.clear()
                    sent = loop.time()
                    # For how long it may fail is up to the bound; `_ask` tells that it does.
                    with suppress(UnavailableError):
                        await self._ask(renew)
                        bound.reschedule(sent + LEASE_SECONDS)
        except DeposedError as error:
            log.warning("leads no more", epoch=lease.epoch, reason=str(error))
        except TimeoutError:
            text = f"the lease couldn't be renewed for {LEASE_SECONDS:g} s"
            log.warning("leads no more", epoch=lease.epoch, reason=text)
        except asyncio.CancelledError:
            patience, asked_to_end = self._patience, True
            raise
        finally:
            await led.stop(patience)
            if asked_to_end:
                await self._give_back(lease)
            await self._tell(leads=False)

    async def _give_back(self, lease: LeaseRow) -> None:
        try:
            async with asyncio.timeout(SILENT_SECONDS):
                await self._ask(
                    partial(self._core.store.give_lease, LEASE, self._holder, lease.epoch)
                )
            log.info("leads no more", epoch=lease.epoch, reason="told to stop")
        except (UnavailableError, TimeoutError):
            log.warning("lease not given back; it runs out", seconds=LEASE_SECONDS)

    async def _ask(self, call: Callable[[], _Answer], *, writes: bool = True) -> _Answer:
        """Asks the database, and notes how it is by the answer.

        Args:
            call: The question.
            writes: Whether it writes; one whose disk is full still answers others.

        Raises:
            DeposedError: As the call does.
            UnavailableError: It can't be used.
        """
        health = self._core.database
        asked = asyncio.get_running_loop().run_in_executor(self._thread, call)
        try:
            done, _ = await asyncio.wait({asked}, timeout=SILENT_SECONDS)
            if not done:
                health.failed(f"it hasn't answered for {SILENT_SECONDS:g} s", silent=True)
                await self._tell()
            answer = await asked
        except UnavailableError as error:
            self._unwritten = self._unwritten or writes
            health.failed(str(error))
            await self._tell()
            raise
        except DeposedError:
            await self._well()
            raise
        if writes or not self._unwritten:
            await self._well()
        return answer

    async def _well(self) -> None:
        self._unwritten = False
        self._core.database.answered()
        await self._tell()

    async def _tell(self, leads: bool | None = None) -> None:
        """Announces what has changed."""
        if leads is not None:
            self._leads = leads
        now = (not self._core.database.reason, self._leads)
        if now != self._announced:
            self._announced = now
            await self._announce(*now)


class _Life:
    """How long a lease has shown no sign of life, by this process's own clock.

    The database's clock may jump back, and a lease then seem to last for hours.
    """

    def __init__(self) -> None:
        self._seen: tuple[int, int] | None = None
        self._since = 0.0

    def differs(self, lease: LeaseRow | None) -> bool:
        """Tells whether it has shown one since it was first looked at."""
        return lease is not None and self._seen is not None and self._seen != _signs(lease)

    def ended(self, lease: LeaseRow, now: float) -> bool:
        """Tells whether it has been the same for as long as it lasts; `now` is before the look."""
        if self._seen != _signs(lease):
            self._seen, self._since = _signs(lease), now
        return now - self._since > LEASE_SECONDS


def _signs(lease: LeaseRow) -> tuple[int, int]:
    return lease.epoch, lease.beat
