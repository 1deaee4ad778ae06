"""Jobs, their events and trials, and the cluster's status over the wire."""

from __future__ import annotations

from tuner.curve import SearchState
from tuner.jobs import (
    ClusterStatus,
    DatasetFacts,
    Event,
    JobExtended,
    JobState,
    JobStateChanged,
    JobStatus,
    Node,
    RunnerEnded,
    RunnerStarted,
    SearchStateChanged,
    SearchStatus,
    ShareChanged,
    Trial,
    UnknownEvent,
    What,
)
from tuner.record import Measurement, PacketAttempt, PlanStep
from tuner.v1 import record_pb2, returns_pb2
from tuner.v1 import tuner_service_pb2 as pb
from tuner.wire.record import (
    enum_from_wire,
    enum_to_wire,
    measurement_from_wire,
    measurement_to_wire,
    packet_attempt_from_wire,
    packet_attempt_to_wire,
    step_from_wire,
    step_to_wire,
    time_from_wire,
    time_to_wire,
)
from tuner.wire.spec import spec_from_wire, spec_to_wire
from tuner.wire.values import setting_from_wire, setting_to_wire


def _job_state_from_wire(number: int) -> JobState:
    return JobState(enum_from_wire(pb.JobState, number, "state"))


def _search_state_from_wire(number: int) -> SearchState:
    return SearchState(enum_from_wire(returns_pb2.SearchState, number, "state"))


def facts_to_wire(facts: DatasetFacts) -> record_pb2.DatasetFacts:
    """Returns what the data turned out to be as a message."""
    return record_pb2.DatasetFacts(
        digest=facts.digest,
        examples=facts.examples,
        test_examples=facts.test_examples,
        classes=facts.classes,
        features=facts.features,
        notes=facts.notes,
    )


def facts_from_wire(message: record_pb2.DatasetFacts) -> DatasetFacts:
    """Returns what the data turned out to be."""
    return DatasetFacts(
        digest=message.digest,
        examples=message.examples,
        test_examples=message.test_examples,
        classes=message.classes,
        features=message.features,
        notes=tuple(message.notes),
    )


def job_to_wire(job: JobStatus) -> pb.Job:
    """Returns the job as a message."""
    return pb.Job(
        name=job.name,
        spec=spec_to_wire(job.spec),
        state=enum_to_wire(pb.JobState, job.state),
        state_reason=job.reason,
        create_time=time_to_wire(job.create_time),
        start_time=time_to_wire(job.start_time),
        end_time=time_to_wire(job.end_time),
        last_sequence=job.last_sequence,
        attempt=job.attempt,
        searches=[
            pb.SearchStatus(
                key=search.key,
                state=enum_to_wire(returns_pb2.SearchState, search.state),
                reason=search.reason,
            )
            for search in job.searches
        ],
        billed_device_seconds=job.billed_device_seconds,
        queue_position=job.queue_position,
        owner=job.owner,
        dataset=None if job.dataset is None else facts_to_wire(job.dataset),
        share=job.share,
        slots_held=job.slots_held,
    )


def job_from_wire(message: pb.Job) -> JobStatus:
    """Returns the job. Raises TunerError, INVALID_ARGUMENT, on a malformed one."""
    return JobStatus(
        name=message.name,
        spec=spec_from_wire(message.spec),
        # A job that was only judged may have no state yet.
        state=_job_state_from_wire(message.state) if message.state else JobState.PENDING,
        reason=message.state_reason,
        create_time=time_from_wire(message, "create_time"),
        start_time=time_from_wire(message, "start_time"),
        end_time=time_from_wire(message, "end_time"),
        last_sequence=message.last_sequence,
        attempt=message.attempt,
        searches=tuple(
            SearchStatus(s.key, _search_state_from_wire(s.state), s.reason)
            for s in message.searches
        ),
        billed_device_seconds=message.billed_device_seconds,
        queue_position=message.queue_position,
        owner=message.owner,
        dataset=facts_from_wire(message.dataset) if message.HasField("dataset") else None,
        share=message.share if message.HasField("share") else None,
        slots_held=message.slots_held,
    )


def event_to_wire(event: Event) -> pb.Event:
    """Returns the event as a message; an unknown one says nothing of what happened."""
    message = pb.Event(sequence=event.sequence, time=time_to_wire(event.time))
    if not isinstance(event.what, UnknownEvent):
        message.MergeFrom(what_to_wire(event.what))
    return message


