"""RunnerService: the API for the runner of one attempt.

The interceptor has checked that the caller holds the token of the attempt that
the request names; the store checks in every writing transaction that this
attempt still lives.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime
from functools import lru_cache

import structlog

from services.coordinator.api.assignment import assignment
from services.coordinator.api.attaching import attach, judged_facts
from services.coordinator.api.blobs import hand_out
from services.coordinator.api.heartbeat import heartbeat
from services.coordinator.api.interceptor import Context
from services.coordinator.api.judging import (
    judged_attempts,
    judged_measurements,
    judged_step,
    payload,
)
from services.coordinator.core import Core
from services.coordinator.endings import Ended, ending, unfinished
from services.coordinator.secret import hashed, new_secret
from services.coordinator.store.attempts import no_code
from services.coordinator.store.errors import (
    AlreadyExistsError,
    NotFoundError,
    StaleError,
    WrongStateError,
)
from services.coordinator.store.rows import JobRow, Recorded
from services.coordinator.threads import reading, recording
from tuner.errors import Status, TunerError, invalid
from tuner.v1 import record_pb2
from tuner.v1 import runner_service_pb2 as pb
from tuner.v1.runner_service_pb2_grpc import RunnerServiceServicer
from tuner.wire.names import JobName
from tuner.wire.record import enum_from_wire

log = structlog.get_logger(__name__)

MAX_ROWS = 1000
MAX_JOBS = 1000
"""Jobs that are remembered, so that a batch of measurements needs no look-up of its own."""


class RunnerService(RunnerServiceServicer):
    """Every call of RunnerService."""

    def __init__(self, core: Core) -> None:
        """Takes the coordinator's parts."""
        self._core = core
        self._store = core.store
        # Several threads at once ask it, and make room in it.
        self._job_of = lru_cache(MAX_JOBS)(self._as_found_by)

    async def Enrol(self, request: pb.EnrolRequest, context: Context) -> pb.EnrolResponse:
        """Answers Enrol."""
        name = JobName.parse(request.job, "job")
        token, code_hash = new_secret(), hashed(request.code)
        try:
            attempt = await asyncio.to_thread(self._store.enrol, name, code_hash, hashed(token))
        except NotFoundError as error:
            # A stranger isn't told whether there is such a job.
            raise no_code(name) from error
        except StaleError:
            log.warning("enrolment refused", job=str(name), peer=context.peer())
            self._core.hints.ring(name)
            raise
        log.info("runner enrolled", job=str(name), attempt=attempt.number, peer=context.peer())
        self._core.hints.ring(name)
        return pb.EnrolResponse(
            attempt=pb.AttemptRef(job=str(name), attempt=attempt.number, epoch=attempt.epoch),
            token=token,
            lease_seconds=self._core.settings.lease_seconds,
            heartbeat_seconds=self._core.settings.heartbeat_seconds,
        )

    async def GetAssignment(
        self, request: pb.GetAssignmentRequest, context: Context
    ) -> AsyncIterator[pb.GetAssignmentResponse]:
        """Answers GetAssignment."""
        name = await self._living(request.attempt)
        roots, now = self._core.settings.data_roots, datetime.now(UTC)
        messages = assignment(self._store, name, roots, now)
        while (message := await reading(next, messages, None)) is not None:
            yield message

    async def CommitPlanStep(
        self, request: pb.CommitPlanStepRequest, context: Context
    ) -> pb.CommitPlanStepResponse:
        """Answers CommitPlanStep."""
        name, attempt = JobName.parse(request.attempt.job), request.attempt
        try:
            existed = await recording(self._commit, name, attempt, request.step)
        except AlreadyExistsError as error:
            raise TunerError(Status.ABORTED, "PLAN_DIVERGED", str(error)) from error
        self._core.hints.recorded(name)
        return pb.CommitPlanStepResponse(existed=existed)

    def _commit(self, name: JobName, attempt: pb.AttemptRef, step: record_pb2.PlanStep) -> bool:
        # A step may plan thousands of runs; judging it takes its time, here as in a batch.
        return self._store.commit_step(name, attempt.attempt, attempt.epoch, judged_step(step))

    async def RecordMeasurements(
        self, request: pb.RecordMeasurementsRequest, context: Context
    ) -> pb.RecordMeasurementsResponse:
        """Answers RecordMeasurements."""
        name = JobName.parse(request.attempt.job)
        rows = len(request.measurements) + len(request.packet_attempts) + len(request.surplus)
        if rows > MAX_ROWS:
            raise invalid("measurements", f"{rows} rows at once; send at most {MAX_ROWS} a call")
        recorded = await recording(self._record, name, request)
        self._core.hints.recorded(name)
        return pb.RecordMeasurementsResponse(
            recorded=recorded.recorded,
            repeated_count=recorded.repeated,
            conflicting=recorded.conflicting,
        )

    def _record(self, name: JobName, request: pb.RecordMeasurementsRequest) -> Recorded:
        attempt = request.attempt
        job = self._job_of(name, attempt.epoch)
        return self._store.record(
            name,
            attempt.attempt,
            attempt.epoch,
            judged_measurements(job, request.measurements),
            judged_attempts(attempt.attempt, request.packet_attempts),
            judged_measurements(job, request.surplus, "surplus"),
            [payload(message) for message in request.measurements],
        )

    def _as_found_by(self, name: JobName, _epoch: int) -> JobRow:
        """Returns the job as an attempt of it found it: what it is judged by never changes.

        Only a job that nothing runs for is extended, and whatever runs for it then has
        another epoch. Raises NotFoundError.
        """
        return self._store.get_job(name)

    async def Heartbeat(
        self, request: pb.HeartbeatRequest, context: Context
    ) -> pb.HeartbeatResponse:
        """Answers Heartbeat."""
        return await asyncio.to_thread(heartbeat, request, self._store)

    async def FinishAttempt(
        self, request: pb.FinishAttemptRequest, context: Context
    ) -> pb.FinishAttemptResponse:
        """Answers FinishAttempt. The first word is the last."""
        name, attempt = JobName.parse(request.attempt.job), request.attempt
        outcome = Ended(enum_from_wire(pb.AttemptOutcome, request.outcome, "outcome"))
        job = await asyncio.to_thread(self._store.get_job, name)
        if outcome is Ended.COMPLETED and not job.state.ended and (open_ := unfinished(job)):
            raise TunerError(
                Status.FAILED_PRECONDITION,
                "SEARCHES_UNFINISHED",
                f"{', '.join(open_)} has neither concluded nor failed; commit its last step first",
            )
        reason = request.message
        if outcome is Ended.INVALID and request.field:
            reason = f"{request.field}: {reason}"
        await asyncio.to_thread(
            self._store.end_attempt,
            name,
            attempt.attempt,
            attempt.epoch,
            outcome.value,
            reason,
        )
        await self._settle(name, attempt.attempt)
        self._core.hints.ring(name, state=True)
        return pb.FinishAttemptResponse()

    async def _settle(self, name: JobName, attempt: int) -> None:
        """Lets the job come to rest where the word of its last attempt, this one, does that."""
        job = await asyncio.to_thread(self._store.get_job, name)
        attempts = await asyncio.to_thread(self._store.attempts, name)
        if job.state.ended or attempts[-1].end_time is None:
            return
        if attempts[-1].number != attempt or attempts[-1].from_sequence < job.reopened:
            # A word that comes again, once the job has gone on after it, says nothing any more.
            return
        if end := ending(job, attempts[-1]):
            try:
                await asyncio.to_thread(self._store.set_job_state, name, *end, [job.state])
            except WrongStateError:
                # Moved meanwhile; its supervision sees the attempt's word too.
                log.debug("settling overtaken", job=str(name))

    async def FetchBlob(
        self, request: pb.FetchBlobRequest, context: Context
    ) -> AsyncIterator[pb.FetchBlobResponse]:
        """Answers FetchBlob, for what was uploaded for the job."""
        name = await self._living(request.attempt)
        job = await reading(self._store.get_job, name)
        if request.sha256 not in {file.sha256 for file in job.spec.blobs()}:
            raise invalid("sha256", f"{request.sha256[:100]!r} is no file of the job's")
        async with aclosing(hand_out(self._core.artifacts, request.sha256)) as chunks:
            async for chunk in chunks:
                yield pb.FetchBlobResponse(chunk=chunk)

    async def DescribeDataset(
        self, request: pb.DescribeDatasetRequest, context: Context
    ) -> pb.DescribeDatasetResponse:
        """Answers DescribeDataset."""
        name, attempt = JobName.parse(request.attempt.job), request.attempt
        existed = await asyncio.to_thread(
            self._store.describe_dataset,
            name,
            attempt.attempt,
            attempt.epoch,
            judged_facts(request.facts),
        )
        return pb.DescribeDatasetResponse(existed=existed)

    async def AttachArtifact(
        self, request_iterator: AsyncIterator[pb.AttachArtifactRequest], context: Context
    ) -> pb.AttachArtifactResponse:
        """Answers AttachArtifact."""
        return await attach(request_iterator, self._core)

    async def _living(self, attempt: pb.AttemptRef) -> JobName:
        """Returns the job's name. Raises StaleError where the attempt lives no more."""
        name = JobName.parse(attempt.job)
        live = await reading(self._store.live_attempt, name)
        if live is None or (live.number, live.epoch) != (attempt.attempt, attempt.epoch):
            raise StaleError(f"attempt {attempt.attempt} of {name} has ended")
        return name
