"""Looks over all jobs: queues the new ones, admits who may start, sees to the running ones."""

from __future__ import annotations

import asyncio

import structlog

from services.coordinator.admission import AdmissionPolicy
from services.coordinator.core import Core
from services.coordinator.driver_logs import DriverLogs
from services.coordinator.hints import wait
from services.coordinator.store.errors import WrongStateError
from services.coordinator.store.rows import JobRow
from services.coordinator.supervision import Supervision
from tuner.jobs import JobState
from tuner.wire.names import JobName

log = structlog.get_logger(__name__)

WAITING = (JobState.PENDING, JobState.QUEUED)
RUNNING = (
    JobState.RUNNING,
    JobState.PAUSING,
    JobState.STOPPING,
    JobState.CANCELLING,
)


class Scheduler:
    """One loop, woken by hints and every second, and a task for every admitted job."""

    def __init__(self, core: Core, policy: AdmissionPolicy, logs: DriverLogs) -> None:
        """Does nothing before `start`."""
        self._loop: asyncio.Task[None] | None = None
        self._core = core
        self._policy = policy
        self._logs = logs
        self._tasks: dict[JobName, asyncio.Task[None]] = {}
        # Jobs that have ended and whose drivers are being cleared away.
        self._ended: set[JobName] = set()

    def start(self) -> None:
        """Begins to schedule."""
        self._loop = asyncio.create_task(self._run(), name="scheduler")

    async def _run(self) -> None:
        with self._core.hints.listen() as news:
            while True:
                news.clear()
                try:
                    await self._look_over()
                except Exception:
                    # Whatever it was, the other jobs need the next look.
                    log.exception("scheduling failed; trying again")
                await wait(news)

    async def stop(self, patience: float) -> None:
        """Lets go of every job. Those that just ended get a moment to keep their logs.

        Jobs that run go on running; whoever starts next on the same store
        finds them.
        """
        if self._loop is not None:
            self._loop.cancel()
            await asyncio.gather(self._loop, return_exceptions=True)
        if ended := [self._tasks[name] for name in self._ended]:
            await asyncio.wait(ended, timeout=patience)
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _look_over(self) -> None:
        store = self._core.store
        rows = await asyncio.to_thread(store.jobs_in, [*WAITING, *RUNNING])
        running = [row for row in rows if row.state in RUNNING]
        waiting = [row for row in rows if row.state in WAITING]
        # Admitted already; RUNNING once the cluster has taken the driver.
        starting = [row for row in waiting if row.name in self._tasks]
        queued = [
            await self._queue(row, [*running, *starting])
            for row in waiting
            if row.name not in self._tasks
        ]
        queued = [row for row in queued if row.state is JobState.QUEUED]
        for row in [*running, *self._policy.admit(queued, [*running, *starting])]:
            self._see_to(row.name)

    async def _queue(self, row: JobRow, running: list[JobRow]) -> JobRow:
        """Moves a job that nobody has looked at into the queue."""
        if row.state is not JobState.PENDING:
            return row
        reason = self._policy.waits_for(row, running)
        try:
            row = await asyncio.to_thread(
                self._core.store.set_job_state,
                row.name,
                JobState.QUEUED,
                reason,
                [JobState.PENDING],
            )
        except WrongStateError:
            # Cancelled meanwhile.
            return row
        self._core.hints.ring(row.name)
        return row

    def _see_to(self, name: JobName) -> None:
        if name not in self._tasks:
            self._tasks[name] = asyncio.create_task(self._supervise(name), name=str(name))

    async def _supervise(self, name: JobName) -> None:
        try:
            supervision = Supervision(self._core, self._logs, name)
            await supervision.to_its_end()
            self._ended.add(name)
            await supervision.clear_away()
        except Exception:
            # The next look starts it again, from the store.
            log.exception("supervision failed; trying again", job=str(name))
        finally:
            self._ended.discard(name)
            del self._tasks[name]