def event_from_wire(message: pb.Event) -> Event:
    """Returns the event. Raises TunerError, INVALID_ARGUMENT, on a malformed one."""
    return Event(message.sequence, time_from_wire(message, "time"), what_from_wire(message))


def what_to_wire(what: What) -> pb.Event:
    """Returns what happened in an event that has neither number nor time yet."""
    match what:
        case JobStateChanged():
            job = pb.JobStateChanged(
                state=enum_to_wire(pb.JobState, what.state), reason=what.reason
            )
            return pb.Event(job_state_changed=job)
        case SearchStateChanged():
            search = pb.SearchStateChanged(
                search=what.search,
                state=enum_to_wire(returns_pb2.SearchState, what.state),
                reason=what.reason,
            )
            return pb.Event(search_state_changed=search)
        case RunnerStarted():
            runner = pb.RunnerStarted(attempt=what.attempt, submission_id=what.submission_id)
            return pb.Event(runner_started=runner)
        case RunnerEnded():
            ended = pb.RunnerEnded(attempt=what.attempt, outcome=what.outcome, reason=what.reason)
            return pb.Event(runner_ended=ended)
        case JobExtended():
            extended = pb.JobExtended(
                spec=spec_to_wire(what.spec), by=what.by, changes=what.changes
            )
            return pb.Event(job_extended=extended)
        case ShareChanged():
            return pb.Event(share_changed=pb.ShareChanged(slots=what.slots, reason=what.reason))
        case PlanStep():
            return pb.Event(plan_step_committed=step_to_wire(what))
        case Measurement():
            return pb.Event(measurement_recorded=measurement_to_wire(what))
        case PacketAttempt():
            return pb.Event(packet_attempted=packet_attempt_to_wire(what))


def what_from_wire(message: pb.Event) -> What | UnknownEvent:
    """Returns what happened. Raises TunerError, INVALID_ARGUMENT, on a malformed message."""
    match message.WhichOneof("what"):
        case "job_state_changed":
            job = message.job_state_changed
            return JobStateChanged(_job_state_from_wire(job.state), job.reason)
        case "search_state_changed":
            search = message.search_state_changed
            state = _search_state_from_wire(search.state)
            return SearchStateChanged(search.search, state, search.reason)
        case "runner_started":
            runner = message.runner_started
            return RunnerStarted(runner.attempt, runner.submission_id)
        case "runner_ended":
            ended = message.runner_ended
            return RunnerEnded(ended.attempt, ended.outcome, ended.reason)
        case "job_extended":
            extended = message.job_extended
            changes = tuple(extended.changes)
            return JobExtended(spec_from_wire(extended.spec), extended.by, changes)
        case "share_changed":
            return ShareChanged(message.share_changed.slots, message.share_changed.reason)
        case "plan_step_committed":
            return step_from_wire(message.plan_step_committed)
        case "measurement_recorded":
            return measurement_from_wire(message.measurement_recorded)
        case "packet_attempted":
            return packet_attempt_from_wire(message.packet_attempted)
        case None:
            return UnknownEvent()


def trial_to_wire(trial: Trial) -> pb.Trial:
    """Returns the trial as a message."""
    return pb.Trial(
        search=trial.search,
        level=trial.level,
        hyperparameters=setting_to_wire(trial.setting),
        measurements=[measurement_to_wire(m) for m in trial.measurements],
        measured=trial.measured,
    )


def trial_from_wire(message: pb.Trial) -> Trial:
    """Returns the trial. Raises TunerError, INVALID_ARGUMENT, on a malformed one."""
    return Trial(
        search=message.search,
        level=message.level,
        setting=setting_from_wire(message.hyperparameters),
        measurements=tuple(measurement_from_wire(m) for m in message.measurements),
        measured=message.measured,
    )


def cluster_to_wire(cluster: ClusterStatus) -> pb.ClusterStatus:
    """Returns the cluster's status as a message."""
    return pb.ClusterStatus(
        dashboard_address=cluster.dashboard_address,
        nodes=[
            pb.Node(id=n.id, address=n.address, cpus=n.cpus, gpus=n.gpus, alive=n.alive)
            for n in cluster.nodes
        ],
        cpus=cluster.cpus,
        gpus=cluster.gpus,
        cpus_free=cluster.cpus_free,
        gpus_free=cluster.gpus_free,
        jobs_running=cluster.jobs_running,
        jobs_queued=cluster.jobs_queued,
        server_version=cluster.server_version,
        problem=cluster.problem,
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
