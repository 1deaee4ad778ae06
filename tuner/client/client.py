"""The way in: a connection to one coordinator."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tuner import catalog
from tuner.client.access import AccessCalls
from tuner.client.endpoint import Endpoint, find_endpoint
from tuner.client.export import Export, choose
from tuner.client.job import Job
from tuner.client.own_code import entry_of
from tuner.client.paging import paged
from tuner.client.queue import QueueCalls
from tuner.client.transport import Transport
from tuner.client.uploads import upload, with_local_files
from tuner.errors import Status, TunerError
from tuner.jobs import ClusterStatus, JobStatus
from tuner.spec import JobSpec
from tuner.v1 import tuner_service_pb2 as pb
from tuner.wire.catalog import learner_from_wire
from tuner.wire.jobs import cluster_from_wire, job_from_wire
from tuner.wire.names import JobName, check_id, namespace_name
from tuner.wire.spec import spec_to_wire


class Client(AccessCalls, QueueCalls):
    """A connection to a coordinator; a context manager that closes it.

    Args:
        address: "host:port"; TUNER_ADDRESS, or the embedded coordinator that
            `tuner up` started, where omitted.
        token: What proves who asks; TUNER_TOKEN, or the embedded coordinator's
            own, where omitted.
        timeout: Deadline of every call, in seconds. A coordinator that can't be
            reached is tried again for a part of it.
        namespace: Where jobs that are named by their id alone are looked for.
        tls_ca: File of the authority that the coordinator is trusted by, in PEM;
            TUNER_TLS_CA, or with TUNER_TLS=true this system's authorities, where
            omitted, else plaintext.

    Raises:
        TunerError: UNAVAILABLE, reason NO_COORDINATOR, where no coordinator is
            named and none is up on this machine.
    """

    def __init__(
        self,
        address: str | None = None,
        token: str | None = None,
        timeout: float = 30.0,
        *,
        namespace: str = "default",
        tls_ca: str | Path | None = None,
    ) -> None:
        self._transport = Transport(find_endpoint(address, token, tls_ca), timeout)
        self._namespace = check_id(namespace, "namespace")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def endpoint(self) -> Endpoint:
        """The coordinator that this client speaks to."""
        return self._transport.endpoint

    def close(self) -> None:
        """Closes the connection. Jobs go on."""
        self._transport.close()

    def submit(
        self,
        spec: JobSpec | Mapping[str, Any] | str | Path,
        *,
        validate_only: bool = False,
        job_id: str | None = None,
    ) -> Job:
        """Submits a job, after uploading those of its data files that are here.

        Args:
            spec: The spec, its plain data, or the path of a YAML or JSON file.
            validate_only: Only judge it; nothing is uploaded or run.
            job_id: The last part of the job's name; made by the coordinator
                where omitted.

        Returns:
            The job. However often the call is tried, there is one.

        Raises:
            TunerError: INVALID_ARGUMENT with the path of every field at fault,
                or what else the coordinator answered.
        """
        judged = _judged(spec)
        if job_id:
            check_id(job_id, "job_id")
        judged, blobs = with_local_files(judged)
        if not validate_only:
            upload(self._transport, blobs)
        request = pb.CreateJobRequest(
            parent=namespace_name(judged.namespace),
            spec=spec_to_wire(judged),
            job_id=job_id or "",
            request_id=str(uuid.uuid4()),
            validate_only=validate_only,
        )
        try:
            message = self._transport.call(self._transport.stub.CreateJob, request)
        except TunerError as error:
            if validate_only and error.reason == "BLOB_MISSING":
                # All else has been judged by then, and the files are here to be sent.
                return Job(self._transport, JobStatus("", judged))
            raise _of_the_spec(error) from error
        return Job(self._transport, job_from_wire(message))

    def get_job(self, job: str) -> Job:
        """Returns the job of that name or id.

        Raises:
            TunerError: NOT_FOUND where there is none; INVALID_ARGUMENT where it
                can't be a name.
        """
        name = JobName.parse(job) if "/" in job else JobName(self._namespace, check_id(job, "job"))
        message = self._transport.call(
            self._transport.stub.GetJob, pb.GetJobRequest(name=str(name))
        )
        return Job(self._transport, job_from_wire(message))

    def export(self, job: Job | str, search: str, level: int | None = None) -> Export:
        """Has a level that a job chose fitted once more, on all its training data.

        The fit is a job of its own. `save` of what is returned waits for it and brings the
        model here.

        Args:
            job: The job, its name or its id.
            search: A search's key in it.
            level: The level; the one that is enough where omitted.

        Raises:
            TunerError: NOT_FOUND or INVALID_ARGUMENT where there is no such job, search or
                level; FAILED_PRECONDITION where the verdict names no level.
        """
        chooser = self.get_job(job) if isinstance(job, str) else job
        choice = choose(chooser, search, level)
        return Export(self._transport, choice, self.submit(choice.spec()))

    def jobs(self, namespace: str | None = None) -> Iterator[Job]:
        """Yields jobs, newest first.

        Args:
            namespace: Whose; "-" for everybody's, the client's own where omitted.
        """
        stub = self._transport.stub
        parent = namespace_name(namespace or self._namespace)
        found = paged(
            lambda token: self._transport.call(
                stub.ListJobs, pb.ListJobsRequest(parent=parent, page_token=token)
            ),
            lambda response: response.jobs,
        )
        return (Job(self._transport, job_from_wire(message)) for message in found)

    def learners(self) -> list[catalog.Learner]:
        """Returns the learners that the coordinator can run."""
        stub = self._transport.stub
        found = paged(
            lambda token: self._transport.call(
                stub.ListLearners, pb.ListLearnersRequest(page_token=token)
            ),
            lambda response: response.learners,
        )
        return [learner_from_wire(message) for message in found]

    def cluster_status(self) -> ClusterStatus:
        """Returns the cluster as the coordinator sees it."""
        message = self._transport.call(
            self._transport.stub.GetClusterStatus, pb.GetClusterStatusRequest()
        )
        return cluster_from_wire(message)


def _of_the_spec(error: TunerError) -> TunerError:
    """Returns the error with its fields as the spec has them, not as the request does."""
    return error.renamed(lambda field: field.removeprefix("spec."))


def _judged(spec: object) -> JobSpec:
    if isinstance(spec, JobSpec):
        return spec
    if isinstance(spec, str | Path):
        return JobSpec.from_file(spec, entry_of)
    if isinstance(spec, Mapping):
        return JobSpec.parse(spec, entry_of)
    raise TunerError(
        Status.INVALID_ARGUMENT,
        "INVALID_SPEC",
        f"a spec is a JobSpec, a mapping or the path of a file, not {type(spec).__name__}",
    )
