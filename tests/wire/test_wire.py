"""The wire: what goes over it comes back the same, and errors keep their fields."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wire_samples import ATTEMPT, CURVE, LEARNER_COMPARISON, MEASUREMENT, STEP, WORD, unhurried

from tuner.curve import Curve, CurveLevel, Gain, Needed
from tuner.errors import TunerError
from tuner.record import (
    Measurement,
    Outcome,
    Phase,
    make_setting,
)
from tuner.spec import JobSpec
from tuner.v1 import record_pb2, returns_pb2, spec_pb2
from tuner.wire import comparison, curve, names, pages, record
from tuner.wire.spec import spec_from_wire, spec_to_wire


@unhurried
@given(MEASUREMENT)
def test_measurements_come_back_the_same(value):
    assert record.measurement_from_wire(record.measurement_to_wire(value)) == value


def test_a_value_keeps_its_type():
    setting = make_setting({"a": 1, "b": 1.0, "c": True, "d": "1"})
    value = Measurement("i", "s", Phase.TUNING, 1, setting, 0, Outcome.COMPLETED)
    back = record.measurement_from_wire(record.measurement_to_wire(value)).setting
    assert [type(v) for _, v in back] == [int, float, bool, str]


@unhurried
@given(STEP)
def test_plan_steps_come_back_the_same(value):
    assert record.step_from_wire(record.step_to_wire(value)) == value


@unhurried
@given(ATTEMPT)
def test_packet_attempts_come_back_the_same(value):
    assert record.packet_attempt_from_wire(record.packet_attempt_to_wire(value)) == value


@unhurried
@given(CURVE)
def test_curves_come_back_the_same(value):
    message = returns_pb2.Curve.FromString(curve.curve_to_wire(value).SerializeToString())
    assert curve.curve_from_wire(message) == value


def test_what_is_unknown_is_not_nought():
    row = CurveLevel(1, 4, 0, 0.5, -math.inf, math.inf, forgone=math.inf)
    value = Curve("s", "cnn", "depth", "error", "minimize", 0.02, (row,), None)
    nought = replace(
        value,
        level_probabilities={},
        needed=Needed((None, 0), 0),
        knee=0.0,
        levels=(replace(row, forgone=0.0, margin_supported=0.0, standalone_device_seconds=0.0),),
    )
    for told in (value, nought):
        assert curve.curve_from_wire(curve.curve_to_wire(told)) == told
    assert curve.curve_from_wire(curve.curve_to_wire(value)).level_probabilities is None


def test_a_curve_of_an_older_coordinator_is_read_with_its_steps():
    value = Curve(
        "s",
        "cnn",
        "depth",
        "error",
        "minimize",
        0.02,
        (
            CurveLevel(1, 4, 0, 0.5),
            CurveLevel(2, 0, 4),  # every replicate failed
            CurveLevel(8, 4, 0, 0.2, gain=Gain(1, 8, 0.3, 0.1, 0.5, 3)),
        ),
        None,
    )
    message = curve.curve_to_wire(value)
    for name in ("design", "alpha", "needed", "costs"):
        message.ClearField(name)
    for name in ("below", "doublings"):
        message.levels[2].gain.ClearField(name)
    assert curve.curve_from_wire(message) == value


@unhurried
@given(LEARNER_COMPARISON)
def test_comparisons_of_learners_come_back_the_same(value):
    message = comparison.comparison_to_wire(value).SerializeToString()
    back = returns_pb2.LearnerComparison.FromString(message)
    assert comparison.comparison_from_wire(back) == value


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
            "tuning": {"trials": 3, "generation": 1, "sampler": "gp", "retune": True},
            "measuring": {"min_replicates": 5, "max_replicates": 6, "batch": 1},
            "resources": {"cpus": 2, "gpus": 0.5, "threads": 2, "slots": 3, "fuse": 8},
            "budget": {"device_hours": 1.5, "wall_clock_hours": 2, "trials": 60},
            "worth": {"gain": 0.01, "device_hours": 40},
            "baseline": None,
        },
        {"dataset": "digits", "searches": [{"learner": "cnn"}], "tuning": {"race": 3}},
        {"dataset": "digits", "searches": [{"learner": "cnn"}], "resources": {"speculate": True}},
    ],
)
def test_specs_come_back_the_same(data):
    spec = JobSpec.parse(data)
    message = spec_pb2.JobSpec.FromString(spec_to_wire(spec).SerializeToString())
    assert spec_from_wire(message) == spec


def test_a_spec_of_an_older_client_takes_the_defaults_of_what_it_does_not_know():
    spec = JobSpec.parse({"dataset": "digits", "searches": [{"learner": "cnn"}]})
    message = spec_to_wire(spec)
    message.tuning.ClearField("race")
    message.resources.ClearField("fuse")
    assert not message.HasField("worth")
    assert spec_from_wire(message) == spec


def test_half_a_price_is_refused_with_the_field_it_lacks():
    message = spec_to_wire(JobSpec.parse({"dataset": "digits", "searches": [{"learner": "cnn"}]}))
    message.worth.gain = 0.01
    with pytest.raises(TunerError) as caught:
        spec_from_wire(message)
    assert [v.field for v in caught.value.violations] == ["worth.device_hours"]


def test_an_empty_message_is_refused_with_the_fields_it_lacks():
    with pytest.raises(TunerError) as caught:
        spec_from_wire(spec_pb2.JobSpec())
    assert "searches" in {v.field for v in caught.value.violations}


@pytest.mark.parametrize("message", [record_pb2.Measurement(), record_pb2.Measurement(phase=99)])
def test_unset_and_unknown_enums_are_refused_by_field(message):
    with pytest.raises(TunerError) as caught:
        record.measurement_from_wire(message)
    assert caught.value.violations[0].field == "phase"


@unhurried
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
