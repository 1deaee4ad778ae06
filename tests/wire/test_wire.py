"""The wire: what goes over it comes back the same, and errors keep their fields."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wire_samples import ATTEMPT, MEASUREMENT, STEP, WORD

from tuner.curve import Curve, CurveLevel, Gain, SearchState, Verdict, VerdictOutcome
from tuner.errors import TunerError
from tuner.record import (
    Comparison,
    Measurement,
    Outcome,
    Phase,
    make_setting,
)
from tuner.spec import JobSpec
from tuner.v1 import record_pb2, spec_pb2
from tuner.wire import curve, names, pages, record
from tuner.wire.spec import spec_from_wire, spec_to_wire


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
            CurveLevel(2, 4, 0, 0.4, 0.3, 0.5, Gain(1, 2, 0.1, 0.0, 0.2, 1.0), 0.3, 1.0, 2.0, 3),
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
