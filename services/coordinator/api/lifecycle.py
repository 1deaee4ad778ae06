"""Calls that act on a job that is there: cancel, delete."""

from __future__ import annotations

import asyncio

from services.coordinator.api.caller import who
from services.coordinator.api.interceptor import Context
from services.coordinator.core import Core
from services.coordinator.store.errors import WrongStateError
from tuner.jobs import JobState
from tuner.v1 import tuner_service_pb2 as pb
from tuner.wire.jobs import job_to_wire
from tuner.wire.names import JobName

_BEFORE_RUNNING = (JobState.PENDING, JobState.QUEUED)
_RUNNING = (JobState.RUNNING, JobState.PAUSING, JobState.PAUSED, JobState.STOPPING)


class LifecycleCalls:
    """The part of TunerService that moves jobs from state to state."""

    def __init__(self, core: Core) -> None:
        """Takes the parts."""
        self._core = core

    async def CancelJob(self, request: pb.CancelJobRequest, context: Context) -> pb.Job:
        """Answers CancelJob."""
        name = JobName.parse(request.name)
        while True:
            row = await asyncio.to_thread(self._core.store.get_job, name)
            expect: tuple[JobState, ...]
            if row.state in _BEFORE_RUNNING:
                state, expect = JobState.CANCELLED, _BEFORE_RUNNING
            elif row.state in _RUNNING:
                state, expect = JobState.CANCELLING, _RUNNING
            else:
                return job_to_wire(row.status())
            reason = f"cancelled by {who(context)}"
            try:
                row = await asyncio.to_thread(
                    self._core.store.set_job_state, name, state, reason, expect
                )
            except WrongStateError:
                # It went on meanwhile; look again.
                continue
            self._core.hints.ring(name, state=True)
            return job_to_wire(row.status())

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
