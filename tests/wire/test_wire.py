"""The wire: what goes over it comes back the same, and errors keep their fields."""

import math
import string
from datetime import UTC, datetime

import pytest
from google.rpc import status_pb2
from hypothesis import given
from hypothesis import strategies as st

from tuner.curve import Curve, CurveLevel, Gain, SearchState, Verdict, VerdictOutcome
from tuner.errors import Status, TunerError, Violation
from tuner.record import (
    Comparison,
    Conclusion,
    Look,
    Measurement,
    Outcome,
    Packet,
    PacketAttempt,
    PacketOutcome,
    Phase,
    PlanStep,
    StepKind,
    make_setting,
)
from tuner.spec import JobSpec
from tuner.v1 import record_pb2, spec_pb2
from tuner.wire import curve, errors, names, pages, record
from tuner.wire.spec import spec_from_wire, spec_to_wire

WORD = st.text(string.ascii_letters + "/_:", min_size=1, max_size=12)
NUMBER = st.floats(allow_nan=False)
VALUE = (
    st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | NUMBER
    | st.text(max_size=5).filter(lambda t: t.isprintable())
)
SETTING = st.dictionaries(WORD, VALUE, max_size=4).map(make_setting)
LEVEL = st.integers(1, 2**40)
TIME = st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))

MEASUREMENT = st.builds(
    Measurement,
    id=WORD,
    search=WORD,
    phase=st.sampled_from(Phase),
    level=LEVEL,
    setting=SETTING,
    replicate=st.integers(0, 1000),
    outcome=st.sampled_from(Outcome),
    scores=st.dictionaries(WORD, NUMBER, max_size=3),
    train_scores=st.dictionaries(WORD, NUMBER, max_size=3),
    parameters=st.integers(0, 2**40),
    standalone_device_seconds=NUMBER,
    billed_device_seconds=NUMBER,
    error=WORD,
    packet=WORD,
    packet_attempt=st.integers(0, 9),
    record_time=st.none() | TIME,
)
COMPARISON = st.builds(Comparison, LEVEL, LEVEL, st.integers(0, 99), NUMBER, NUMBER, NUMBER)
PACKET = st.builds(
    Packet,
    id=WORD,
    phase=st.sampled_from(Phase),
    settings=st.lists(SETTING, max_size=2).map(tuple),
    levels=st.lists(LEVEL, max_size=3).map(tuple),
    replicates=st.lists(st.integers(0, 99), max_size=3).map(tuple),
)


def step(kind: StepKind, conclusion: Conclusion, **parts) -> PlanStep:
    return PlanStep(
        kind=kind, conclusion=conclusion if kind is StepKind.CONCLUDE else None, **parts
    )


STEP = st.builds(
    step,
    kind=st.sampled_from(StepKind),
    conclusion=st.sampled_from(Conclusion),
    search=WORD,
    number=st.integers(1, 10**6),
    decision=WORD,
    policy=WORD,
    packets=st.lists(PACKET, max_size=2).map(tuple),
    look=st.none()
    | st.builds(Look, st.integers(0, 99), WORD, st.lists(COMPARISON, max_size=2).map(tuple)),
)
ATTEMPT = st.builds(
    PacketAttempt,
    packet=WORD,
    number=st.integers(1, 9),
    runner_attempt=st.integers(1, 9),
    node=WORD,
    device_type=WORD,
    start_time=TIME,
    end_time=TIME,
    billed_device_seconds=NUMBER,
    outcome=st.sampled_from(PacketOutcome),
    error=WORD,
)


@given(MEASUREMENT)
def test_measurements_come_back_the_same(value):
    assert record.measurement_from_wire(record.measurement_to_wire(value)) == value


def test_a_value_keeps_its_type():
    setting = make_setting({"a": 1, "b": 1.0, "c": True, "d": "1"})
    value = Measurement("i", "s", Phase.TUNING, 1, setting, 0, Outcome.COMPLETED)
    back = record.measurement_from_wire(record.measurement_to_wire(value)).setting
    assert [type(v) for _, v in back] == [int, float, bool, str]


@given(STEP)
def test_plan_steps_come_back_the_same(value):
    assert record.step_from_wire(record.step_to_wire(value)) == value


@given(ATTEMPT)
def test_packet_attempts_come_back_the_same(value):
    assert record.packet_attempt_from_wire(record.packet_attempt_to_wire(value)) == value


