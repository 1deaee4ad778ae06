"""The coordinator's messages as the client's plain data."""

from __future__ import annotations

from types import MappingProxyType

from tuner import catalog
from tuner.client.resources import (
    ClusterStatus,
    Event,
    JobState,
    JobStateChanged,
    JobStatus,
    Node,
    RunnerStarted,
    SearchStateChanged,
    SearchStatus,
    Trial,
    UnknownEvent,
    What,
)
from tuner.curve import SearchState
from tuner.v1 import returns_pb2
from tuner.v1 import tuner_service_pb2 as pb
from tuner.wire.record import (
    enum_from_wire,
    measurement_from_wire,
    packet_attempt_from_wire,
    step_from_wire,
    time_from_wire,
)
from tuner.wire.spec import setting_from_wire, spec_from_wire, value_from_wire


def _job_state(number: int) -> JobState:
    # A job that was only judged has no state yet.
    return JobState(enum_from_wire(pb.JobState, number, "state")) if number else JobState.PENDING


def _search_state(number: int) -> SearchState:
    return SearchState(enum_from_wire(returns_pb2.SearchState, number, "state"))


def job_from_wire(message: pb.Job) -> JobStatus:
    """Returns the job."""
    return JobStatus(
        name=message.name,
        spec=spec_from_wire(message.spec),
        state=_job_state(message.state),
        reason=message.state_reason,
        create_time=time_from_wire(message, "create_time"),
        start_time=time_from_wire(message, "start_time"),
        end_time=time_from_wire(message, "end_time"),
        last_sequence=message.last_sequence,
        attempt=message.attempt,
        searches=tuple(
            SearchStatus(s.key, _search_state(s.state), s.reason) for s in message.searches
        ),
        billed_device_seconds=message.billed_device_seconds,
        queue_position=message.queue_position,
        owner=message.owner,
    )


def event_from_wire(message: pb.Event) -> Event:
    """Returns the event."""
    return Event(message.sequence, time_from_wire(message, "time"), _what(message))


def _what(message: pb.Event) -> What:
    match message.WhichOneof("what"):
        case "job_state_changed":
            job = message.job_state_changed
            return JobStateChanged(_job_state(job.state), job.reason)
        case "search_state_changed":
            search = message.search_state_changed
            return SearchStateChanged(search.search, _search_state(search.state), search.reason)
        case "plan_step_committed":
            return step_from_wire(message.plan_step_committed)
        case "measurement_recorded":
            return measurement_from_wire(message.measurement_recorded)
        case "packet_attempted":
            return packet_attempt_from_wire(message.packet_attempted)
        case "runner_started":
            return RunnerStarted(
                message.runner_started.attempt, message.runner_started.submission_id
            )
        case None:
            return UnknownEvent()


def trial_from_wire(message: pb.Trial) -> Trial:
    """Returns the trial."""
    return Trial(
        search=message.search,
        level=message.level,
        setting=setting_from_wire(message.hyperparameters),
        measurements=tuple(measurement_from_wire(m) for m in message.measurements),
        measured=message.measured,
    )


def cluster_from_wire(message: pb.ClusterStatus) -> ClusterStatus:
    """Returns the cluster's status."""
    return ClusterStatus(
        dashboard_address=message.dashboard_address,
        nodes=tuple(Node(n.id, n.address, n.cpus, n.gpus, n.alive) for n in message.nodes),
        cpus=message.cpus,
        gpus=message.gpus,
        cpus_free=message.cpus_free,
        gpus_free=message.gpus_free,
        jobs_running=message.jobs_running,
        jobs_queued=message.jobs_queued,
        server_version=message.server_version,
        problem=message.problem,
    )


def learner_from_wire(message: pb.Learner) -> catalog.Learner:
    """Returns the learner in the catalog's own type."""
    axes = tuple(
        catalog.Axis(
            name=a.name,
            low=a.low,
            high=a.high,
            default_levels=tuple(a.default_levels),
            metric=a.default_metric,
            nested=a.nested,
            description=a.description,
        )
        for a in message.axes
    )
    ranges = {r.name: _range_from_wire(r) for r in message.hyperparameters}
    return catalog.Learner(
        name=message.name,
        description=message.description,
        axes=axes,
        hyperparameters=MappingProxyType(ranges),
        baseline=message.baseline,
    )


def _range_from_wire(message: pb.HyperparameterRange) -> catalog.Hyperparameter:
    default = value_from_wire(message.default_value, message.name)
    if message.WhichOneof("range") == "choices":
        values = tuple(value_from_wire(v, message.name) for v in message.choices.values)
        return catalog.Choice(values, default, message.tuned, message.description)
    return catalog.Number(
        low=message.between.low,
        high=message.between.high,
        default=float(default),
        log=message.log,
        integer=message.integer,
        tuned=message.tuned,
        description=message.description,
    )
