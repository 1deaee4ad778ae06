"""The part of a job's handle that moves the job: pause, resume, stop, cancel, extend, clone."""

from __future__ import annotations

import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

from tuner.client.transport import Transport
from tuner.errors import Status, TunerError, invalid
from tuner.jobs import JobStatus
from tuner.spec import JobSpec
from tuner.v1 import tuner_service_pb2 as pb
from tuner.wire.jobs import job_from_wire
from tuner.wire.names import check_id, namespace_name
from tuner.wire.spec import spec_from_wire, spec_to_wire

# What the coordinator's fields are called here.
_ARGUMENTS = {
    "max_replicates": "replicates",
    "more_device_hours": "device_hours",
    "more_wall_clock_hours": "hours",
    "more_trials": "trials",
}


class JobLifecycle(ABC):
    """Verbs on one job. `tuner.client.Job` is one.

    Each answers where the job stands then. What doesn't fit, such as cancelling what has
    ended, changes nothing.
    """

    _transport: Transport
    status: JobStatus

    @abstractmethod
    def __init__(self, transport: Transport, status: JobStatus) -> None:
        """Takes the connection and the job as the coordinator last told it."""

    @property
    @abstractmethod
    def name(self) -> str:
        """The resource name, "namespaces/{namespace}/jobs/{job}"."""

    def pause(self) -> JobStatus:
        """Has the job finish what runs and free its slots, until `resume`."""
        return self._moved(self._transport.stub.PauseJob, pb.PauseJobRequest(name=self.name))

    def resume(self) -> JobStatus:
        """Has a paused job go on, or a failed or cancelled one, on its record."""
        return self._moved(self._transport.stub.ResumeJob, pb.ResumeJobRequest(name=self.name))

    def stop(self) -> JobStatus:
        """Has the job finish what runs and conclude every search with what is known."""
        return self._moved(self._transport.stub.StopJob, pb.StopJobRequest(name=self.name))

    def cancel(self) -> JobStatus:
        """Stops the job within seconds. Every finished measurement is kept."""
        return self._moved(self._transport.stub.CancelJob, pb.CancelJobRequest(name=self.name))

    def extend(
        self,
        *,
        replicates: int | None = None,
        levels: Sequence[int] | Mapping[str, Sequence[int]] = (),
        device_hours: float | None = None,
        hours: float | None = None,
        trials: int | None = None,
        validate_only: bool = False,
    ) -> JobStatus:
        """Reopens the job, which has ended or is paused, with more, on its record.

        Args:
            replicates: The most replicates of a level from now on.
            levels: Levels in addition: by a search's key or an axis, or of the one search
                that has an axis.
            device_hours: Device-hours in addition to what the budget allowed.
            hours: Hours by the clock in addition.
            trials: Candidates that each search may try in addition.
            validate_only: Only judge it.

        Returns:
            The job with its new spec. However often the call is tried, it is extended once.

        Raises:
            TunerError: INVALID_ARGUMENT with every argument at fault; FAILED_PRECONDITION
                where the job runs.
        """
        if not isinstance(levels, Mapping):
            levels = {_only_search(self.status.spec): levels} if levels else {}
        more = [pb.MoreLevels(search=search, levels=some) for search, some in levels.items()]
        request = pb.ExtendJobRequest(
            name=self.name,
            request_id=str(uuid.uuid4()),
            max_replicates=replicates or 0,
            levels=more,
            more_device_hours=device_hours or 0.0,
            more_wall_clock_hours=hours or 0.0,
            more_trials=trials or 0,
            validate_only=validate_only,
        )
        stub = self._transport.stub
        try:
            message = self._transport.call(stub.ExtendJob, request)
        except TunerError as error:
            raise _of_arguments(error) from error
        status = job_from_wire(message)
        if not validate_only:
            self.status = status
        return status

    def clone(
        self,
        *,
        name: str | None = None,
        margin: float | None = None,
        seed: int | None = None,
        job_id: str | None = None,
    ) -> Self:
        """Submits the job's spec once more, as a job with a record of its own.

        Its data and models are in the coordinator by their content, so nothing is uploaded.

        Args:
            name: What people call it; as this one where omitted.
            margin: Another margin.
            seed: Another seed, for measurements that are independent of this job's.
            job_id: The last part of its name; made by the coordinator where omitted.

        Raises:
            TunerError: INVALID_ARGUMENT where what is to be different can't be, or what
                was uploaded isn't there any more.
        """
        spec = spec_to_wire(self.status.spec)
        if name is not None:
            spec.display_name = name
        if margin is not None:
            spec.margin = margin
        if seed is not None:
            spec.seed = seed
        spec_from_wire(spec)  # judged here, so that fields are the spec's
        request = pb.CreateJobRequest(
            parent=namespace_name(spec.namespace),
            spec=spec,
            job_id=check_id(job_id, "job_id") if job_id else "",
            request_id=str(uuid.uuid4()),
        )
        message = self._transport.call(self._transport.stub.CreateJob, request)
        return type(self)(self._transport, job_from_wire(message))

    def _moved(self, method: Callable[..., Any], request: Any) -> JobStatus:
        self.status = job_from_wire(self._transport.call(method, request))  # type: ignore[arg-type] # any of four
        return self.status


def _only_search(spec: JobSpec) -> str:
    """Returns the key of the one search that has an axis. Raises TunerError where it isn't one."""
    keys = [search.key for search in spec.searches if search.axis]
    if len(keys) != 1:
        known = ", ".join(keys) or "none that has an axis"
        raise invalid("levels", f"are of which search? Name it; there are {known}")
    return keys[0]


def _of_arguments(error: TunerError) -> TunerError:
    """Returns the error with its fields as `extend` has them, not as the request does."""
    if error.status is Status.UNIMPLEMENTED:
        message = "the coordinator is too old to extend jobs; update it"
        return TunerError(error.status, error.reason, message)
    return error.renamed(lambda field: _ARGUMENTS.get(field, field.partition("[")[0]))
