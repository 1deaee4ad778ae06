"""Learners come back from the wire as the catalog has them, but for what only planning needs."""

from dataclasses import replace

import pytest

from tuner.catalog import LEARNERS, Number
from tuner.errors import TunerError
from tuner.v1 import spec_pb2 as pb
from tuner.wire.catalog import learner_from_wire, learner_to_wire


@pytest.mark.parametrize("name", LEARNERS)
def test_every_learner_comes_back_the_same(name):
    message = pb.Learner.FromString(learner_to_wire(LEARNERS[name]).SerializeToString())
    # How ranges move with capacity isn't told: only who plans a search needs it.
    told = {
        name: replace(known, scaling={}) if isinstance(known, Number) else known
        for name, known in LEARNERS[name].hyperparameters.items()
    }
    expected = replace(LEARNERS[name], listed=True, fused=(), hyperparameters=told)
    assert learner_from_wire(message) == expected


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        (pb.HyperparameterRange(), "no value"),
        (pb.HyperparameterRange(default_value=pb.Value(int_value=1)), "no range"),
        (
            pb.HyperparameterRange(
                default_value=pb.Value(string_value="x"),
                between=pb.NumberRange(low=0, high=1),
            ),
            "must be a number",
        ),
    ],
)
def test_a_malformed_range_is_refused_by_name(entry, problem):
    entry.name = "learning_rate"
    with pytest.raises(TunerError, match=problem) as caught:
        learner_from_wire(pb.Learner(name="x", hyperparameters=[entry]))
    assert caught.value.violations[0].field == "learning_rate"
