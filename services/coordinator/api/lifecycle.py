"""Calls that act on a job that is there: pause, resume, stop, cancel, extend, delete.

What doesn't fit where the job stands changes nothing and answers the job as it is; only
ExtendJob, which would lose what was asked for, is refused.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace

from services.coordinator.access.caller import calling
from services.coordinator.api.interceptor import Context
from services.coordinator.api.jobs import check_request_id
from services.coordinator.core import Core
from services.coordinator.extension import extended
from services.coordinator.scheduler import WAITING
from services.coordinator.store.errors import WrongStateError
from services.coordinator.store.rows import JobRow
from tuner.curve import SearchState
from tuner.errors import Status, TunerError
from tuner.jobs import JobState
from tuner.spec import JobSpec
from tuner.v1 import tuner_service_pb2 as pb
from tuner.wire.jobs import job_to_wire
from tuner.wire.names import JobName

EXTENDABLE = (JobState.SUCCEEDED, JobState.PAUSED, JobState.FAILED, JobState.CANCELLED)

_RUNNING = (JobState.RUNNING, JobState.PAUSING)
_BROKEN_OFF = (JobState.FAILED, JobState.CANCELLED)


class LifecycleCalls:
    """The part of TunerService that moves jobs from state to state."""

    def __init__(self, core: Core) -> None:
        """Takes the parts."""
        self._core = core

    async def CancelJob(self, request: pb.CancelJobRequest, context: Context) -> pb.Job:
        """Answers CancelJob."""

        def cancelled(job: JobRow) -> JobState | None:
            if job.state in (*WAITING, JobState.PAUSED):
                return JobState.CANCELLED
            return JobState.CANCELLING if job.state in (*_RUNNING, JobState.STOPPING) else None

        return await self._moved(request.name, cancelled, f"cancelled by {calling.get().subject}")

    async def PauseJob(self, request: pb.PauseJobRequest, context: Context) -> pb.Job:
        """Answers PauseJob. What only waits is paused at once."""

        def paused(job: JobRow) -> JobState | None:
            if job.state in WAITING:
                return JobState.PAUSED
            return JobState.PAUSING if job.state is JobState.RUNNING else None

        return await self._moved(request.name, paused, f"paused by {calling.get().subject}")

    async def StopJob(self, request: pb.StopJobRequest, context: Context) -> pb.Job:
        """Answers StopJob. Where nothing is known yet and nothing runs, there is no conclusion."""

        def stopped(job: JobRow) -> JobState | None:
            if job.state in _RUNNING:
                return JobState.STOPPING
            if job.state in (*WAITING, JobState.PAUSED):
                return JobState.STOPPING if _has_record(job) else JobState.CANCELLED
            return None

        return await self._moved(request.name, stopped, f"stopped by {calling.get().subject}")

    async def ResumeJob(self, request: pb.ResumeJobRequest, context: Context) -> pb.Job:
        """Answers ResumeJob."""
        name, by = JobName.parse(request.name), calling.get().subject
        reason = f"resumed by {by}"
        store = self._core.store
        while True:
            job = await asyncio.to_thread(store.get_job, name)
            try:
                if job.state is JobState.PAUSING:
                    # Its runner goes on, or another begins where that has ended meanwhile.
                    job = await asyncio.to_thread(
                        store.set_job_state, name, JobState.RUNNING, reason, [job.state]
                    )
                elif job.state in (JobState.PAUSED, *_BROKEN_OFF):
                    job = await asyncio.to_thread(store.reopen_job, name, by, reason, [job.state])
                else:
                    return job_to_wire(job.status())
            except WrongStateError:
                # It went on meanwhile, or has nothing left to go on with: look again.
                now = await asyncio.to_thread(store.get_job, name)
                if now.last_sequence != job.last_sequence:
                    continue
                return job_to_wire(now.status())
            self._core.hints.ring(name, state=True)
            return job_to_wire(job.status())

    async def ExtendJob(self, request: pb.ExtendJobRequest, context: Context) -> pb.Job:
        """Answers ExtendJob."""
        job = await asyncio.to_thread(self._extend, request, calling.get().subject)
        if not request.validate_only:
            self._core.hints.ring(JobName.parse(request.name), state=True)
        return job

    def _extend(self, request: pb.ExtendJobRequest, by: str) -> pb.Job:
        check_request_id(request.request_id)
        name = JobName.parse(request.name)

        def more(spec: JobSpec) -> tuple[JobSpec, Sequence[str]]:
            return extended(spec, request)

        if request.validate_only:
            job = self._core.store.get_job(name)
            spec, _changes = more(job.spec)
            if job.state not in EXTENDABLE:
                raise _not_now(job)
            return job_to_wire(replace(job, spec=spec).status())
        known = (request.request_id, _digest(request))
        try:
            job = self._core.store.reopen_job(
                name, by, f"extended by {by}", EXTENDABLE, more, known
            )
        except WrongStateError as error:
            raise _not_now(self._core.store.get_job(name)) from error
        return job_to_wire(job.status())

    async def _moved(
        self, called: str, to: Callable[[JobRow], JobState | None], reason: str
    ) -> pb.Job:
        """Moves a job to where it is to go from where it stands; None leaves it as it is."""
        name = JobName.parse(called)
        while True:
            job = await asyncio.to_thread(self._core.store.get_job, name)
            state = to(job)
            if state is None:
                return job_to_wire(job.status())
            try:
                job = await asyncio.to_thread(
                    self._core.store.set_job_state, name, state, reason, [job.state]
                )
            except WrongStateError:
                # It went on meanwhile; look again.
                continue
            self._core.hints.ring(name, state=True)
            return job_to_wire(job.status())

    async def DeleteJob(
        self, request: pb.DeleteJobRequest, context: Context
    ) -> pb.DeleteJobResponse:
        """Answers DeleteJob."""
        name = JobName.parse(request.name)
        files = await asyncio.to_thread(self._core.store.delete_job, name)
        await asyncio.to_thread(self._core.artifacts.delete_logs, name)
        await asyncio.to_thread(self._free, files)
        self._core.hints.ring(name)
        return pb.DeleteJobResponse()

    def _free(self, files: set[str]) -> None:
        """Removes what only a deleted job referenced."""
        store = self._core.store
        for digest in files - store.referenced(files):
            self._core.artifacts.remove(digest, lambda: bool(store.referenced([digest])))  # noqa: B023 - asked at once


def _has_record(job: JobRow) -> bool:
    """Tells whether any search has begun."""
    return any(search.state is not SearchState.PENDING for search in job.searches)


def _digest(request: pb.ExtendJobRequest) -> str:
    """Returns what tells the request from others: all of it but its id."""
    rest = pb.ExtendJobRequest()
    rest.CopyFrom(request)
    rest.ClearField("request_id")
    return hashlib.sha256(rest.SerializeToString(deterministic=True)).hexdigest()


def _not_now(job: JobRow) -> TunerError:
    if job.state in (JobState.STOPPING, JobState.CANCELLING):
        hint = "extend it once it has ended"
    else:
        hint = "pause it first, then extend it"
    return TunerError(
        Status.FAILED_PRECONDITION,
        "NOT_AT_REST",
        f"{job.name} is {job.state}, and only what is paused or has ended is extended; {hint}",
    )
