"""Calls that make, get and list jobs."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime

from services.coordinator.access.caller import calling
from services.coordinator.api.interceptor import Context
from services.coordinator.api.portions import portions
from services.coordinator.core import Core
from services.coordinator.datasets import check_dataset, check_models
from services.coordinator.own_code import check_code
from services.coordinator.secret import random_letters
from services.coordinator.store.errors import AlreadyExistsError, NotFoundError
from services.coordinator.threads import reading
from services.coordinator.webhooks import check_webhook
from tuner.curve import SearchState
from tuner.errors import Status, TunerError, Violation, invalid
from tuner.jobs import JobStatus, SearchStatus
from tuner.spec import JobSpec
from tuner.v1 import tuner_service_pb2 as pb
from tuner.wire.jobs import job_to_wire
from tuner.wire.names import JobName, check_id, parse_parent
from tuner.wire.pages import make_token, page_size, read_token
from tuner.wire.spec import spec_from_wire

MAX_JOBS_A_PAGE = 100

_REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{8,64}")


class JobCalls:
    """The part of TunerService that is about jobs."""

    def __init__(self, core: Core) -> None:
        """Takes the parts."""
        self._core = core

    async def CreateJob(self, request: pb.CreateJobRequest, context: Context) -> pb.Job:
        """Answers CreateJob."""
        job = await asyncio.to_thread(self._create, request, calling.get().subject)
        if not request.validate_only:
            self._core.hints.ring(JobName.parse(job.name), state=True)
        return job

    def _create(self, request: pb.CreateJobRequest, owner: str) -> pb.Job:
        check_request_id(request.request_id)
        namespace = parse_parent(request.parent)
        if namespace is None:
            raise invalid("parent", "names every namespace; a job is in one of them")
        if request.job_id:
            check_id(request.job_id, "job_id")
        spec = _judged(request, namespace)
        if spec.namespace != namespace:
            raise invalid(
                "parent",
                f"{request.parent!r} is not the spec's namespace, {spec.namespace!r}; "
                "name the same in both",
            )
        check_dataset(spec.dataset, self._core.settings.data_roots, self._core.artifacts)
        check_models(spec, self._core.artifacts)
        check_code(spec, self._core.settings.allow_user_code, self._core.artifacts)
        check_webhook(spec, self._core.settings)
        name = JobName(namespace, request.job_id or self._free_id(namespace, spec))
        if request.validate_only:
            if request.job_id and self._taken(name):
                raise AlreadyExistsError(f"there is a job {name} already; choose another job_id")
            return job_to_wire(_would_be(name, spec, owner))
        row, _created = self._core.store.create_job(name, spec, owner, request.request_id)
        return job_to_wire(row.status())

    def _free_id(self, namespace: str, spec: JobSpec) -> str:
        """Returns an id that nobody has: what the job is called, and six random characters."""
        text = re.sub(r"[^a-z0-9]+", "-", (spec.name or spec.dataset.source).lower())
        slug = text[:50].strip("-") or "job"
        while True:
            job_id = f"{slug}-{random_letters(6)}"
            if not self._taken(JobName(namespace, job_id)):
                return job_id

    def _taken(self, name: JobName) -> bool:
        try:
            self._core.store.get_job(name)
        except NotFoundError:
            return False
        return True

    async def GetJob(self, request: pb.GetJobRequest, context: Context) -> pb.Job:
        """Answers GetJob."""
        return await reading(self._get, JobName.parse(request.name))

    def _get(self, name: JobName) -> pb.Job:
        row = self._core.store.get_job(name)
        return job_to_wire(row.status())

    async def ListJobs(self, request: pb.ListJobsRequest, context: Context) -> pb.ListJobsResponse:
        """Answers ListJobs."""
        namespace = parse_parent(request.parent) or calling.get().namespaces()
        # Fewer than asked for, since every job brings its spec.
        limit = min(page_size(request.page_size), MAX_JOBS_A_PAGE)
        before = read_token(request.page_token, "jobs", request.parent)
        rows, following = await reading(self._core.store.list_jobs, namespace, limit, before)
        jobs = next(portions((job_to_wire(row.status()) for row in rows), limit), [])
        if len(jobs) < len(rows):
            # Large specs end a page early; what follows it begins elsewhere then.
            _, following = await reading(self._core.store.list_jobs, namespace, len(jobs), before)
        return pb.ListJobsResponse(
            jobs=jobs,
            next_page_token=make_token(following, "jobs", request.parent) if following else "",
        )


def check_request_id(request_id: str) -> None:
    """Passes what can be a request's id. Raises TunerError, INVALID_ARGUMENT."""
    if not _REQUEST_ID.fullmatch(request_id):
        raise invalid(
            "request_id",
            f"{request_id[:100]!r} is none; give a UUID, the same for every retry",
        )


def _judged(request: pb.CreateJobRequest, namespace: str) -> JobSpec:
    """Returns the spec. Raises TunerError whose fields are the request's."""
    message = request.spec
    if not message.namespace:
        message = type(message).FromString(message.SerializeToString())
        message.namespace = namespace
    try:
        return spec_from_wire(message)
    except TunerError as error:
        violations = [
            v if v.field == "spec" else Violation(f"spec.{v.field}", v.problem)
            for v in error.violations
        ]
        raise TunerError(
            Status.INVALID_ARGUMENT, error.reason, error.message, violations
        ) from error


def _would_be(name: JobName, spec: JobSpec, owner: str) -> JobStatus:
    return JobStatus(
        name=str(name),
        spec=spec,
        create_time=datetime.now(UTC),
        searches=tuple(
            SearchStatus(search.key, SearchState.PENDING) for search in spec.all_searches()
        ),
        owner=owner,
    )
