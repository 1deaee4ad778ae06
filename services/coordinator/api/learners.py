"""The catalog of learners as messages."""

from __future__ import annotations

from tuner import catalog
from tuner.v1 import spec_pb2
from tuner.v1 import tuner_service_pb2 as pb
from tuner.wire.spec import value_to_wire


def learner_to_wire(learner: catalog.Learner) -> pb.Learner:
    """Returns the learner as a message."""
    return pb.Learner(
        name=learner.name,
        description=learner.description,
        axes=[_axis_to_wire(axis) for axis in learner.axes],
        hyperparameters=[
            _range_to_wire(name, known) for name, known in learner.hyperparameters.items()
        ],
        baseline=learner.baseline,
    )


def _axis_to_wire(axis: catalog.Axis) -> pb.Axis:
    return pb.Axis(
        name=axis.name,
        description=axis.description,
        low=axis.low,
        high=axis.high,
        default_levels=axis.default_levels,
        nested=axis.nested,
        default_metric=axis.metric,
    )


def _range_to_wire(name: str, known: catalog.Hyperparameter) -> pb.HyperparameterRange:
    message = pb.HyperparameterRange(name=name, description=known.description, tuned=known.tuned)
    if isinstance(known, catalog.Number):
        message.between.CopyFrom(spec_pb2.NumberRange(low=known.low, high=known.high))
        message.log, message.integer = known.log, known.integer
        default = int(known.default) if known.integer else float(known.default)
        message.default_value.CopyFrom(value_to_wire(default))
    else:
        values = [value_to_wire(value) for value in known.values]
        message.choices.CopyFrom(spec_pb2.Choices(values=values))
        message.default_value.CopyFrom(value_to_wire(known.default))
    return message
