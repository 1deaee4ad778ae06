"""Jobs, events, trials and the cluster come back from the wire as they were sent."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wire_samples import ATTEMPT, LEVEL, MEASUREMENT, NUMBER, SETTING, STEP, TIME, WORD

from tuner.curve import SearchState
from tuner.errors import TunerError
from tuner.jobs import (
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
)
from tuner.spec import JobSpec
from tuner.v1 import tuner_service_pb2 as pb
from tuner.wire import jobs

SPEC = JobSpec.parse({"dataset": "digits", "searches": [{"learner": "cnn"}]})
COUNT = st.integers(0, 2**31 - 1)
JOB_STATE = st.sampled_from(JobState)
SEARCH_STATE = st.sampled_from(SearchState)

JOB = st.builds(
    JobStatus,
    name=WORD,
    spec=st.just(SPEC),
    state=JOB_STATE,
    reason=WORD,
    create_time=st.none() | TIME,
    start_time=st.none() | TIME,
    end_time=st.none() | TIME,
    last_sequence=LEVEL,
    attempt=COUNT,
    searches=st.lists(st.builds(SearchStatus, WORD, SEARCH_STATE, WORD), max_size=3).map(tuple),
    billed_device_seconds=NUMBER,
    queue_position=COUNT,
    owner=WORD,
)
WHAT = (
    st.builds(JobStateChanged, JOB_STATE, WORD)
    | st.builds(SearchStateChanged, WORD, SEARCH_STATE, WORD)
    | st.builds(RunnerStarted, COUNT, WORD)
    | STEP
    | MEASUREMENT
    | ATTEMPT
)
EVENT = st.builds(Event, LEVEL, st.none() | TIME, WHAT | st.just(UnknownEvent()))
TRIAL = st.builds(
    Trial,
    search=WORD,
    level=LEVEL,
    setting=SETTING,
    measurements=st.lists(MEASUREMENT, max_size=2).map(tuple),
    measured=st.booleans(),
)
CLUSTER = st.builds(
    ClusterStatus,
    dashboard_address=WORD,
    nodes=st.lists(st.builds(Node, WORD, WORD, NUMBER, NUMBER, st.booleans()), max_size=3).map(
        tuple
    ),
    cpus=NUMBER,
    gpus=NUMBER,
    cpus_free=NUMBER,
    gpus_free=NUMBER,
    jobs_running=COUNT,
    jobs_queued=COUNT,
    server_version=WORD,
    problem=WORD,
)


def sent(message):
    """Returns the message as it arrives."""
    return type(message).FromString(message.SerializeToString())


@given(JOB)
def test_jobs_come_back_the_same(value):
    assert jobs.job_from_wire(sent(jobs.job_to_wire(value))) == value


@given(EVENT)
def test_events_come_back_the_same(value):
    assert jobs.event_from_wire(sent(jobs.event_to_wire(value))) == value


@given(WHAT)
def test_what_happened_is_told_without_number_and_time(value):
    message = jobs.what_to_wire(value)
    assert (message.sequence, message.HasField("time")) == (0, False)
    assert jobs.what_from_wire(sent(message)) == value


@given(TRIAL)
def test_trials_come_back_the_same(value):
    assert jobs.trial_from_wire(sent(jobs.trial_to_wire(value))) == value


@given(CLUSTER)
def test_the_clusters_status_comes_back_the_same(value):
    assert jobs.cluster_from_wire(sent(jobs.cluster_to_wire(value))) == value


def test_every_state_has_its_number():
    assert len(JobState) == len(pb.JobState.keys()) - 1
    for state in JobState:
        message = jobs.job_to_wire(JobStatus("", SPEC, state))
        assert pb.JobState.Name(message.state) == f"JOB_STATE_{state}"


def test_every_kind_of_event_is_known():
    kinds = {field.name for field in pb.Event.DESCRIPTOR.oneofs_by_name["what"].fields}
    known = {
        "job_state_changed",
        "search_state_changed",
        "runner_started",
        "runner_ended",
        "job_extended",
        "share_changed",
        "plan_step_committed",
        "measurement_recorded",
        "packet_attempted",
    }
    assert kinds == known


def test_a_newer_coordinators_event_is_passed_on_as_unknown():
    # Field 99 is none that this contract has.
    message = pb.Event.FromString(pb.Event(sequence=3).SerializeToString() + b"\x9a\x06\x00")
    assert jobs.event_from_wire(message) == Event(3, None, UnknownEvent())


@pytest.mark.parametrize("state", [0, 99])
def test_an_event_of_no_known_state_is_refused_by_field(state):
    with pytest.raises(TunerError) as caught:
        jobs.event_from_wire(pb.Event(job_state_changed=pb.JobStateChanged(state=state)))
    assert caught.value.violations[0].field == "state"
