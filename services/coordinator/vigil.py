"""Watching over one live attempt: its enrolment, its lease, its driver, what is asked of it."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime

import structlog

from services.coordinator.core import Core
from services.coordinator.drivers import DriverWatch, told
from services.coordinator.endings import Ended
from services.coordinator.gateway import DriverState, GatewayError
from services.coordinator.hints import POLL_SECONDS, wait
from services.coordinator.store.rows import AttemptRow, JobRow
from tuner.jobs import JobState

log = structlog.get_logger(__name__)

WAITING = "waiting for the cluster to start the job's driver"
# A driver that has a place begins sooner.
WAITING_SECONDS = 15.0


class Lease:
    """Whether a runner was heard of in time.

    It is timed by what this process has seen and by its own clock, so that no
    clock is compared with another, a restarted coordinator grants one full
    lease, and so does one that was frozen.
    """

    def __init__(self, seconds: float, now: float) -> None:
        """Grants a full lease from now, in seconds of a monotonic clock."""
        self._seconds = seconds
        self._sign: object = None
        self._heard = now
        self._looked = now

    def expired(self, sign: object, now: float) -> bool:
        """Tells whether the lease has run out; `sign` differs whenever the runner was heard of."""
        frozen = now - self._looked > self._seconds / 2 + POLL_SECONDS
        if frozen or sign != self._sign:
            self._sign, self._heard = sign, now
        self._looked = now
        return now - self._heard > self._seconds


class Vigil:
    """Watches over one attempt until it lives no more."""

    def __init__(self, core: Core, job: JobRow, attempt: AttemptRow, news: asyncio.Event) -> None:
        """Takes the job and its live attempt as just read, and the event that tells of news."""
        self._core = core
        self._job = job
        self._attempt = attempt
        self._news = news
        self._watch = DriverWatch(core.gateway, attempt.submission_id)
        self._lease = Lease(core.settings.lease_seconds, time.monotonic())
        self._waits_since: float | None = None
        self._runs_since: float | None = None
        self._cancelled_since: float | None = None

    async def keep(self) -> None:
        """Returns once the attempt has ended, by its own word or by ours."""
        async with self._watch.watching(self._news):
            while await self._look():
                await wait(self._news)

    async def _look(self) -> bool:
        """Looks once; tells whether to go on."""
        self._news.clear()
        # The driver's end is read before the store: a last word precedes the end,
        # so it is seen below.
        gone, driver = self._watch.gone, self._watch.driver
        if not await self._reread():
            return False
        now = time.monotonic()
        if self._job.state is JobState.CANCELLING:
            return not await self._overdue(gone, now)
        if gone:
            await self._give_up(Ended.LOST, told(driver))
            return False
        if self._job.state is JobState.QUEUED and self._watch.known:
            # The coordinator died between the submission and this.
            await self._set_state(JobState.RUNNING, "")
        if self._job.state is JobState.PAUSING and not self._attempt.token_hash:
            await self._give_up(Ended.STOPPED, "paused before its runner began")
            return False
        if not self._attempt.token_hash:
            self._lease.expired(None, now)
            await self._tell_of_waiting(now)
            return not await self._not_enrolled(now)
        if self._job.state is JobState.RUNNING and self._job.reason.startswith(WAITING):
            await self._set_state(JobState.RUNNING, "")
        # A runner isn't to blame for a database that couldn't note its heartbeats.
        sign = (*_sign_of_life(self._attempt), self._core.database.sign)
        if self._lease.expired(sign, now):
            seconds = self._core.settings.lease_seconds
            await self._give_up(Ended.EXPIRED, f"nothing heard of the runner for {seconds:g} s")
            return False
        return True

    async def _reread(self) -> bool:
        """Reads job and attempt anew; tells whether this attempt still lives."""
        store, name = self._core.store, self._job.name
        self._job = await asyncio.to_thread(store.get_job, name)
        attempt = await asyncio.to_thread(store.live_attempt, name)
        if attempt is None or attempt.number != self._attempt.number:
            return False
        self._attempt = attempt
        return not self._job.state.ended

    async def _overdue(self, gone: bool, now: float) -> bool:
        """Gives up a runner that can't end its cancelled job, or not in time; tells whether."""
        if self._cancelled_since is None:
            self._cancelled_since = now
        waited = now - self._cancelled_since
        if self._attempt.token_hash and not gone:
            left = self._core.settings.cancel_grace_seconds - waited
            if left > 0:
                return False
        if not gone:
            try:
                async with asyncio.timeout(POLL_SECONDS):
                    await self._core.gateway.stop(self._attempt.submission_id)
            except (GatewayError, TimeoutError) as error:
                # It is stopped again once the job has ended.
                log.warning("stop failed", job=str(self._job.name), reason=str(error))
        await self._give_up(Ended.STOPPED, f"cancelled; not ended after {waited:.1f} s")
        return True

    async def _tell_of_waiting(self, now: float) -> None:
        """Says so where the cluster takes long to start the driver; it goes on trying."""
        driver = self._watch.driver
        if driver is None or driver.state is not DriverState.PENDING:
            self._waits_since = None
            return
        if self._waits_since is None:
            self._waits_since = now
        told = self._job.state is not JobState.RUNNING or self._job.reason.startswith(WAITING)
        if not told and now - self._waits_since > WAITING_SECONDS:
            hint = "which takes one `runner` of a live node's resources"
            said = f" ({driver.message})" if driver.message else ""
            await self._set_state(JobState.RUNNING, f"{WAITING}, {hint}{said}")

    async def _not_enrolled(self, now: float) -> bool:
        """Gives up a driver that runs and doesn't enrol; tells whether it did."""
        driver = self._watch.driver
        if driver is None or driver.state is not DriverState.RUNNING:
            self._runs_since = None
            return False
        if self._runs_since is None:
            self._runs_since = now
        seconds = self._core.settings.enrolment_seconds
        if now - self._runs_since <= seconds:
            return False
        text = (
            f"the driver has run for {seconds:g} s and not enrolled; can the cluster's nodes "
            "reach the coordinator at the address that it advertises?"
        )
        await self._give_up(Ended.NOT_ENROLLED, text)
        return True

    async def _give_up(self, how: Ended, reason: str) -> None:
        await asyncio.to_thread(
            self._core.store.end_attempt,
            self._job.name,
            self._attempt.number,
            self._attempt.epoch,
            how.value,
            reason,
        )

    async def _set_state(self, state: JobState, reason: str) -> None:
        await asyncio.to_thread(
            self._core.store.set_job_state, self._job.name, state, reason, [self._job.state]
        )
        self._core.hints.ring(self._job.name, state=True)


def _sign_of_life(attempt: AttemptRow) -> tuple[str, datetime | None]:
    return attempt.token_hash, attempt.heartbeat_time