def test_curves_come_back_the_same():
    value = Curve(
        search="cnn/depth",
        learner="cnn",
        axis="depth",
        metric="error",
        direction="minimize",
        margin=0.02,
        levels=(
            CurveLevel(1, 4, 1, 0.5, -math.inf, math.inf, None, None, 1.0, 2.0, 3),
            CurveLevel(2, 4, 0, 0.4, 0.3, 0.5, Gain(0.1, 0.0, 0.2, 0.1), 0.3, 1.0, 2.0, 3),
            CurveLevel(4, 0, 4),
        ),
        verdict=Verdict(VerdictOutcome.INCONCLUSIVE, None, "why", (1, 2), ("more",)),
        comparisons=(Comparison(1, 2, 4, 0.1, -math.inf, math.inf),),
        notes=("a note",),
        unmeasured=(8,),
        state=SearchState.RUNNING,
        state_reason="because",
        sequence=7,
        analysis_version="1",
    )
    assert curve.curve_from_wire(curve.curve_to_wire(value)) == value


@pytest.mark.parametrize(
    "data",
    [
        {"dataset": "digits", "searches": [{"learner": "cnn"}, {"learner": "forest"}]},
        {
            "name": "all of it",
            "namespace": "team-a",
            "dataset": {
                "source": "npz",
                "path": "x.npz",
                "files": [{"name": "x.npz", "sha256": "0" * 64, "size_bytes": 3}],
            },
            "split": {"test_fraction": 0.2, "train_limit": 6000},
            "margin": 0.005,
            "alpha": 0.1,
            "patience": 1,
            "metric": "accuracy",
            "seed": 2**62,
            "searches": [
                {
                    "learner": "cnn",
                    "axis": "filters",
                    "levels": [2, 4],
                    "space": {
                        "learning_rate": {"low": 0.001, "high": 0.01},
                        "depth": 3,
                        "batch_size": {"choices": [32, 64]},
                    },
                    "key": "wide",
                }
            ],
            "tuning": {"trials": 3, "generation": 1, "sampler": "gp"},
            "measuring": {"min_replicates": 5, "max_replicates": 6, "batch": 1},
            "resources": {"cpus": 2, "gpus": 0.5, "threads": 2, "slots": 3},
            "budget": {"device_hours": 1.5, "wall_clock_hours": 2},
            "baseline": None,
        },
    ],
)
def test_specs_come_back_the_same(data):
    spec = JobSpec.parse(data)
    message = spec_pb2.JobSpec.FromString(spec_to_wire(spec).SerializeToString())
    assert spec_from_wire(message) == spec


def test_an_empty_message_is_refused_with_the_fields_it_lacks():
    with pytest.raises(TunerError) as caught:
        spec_from_wire(spec_pb2.JobSpec())
    assert "searches" in {v.field for v in caught.value.violations}


@pytest.mark.parametrize("message", [record_pb2.Measurement(), record_pb2.Measurement(phase=99)])
def test_unset_and_unknown_enums_are_refused_by_field(message):
    with pytest.raises(TunerError) as caught:
        record.measurement_from_wire(message)
    assert caught.value.violations[0].field == "phase"


@given(WORD, st.text(max_size=20))
def test_page_tokens_serve_only_their_own_request(key, request):
    token = pages.make_token(key, "jobs", request)
    assert pages.read_token(token, "jobs", request) == key
    for wrong in (token[:-2], "x", token.swapcase()):
        if wrong != token:
            with pytest.raises(TunerError):
                pages.read_token(wrong, "jobs", request)
    with pytest.raises(TunerError):
        pages.read_token(token, "trials", request)


def test_job_names_are_read_and_written_in_one_form():
    name = names.JobName.parse("namespaces/team-a/jobs/digits-7f3k2a")
    assert (name.namespace, name.job) == ("team-a", "digits-7f3k2a")
    assert str(name) == "namespaces/team-a/jobs/digits-7f3k2a"
    for wrong in ("", "jobs/x", "namespaces/-/jobs/x", "namespaces/a/jobs/../b", "namespaces/a/"):
        with pytest.raises(TunerError, match="name"):
            names.JobName.parse(wrong)


def test_errors_carry_reason_domain_and_fields():
    error = TunerError(
        Status.INVALID_ARGUMENT, "INVALID_SPEC", "no", [Violation("margin", "too large")]
    )
    status = errors.to_status(error)
    again = status_pb2.Status.FromString(status.SerializeToString())
    assert again.code == 3
    assert [d.TypeName() for d in again.details] == [
        "google.rpc.ErrorInfo",
        "google.rpc.BadRequest",
    ]
