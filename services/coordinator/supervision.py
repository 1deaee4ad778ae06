"""Seeing one admitted job through: from attempt to attempt, until it has ended."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Coroutine, Sequence

import structlog

from services.coordinator.core import Core
from services.coordinator.driver_logs import DriverLogs
from services.coordinator.drivers import driver_ends, end_driver
from services.coordinator.endings import LAST_WORDS, Ended, ending, fruitless, told
from services.coordinator.gateway import RefusedError, Submission, UnreachableError
from services.coordinator.hints import wait
from services.coordinator.secret import hashed, new_secret
from services.coordinator.store.errors import NotFoundError, StaleError, WrongStateError
from services.coordinator.store.rows import AttemptRow, JobRow
from services.coordinator.vigil import Vigil
from tuner.jobs import JobState
from tuner.wire.names import JobName

log = structlog.get_logger(__name__)

# Ray kills a driver 30 s after the stop; what lives on longer is fenced by its epoch.
STOP_PATIENCE_SECONDS = 45.0
# How long a driver that has said its last word may take to end.
LAST_WORD_PATIENCE_SECONDS = 10.0
MAX_BACKOFF_SECONDS = 60.0
UNREACHABLE_PAUSE_SECONDS = 2.0

_MAY_RUN = (JobState.QUEUED, JobState.RUNNING, JobState.STOPPING)
_MAY_START = (JobState.QUEUED, JobState.RUNNING)


class Supervision:
    """One admitted job. All that it knows is in the store, so that it can begin anywhere.

    First `to_its_end`, then `clear_away`.
    """

    def __init__(self, core: Core, logs: DriverLogs, name: JobName) -> None:
        """Takes charge of the job."""
        self._core = core
        self._logs = logs
        self._name = name
        self._log = log.bind(job=str(name))

    async def to_its_end(self) -> None:
        """Returns once the job has ended, is paused or back in the queue, or was deleted."""
        ran = False
        with self._core.hints.listen(self._name) as news:
            while True:
                try:
                    job = await self._job()
                    back = ran and job.state is JobState.QUEUED
                    if job.state.ended or job.state is JobState.PAUSED or back:
                        self._log.info("job at rest", state=job.state.value, reason=job.reason)
                        return
                    ran = ran or job.state is not JobState.QUEUED
                    attempt = await asyncio.to_thread(self._core.store.live_attempt, self._name)
                    if attempt is None:
                        await self._between(job, news)
                    else:
                        async with self._logs.copied(attempt):
                            await Vigil(self._core, job, attempt, news).keep()
                        # Also where it was found in the queue with a runner: that one has left.
                        ran = ran or (await self._attempts())[-1].outcome == Ended.PAUSED
                except (WrongStateError, StaleError) as error:
                    # Somebody else moved the job meanwhile; look again.
                    self._log.debug("overtaken", reason=str(error))
                except NotFoundError:
                    return

    async def clear_away(self) -> None:
        """Sees to it that the last attempt's driver has ended, and keeps its log."""
        try:
            attempts = await self._attempts()
        except NotFoundError:
            self._log.debug("deleted before its log was kept")
            return
        if not attempts or attempts[-1].end_time is None:
            return
        last = attempts[-1]
        if await self._logs.kept(last):
            # Its driver was seen to end before that.
            return
        gateway, submission = self._core.gateway, last.submission_id
        spoke = last.token_hash and last.outcome in LAST_WORDS
        if not (spoke and await driver_ends(gateway, submission, LAST_WORD_PATIENCE_SECONDS)):
            gone = await end_driver(gateway, submission, STOP_PATIENCE_SECONDS)
            if not gone:
                self._log.warning("driver not seen to end; its calls are refused", id=submission)
        await self._logs.keep(last)

    async def _job(self) -> JobRow:
        return await asyncio.to_thread(self._core.store.get_job, self._name)

    async def _attempts(self) -> list[AttemptRow]:
        return await asyncio.to_thread(self._core.store.attempts, self._name)

    async def _between(self, job: JobRow, news: asyncio.Event) -> None:
        """No attempt lives: lets the job come to rest, or starts the next attempt."""
        # Those from before it was reopened say nothing of how it goes on.
        attempts = [a for a in await self._attempts() if a.from_sequence >= job.reopened]
        # A last word may have come before the cancellation was acted on.
        if attempts and (end := ending(job, attempts[-1])):
            await self._move(job, *end)
        elif job.state is JobState.CANCELLING:
            await self._move(job, JobState.CANCELLED, job.reason or "cancelled")
        elif job.state is JobState.PAUSING:
            await self._move(job, JobState.PAUSED, job.reason or "paused")
        elif await self._may_go_on(job, attempts, news):
            await self._start(job, news)

    async def _may_go_on(
        self, job: JobRow, attempts: Sequence[AttemptRow], news: asyncio.Event
    ) -> bool:
        """Judges how the last attempts failed, if they did; tells whether there is to be another.

        Makes way for it, and waits, longer with every one that failed.
        """
        backoff = 0.0
        if attempts and attempts[-1].outcome != Ended.PAUSED:
            last = attempts[-1]
            self._log.warning(
                "attempt ended", attempt=last.number, how=last.outcome, why=last.reason
            )
            latest = await asyncio.to_thread(self._core.store.last_measurement_sequence, self._name)
            idle = fruitless(attempts, latest)
            settings = self._core.settings
            if len(idle) >= settings.max_attempts:
                reasons = "; ".join(dict.fromkeys(f"{a.outcome}: {a.reason}" for a in idle))
                text = f"{len(idle)} attempts in a row recorded nothing: {reasons}"
                await self._move(job, JobState.FAILED, text)
                return False
            await self._say(f"attempt {last.number + 1} after {told(last)}")
            backoff = settings.retry_backoff_seconds * 2 ** max(0, len(idle) - 1)
        if not await self._still_wanted(self.clear_away(), news):
            return False
        return await self._still_wanted(asyncio.sleep(min(backoff, MAX_BACKOFF_SECONDS)), news)

    async def _still_wanted(self, work: Coroutine[None, None, None], news: asyncio.Event) -> bool:
        """Waits for the work; ends it and returns False when the job is no longer to run."""
        task = asyncio.create_task(work)
        try:
            while not task.done():
                news.clear()
                if (await self._job()).state not in _MAY_RUN:
                    return False
                waiter = asyncio.create_task(wait(news))
                await asyncio.wait({task, waiter}, return_when=asyncio.FIRST_COMPLETED)
                waiter.cancel()
            await task
            return (await self._job()).state in _MAY_RUN
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _start(self, job: JobRow, news: asyncio.Event) -> None:
        """Starts the next attempt. Only the hash of its enrolment code is kept."""
        code = new_secret()
        # The last part tells it from a deleted job's of the same name.
        template = f"{self._name.namespace}.{self._name.job}.{{attempt}}.{secrets.token_hex(2)}"
        attempt = await asyncio.to_thread(
            self._core.store.create_attempt, self._name, template, hashed(code)
        )
        submission = Submission(attempt.submission_id, self._name, code, _metadata(job))
        while True:
            try:
                await self._core.gateway.submit(submission)
                break
            except RefusedError as error:
                await asyncio.to_thread(
                    self._core.store.end_attempt,
                    self._name,
                    attempt.number,
                    attempt.epoch,
                    Ended.REFUSED.value,
                    str(error),
                )
                return
            except UnreachableError as error:
                await self._say(f"waiting for the cluster: {error}")
            if not await self._still_wanted(asyncio.sleep(UNREACHABLE_PAUSE_SECONDS), news):
                return
        self._log.info("driver submitted", attempt=attempt.number, submission=submission.id)
        await self._say("", JobState.RUNNING)

    async def _say(self, reason: str, state: JobState | None = None) -> None:
        """Moves the job to the state, or tells why it stays in its own; says nothing twice.

        One that is being stopped stays so, and its reason says who asked.
        """
        job = await self._job()
        state = state or job.state
        if job.state in _MAY_START and (job.state, job.reason) != (state, reason):
            await asyncio.to_thread(
                self._core.store.set_job_state, self._name, state, reason, [job.state]
            )
            self._core.hints.ring(self._name, state=True)

    async def _move(self, job: JobRow, state: JobState, reason: str) -> None:
        await asyncio.to_thread(
            self._core.store.set_job_state, self._name, state, reason, [job.state]
        )
        self._core.hints.ring(self._name, state=True)


def _metadata(job: JobRow) -> dict[str, str]:
    """Returns what the Ray dashboard shows of the job."""
    return {
        "name": job.spec.name or job.name.job,
        "job": str(job.name),
        "owner": job.owner,
        "searches": ", ".join(search.key for search in job.spec.searches),
    }
