"""Looks over all jobs: queues the new ones, shares the cluster out, sees to those that run."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import structlog

from services.coordinator.core import Core
from services.coordinator.driver_logs import DriverLogs
from services.coordinator.hints import wait
from services.coordinator.metering import Meter
from services.coordinator.scheduling.model import Decision, Rules
from services.coordinator.scheduling.policy import Policy
from services.coordinator.settings import Settings
from services.coordinator.store.errors import (
    DeposedError,
    NotFoundError,
    UnavailableError,
    WrongStateError,
)
from services.coordinator.store.rows import JobRow
from services.coordinator.store.shares import Notice, Outlook
from services.coordinator.supervision import Supervision
from services.coordinator.surroundings import LEAVING, Surroundings
from tuner.jobs import JobState
from tuner.wire.names import JobName

log = structlog.get_logger(__name__)

WAITING = (JobState.PENDING, JobState.QUEUED)
RUNNING = (JobState.RUNNING, *LEAVING)

NOTE_SECONDS = 5.0
"""A reason that changes while nothing else does is told again no sooner."""


class Scheduler:
    """One loop, woken by hints and every second, and a task for every admitted job."""

    def __init__(self, core: Core, logs: DriverLogs) -> None:
        """Does nothing before `start`."""
        self._loop: asyncio.Task[None] | None = None
        self._core = core
        self._logs = logs
        self._policy = Policy(rules_of(core.settings))
        self._surroundings = Surroundings(core)
        self._meter = Meter(core.store)
        self._tasks: dict[JobName, asyncio.Task[None]] = {}
        # Jobs that have ended, or left, and whose drivers are being cleared away.
        self._ended: set[JobName] = set()
        self._noted: dict[JobName, float] = {}
        self._outlook = Outlook()

    def start(self) -> None:
        """Begins to schedule."""
        self._surroundings.start()
        self._loop = asyncio.create_task(self._run(), name="scheduler")

    async def _run(self) -> None:
        with self._core.hints.listen() as news:
            while True:
                news.clear()
                try:
                    await self._look_over()
                except (UnavailableError, DeposedError) as error:
                    # Whoever made this one leader learns of it, too, and tells it once.
                    log.debug("scheduling waits", reason=str(error))
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
        await self._surroundings.stop()
        if ended := [self._tasks[name] for name in self._ended]:
            await asyncio.wait(ended, timeout=patience)
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _look_over(self) -> None:
        store = self._core.store
        seen_to = self._tasks.keys() - self._ended
        rows = await asyncio.to_thread(store.jobs_in, [*WAITING, *RUNNING])
        loads = await asyncio.to_thread(store.loads)
        # Jobs that have a driver, or a task that will start one; not those being cleared away.
        inside = {
            row.name
            for row in rows
            if row.state in RUNNING or row.name in seen_to or row.name in loads
        }
        world = await self._surroundings.world(rows, loads, inside)
        # On a large cluster it takes tens of milliseconds, in which calls are to be answered.
        decision = await asyncio.to_thread(self._policy.decide, world)
        await self._note(rows, inside, decision)
        for row in rows:
            if row.state is JobState.PENDING:
                await self._queue(row, decision.reasons.get(str(row.name), ""))
        for row in rows:
            # One that waits for the cluster has had its share when it was let out.
            if (
                row.state in RUNNING
                and self._still(row, seen_to)
                and not self._surroundings.problem
            ):
                await self._share(row, decision)
        admitted = set(decision.admitted)
        for row in rows:
            if row.name in inside:
                if self._still(row, seen_to):
                    self._see_to(row.name)
            elif str(row.name) in admitted and row.name not in self._tasks:
                await self._share(row, decision)
                self._see_to(row.name)
        self._meter.look(world.jobs)
        await self._meter.write()
        await self._tell_outlook(decision)

    def _still(self, row: JobRow, seen_to: set[JobName]) -> bool:
        """Tells whether a job is inside still, though a task may have let go of it meanwhile."""
        return row.name not in seen_to or (row.name in self._tasks and row.name not in self._ended)

    async def _queue(self, row: JobRow, reason: str) -> None:
        """Moves a job that nobody has looked at into the queue."""
        try:
            await asyncio.to_thread(
                self._core.store.set_job_state,
                row.name,
                JobState.QUEUED,
                reason,
                [JobState.PENDING],
            )
        except (WrongStateError, NotFoundError):
            # Cancelled or deleted meanwhile.
            return
        self._core.hints.ring(row.name)

    async def _share(self, row: JobRow, decision: Decision) -> None:
        """Grants a job what was decided, where that is something else than it has."""
        name = str(row.name)
        share = decision.shares.get(name)
        avoid = tuple(sorted(decision.avoid.get(name, ())))
        stays = row.state in WAITING or row.share is not None
        if share is None or (stays and (share, avoid) == (row.share, row.avoid_nodes)):
            return
        reason = decision.reasons.get(name, "")
        try:
            await asyncio.to_thread(self._core.store.set_share, row.name, share, reason, avoid)
        except (WrongStateError, NotFoundError):
            # It has ended meanwhile, or was deleted.
            return
        self._core.hints.recorded(row.name)
        log.info("share", job=name, slots=share, reason=reason)

    async def _note(self, rows: Sequence[JobRow], inside: set[JobName], decision: Decision) -> None:
        """Tells why jobs wait or have what they have, and waiting ones their places."""
        places = {name: place for place, name in enumerate(decision.order, start=1)}
        now = time.monotonic()
        notices = {}
        for row in rows:
            name = str(row.name)
            if name not in decision.reasons:
                continue
            notice = Notice(decision.reasons[name], places.get(name, 0))
            told = Notice(row.share_reason, row.place)
            lately = now - self._noted.get(row.name, float("-inf")) < NOTE_SECONDS
            only_why = notice.place == told.place and told.reason
            if notice != told and not (only_why and lately):
                notices[row.name] = notice
                self._noted[row.name] = now
        present = {row.name for row in rows}
        for gone in [name for name in self._noted if name not in present]:
            del self._noted[gone]
        await asyncio.to_thread(self._core.store.note, notices)

    async def _tell_outlook(self, decision: Decision) -> None:
        outlook = Outlook(
            decision.capacity,
            round(decision.reserved, 3),
            round(decision.reserved_idle_share, 4),
        )
        if outlook != self._outlook:
            await asyncio.to_thread(self._core.store.set_outlook, outlook)
            self._outlook = outlook

    def _see_to(self, name: JobName) -> None:
        if name not in self._tasks:
            self._tasks[name] = asyncio.create_task(self._supervise(name), name=str(name))

    async def _supervise(self, name: JobName) -> None:
        try:
            supervision = Supervision(self._core, self._logs, name)
            await supervision.to_its_end()
            self._ended.add(name)
            await supervision.clear_away()
        except (UnavailableError, DeposedError) as error:
            log.debug("supervision waits", job=str(name), reason=str(error))
        except Exception:
            # The next look starts it again, from the store.
            log.exception("supervision failed; trying again", job=str(name))
        finally:
            self._ended.discard(name)
            del self._tasks[name]
            # What waited for its place, or for its old driver to be gone, need not wait longer.
            self._core.hints.ring(name, state=True)


def rules_of(settings: Settings) -> Rules:
    """Returns what an operator has set of scheduling."""
    return Rules(
        max_running_jobs=settings.max_running_jobs,
        reserve_after=settings.reserve_after_seconds,
        reserve_patience=settings.reserve_patience_seconds,
        reserve_idle_share=settings.reserve_idle_share,
    )
