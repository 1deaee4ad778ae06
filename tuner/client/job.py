"""A handle on one job."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

from tuner.client.files import JobFiles
from tuner.client.gathering import gathered
from tuner.client.lifecycle import JobLifecycle
from tuner.client.paging import paged
from tuner.client.result import Result
from tuner.client.transport import Backoff, Transport
from tuner.curve import Curve, LearnerComparison
from tuner.errors import Status, TunerError
from tuner.jobs import Event, JobState, JobStateChanged, JobStatus, Trial
from tuner.record import Measurement, PlanStep
from tuner.spec import JobSpec
from tuner.v1 import tuner_service_pb2 as pb
from tuner.wire.comparison import comparison_from_wire
from tuner.wire.curve import curve_from_wire
from tuner.wire.jobs import event_from_wire, job_from_wire, trial_from_wire
from tuner.wire.record import measurement_from_wire, step_from_wire

STREAM_SECONDS = 300.0
"""Deadline of one stream. A stream that ran into it is taken up again: so a peer that
went away without a word is noticed."""

RESUME_SECONDS = 300.0
"""How long a stream tries to get back to a coordinator that went away."""


class Job(JobFiles, JobLifecycle):
    """A job of the coordinator. Made by `Client.submit` and `Client.get_job`."""

    def __init__(self, transport: Transport, status: JobStatus) -> None:
        self._transport = transport
        self.status = status

    def __repr__(self) -> str:
        return f"Job({self.name!r}, {self.state.value})"

    @property
    def name(self) -> str:
        """The resource name, "namespaces/{namespace}/jobs/{job}"."""
        return self.status.name

    @property
    def id(self) -> str:
        """The last part of the name."""
        return self.status.id

    @property
    def spec(self) -> JobSpec:
        """What was submitted, and what it was extended to since."""
        return self.status.spec

    @property
    def state(self) -> JobState:
        """Where it stood when the coordinator was last asked."""
        return self.status.state

    def refresh(self) -> JobStatus:
        """Asks the coordinator where the job stands."""
        message = self._transport.call(
            self._transport.stub.GetJob, pb.GetJobRequest(name=self.name)
        )
        self.status = job_from_wire(message)
        return self.status

    def watch(self, after: int = 0) -> Iterator[Event]:
        """Yields every event after a sequence number, until the job has ended.

        A lost connection is taken up again by itself, without gap or repeat.

        Raises:
            TunerError: There is no such job, or the coordinator stayed away.
        """
        return self._events(after, None)

    def wait(self, timeout: float | None = None) -> JobState:
        """Waits for the job to end and returns how.

        Args:
            timeout: Seconds to wait at most; None waits for ever.

        Raises:
            TunerError: DEADLINE_EXCEEDED where it hasn't ended by then.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        status = self.refresh()
        if not status.state.ended:
            for event in self._events(status.last_sequence, deadline):
                if isinstance(event.what, JobStateChanged) and event.what.state.ended:
                    break
            self.refresh()
        return self.state

    def result(self, timeout: float | None = None) -> Result:
        """Waits for the job to end and returns what it found. Raises as `wait` does."""
        self.wait(timeout)
        return gathered(self)

    def snapshot(self) -> Result:
        """Returns what the job has found so far, without waiting."""
        self.refresh()
        return gathered(self)

    def curves(
        self, metric: str = "", margin: float | None = None, examples: bool = False
    ) -> dict[str, Curve]:
        """Returns the returns curves so far, by their searches' keys.

        Args:
            metric: Take every score again under this metric of the catalog, from stored
                predictions; or under a condition as measured, "error@pgd:0.1", of the
                searches that have it ("@pgd:0.1" of each one's own metric, "@clean" of the
                same examples undisturbed). Hyperparameters stay those chosen under the
                job's own.
            margin: The least gain per doubling that is worth having, in the metric's
                units; the job's own where omitted.
            examples: Whether the verdict has to survive other test examples, too, and not
                only other seeds. Not under a condition.

        Raises:
            TunerError: INVALID_ARGUMENT where there is no such metric or condition;
                FAILED_PRECONDITION where predictions are missing.
        """
        stub = self._transport.stub
        found = paged(
            lambda token: self._transport.call(
                stub.ListCurves,
                pb.ListCurvesRequest(
                    parent=self.name,
                    page_token=token,
                    metric=metric,
                    margin=margin,
                    examples=examples,
                ),
            ),
            lambda response: response.curves,
        )
        return {message.search: curve_from_wire(message) for message in found}

    def compare(self, metric: str = "", rope: bool = False) -> LearnerComparison | None:
        """Returns how the job's searches compare, each at its own sufficient level.

        Args:
            metric: What they are compared on; what the job is judged on where
                omitted, else its first search. May be under a condition, as in `curves`.
            rope: Also tell the chance that two differ by less than the margin
                (region of practical equivalence).

        Returns:
            The comparison; None while there are no two searches to compare.

        Raises:
            TunerError: INVALID_ARGUMENT where there is no such metric or condition;
                UNIMPLEMENTED where the coordinator is too old to know the call.
        """
        request = pb.CompareSearchesRequest(parent=self.name, metric=metric, rope=rope)
        answer = self._transport.call(self._transport.stub.CompareSearches, request)
        return comparison_from_wire(answer.comparison) if answer.HasField("comparison") else None

    def trials(self, search: str = "") -> list[Trial]:
        """Returns every candidate with its measurements, of one search or of all."""
        stub = self._transport.stub
        found = paged(
            lambda token: self._transport.call(
                stub.ListTrials,
                pb.ListTrialsRequest(parent=self.name, search=search, page_token=token),
            ),
            lambda response: response.trials,
        )
        return [trial_from_wire(message) for message in found]

    def measurements(self, search: str = "") -> list[Measurement]:
        """Returns every measurement in the order of recording, of one search or of all."""
        stub = self._transport.stub
        found = paged(
            lambda token: self._transport.call(
                stub.ListMeasurements,
                pb.ListMeasurementsRequest(parent=self.name, search=search, page_token=token),
            ),
            lambda response: response.measurements,
        )
        return [measurement_from_wire(message) for message in found]

    def plan(self, search: str = "") -> list[PlanStep]:
        """Returns every decision in the order of commitment, of one search or of all."""
        stub = self._transport.stub
        found = paged(
            lambda token: self._transport.call(
                stub.ListPlanSteps,
                pb.ListPlanStepsRequest(parent=self.name, search=search, page_token=token),
            ),
            lambda response: response.plan_steps,
        )
        return [step_from_wire(message) for message in found]

    def logs(self, follow: bool = False) -> Iterator[str]:
        """Yields the lines of the driver's log.

        Args:
            follow: Go on until the job has ended.

        Raises:
            TunerError: There is no such job or log, or the coordinator stayed away.
        """
        request = pb.TailLogsRequest(name=self.name, follow=follow)
        given: dict[int, int] = {}  # lines handed out, by attempt
        backoff = Backoff(RESUME_SECONDS if follow else 0.0)
        while True:
            seen: dict[int, int] = {}  # lines of this stream, which starts from the beginning
            try:
                for response in self._transport.stream(
                    self._transport.stub.TailLogs, request, STREAM_SECONDS
                ):
                    backoff.reset()
                    for line in response.lines:
                        number = seen[response.attempt] = seen.get(response.attempt, 0) + 1
                        if number > given.get(response.attempt, 0):
                            given[response.attempt] = number
                            yield line
            except TunerError as error:
                resumable = error.status in (Status.UNAVAILABLE, Status.DEADLINE_EXCEEDED)
                if not (follow and resumable and backoff.pause()):
                    raise
            else:
                return

    def delete(self) -> None:
        """Removes the job, which must have ended, with its record."""
        self._transport.call(self._transport.stub.DeleteJob, pb.DeleteJobRequest(name=self.name))

    def _events(self, after: int, deadline: float | None) -> Iterator[Event]:
        backoff = Backoff(RESUME_SECONDS)
        while True:
            left = STREAM_SECONDS
            if deadline is not None:
                left = min(left, deadline - time.monotonic())
                if left <= 0:
                    raise TunerError(
                        Status.DEADLINE_EXCEEDED,
                        "WAIT_TIMEOUT",
                        f"{self.id} is still {self.state.value.lower()}; it goes on",
                    )
            request = pb.WatchJobRequest(name=self.name, after=after)
            try:
                for response in self._transport.stream(
                    self._transport.stub.WatchJob, request, left
                ):
                    backoff.reset()
                    for message in response.events:
                        if message.sequence <= after:
                            continue
                        after = message.sequence
                        event = event_from_wire(message)
                        if isinstance(event.what, JobStateChanged):
                            self.status = replace(
                                self.status, state=event.what.state, reason=event.what.reason
                            )
                        yield event
            except TunerError as error:
                if error.status is Status.DEADLINE_EXCEEDED:
                    backoff.reset()
                elif error.status is not Status.UNAVAILABLE or not backoff.pause():
                    raise
                continue
            # A coordinator that shuts down ends its streams well, too.
            status = self.refresh()
            if status.state.ended and after >= status.last_sequence:
                return
            if not backoff.pause():
                raise TunerError(
                    Status.UNAVAILABLE,
                    "STREAM_ENDED",
                    f"the coordinator keeps ending the events of {self.id}, which hasn't ended",
                )
