"""The catalog's learners over the wire."""

from __future__ import annotations

from tuner.catalog import Axis, Choice, Hyperparameter, Learner, Number, Task
from tuner.errors import invalid
from tuner.v1 import spec_pb2 as pb
from tuner.wire.values import value_from_wire, value_to_wire


def learner_to_wire(learner: Learner) -> pb.Learner:
    """Returns the learner as a message. Only listed ones are told of."""
    return pb.Learner(
        name=learner.name,
        description=learner.description,
        axes=[_axis_to_wire(axis) for axis in learner.axes],
        hyperparameters=[
            _range_to_wire(name, known) for name, known in learner.hyperparameters.items()
        ],
        baseline=learner.baseline,
        tasks=learner.tasks,
        gradients=learner.gradients,
    )


def learner_from_wire(message: pb.Learner) -> Learner:
    """Returns the learner, but for `fused`, which no client needs.

    Raises:
        TunerError: INVALID_ARGUMENT: it is malformed.
    """
    ranges = {r.name: _range_from_wire(r) for r in message.hyperparameters}
    return Learner(
        name=message.name,
        description=message.description,
        axes=tuple(_axis_from_wire(axis) for axis in message.axes),
        hyperparameters=ranges,
        baseline=message.baseline,
        tasks=tuple(_task(name) for name in message.tasks) or ("classification",),
        gradients=message.gradients,
    )


def _task(name: str) -> Task:
    if name == "classification":
        return "classification"
    if name == "regression":
        return "regression"
    raise invalid("tasks", f"there is no task {name!r}; there are classification, regression")


def _axis_to_wire(axis: Axis) -> pb.Axis:
    return pb.Axis(
        name=axis.name,
        description=axis.description,
        low=axis.low,
        high=axis.high,
        default_levels=axis.default_levels,
        nested=axis.nested,
        default_metric=axis.metric,
        step=axis.step,
        offset=axis.offset,
    )


def _axis_from_wire(message: pb.Axis) -> Axis:
    return Axis(
        name=message.name,
        low=message.low,
        high=message.high,
        default_levels=tuple(message.default_levels),
        metric=message.default_metric,
        nested=message.nested,
        description=message.description,
        step=max(message.step, 1),
        offset=message.offset,
    )


def _range_to_wire(name: str, known: Hyperparameter) -> pb.HyperparameterRange:
    message = pb.HyperparameterRange(name=name, description=known.description, tuned=known.tuned)
    if isinstance(known, Number):
        message.between.CopyFrom(pb.NumberRange(low=known.low, high=known.high))
        message.log, message.integer = known.log, known.integer
        default = int(known.default) if known.integer else float(known.default)
        message.default_value.CopyFrom(value_to_wire(default))
    else:
        values = [value_to_wire(value) for value in known.values]
        message.choices.CopyFrom(pb.Choices(values=values))
        message.default_value.CopyFrom(value_to_wire(known.default))
    return message


def _range_from_wire(message: pb.HyperparameterRange) -> Hyperparameter:
    default = value_from_wire(message.default_value, message.name)
    kind = message.WhichOneof("range")
    if kind == "choices":
        values = tuple(value_from_wire(v, message.name) for v in message.choices.values)
        return Choice(values, default, message.tuned, message.description)
    if kind is None:
        raise invalid(message.name, "has no range; set between or choices")
    if isinstance(default, str):
        raise invalid(message.name, f"has the default {default[:50]!r}; it must be a number")
    return Number(
        low=message.between.low,
        high=message.between.high,
        default=float(default),
        log=message.log,
        integer=message.integer,
        tuned=message.tuned,
        description=message.description,
    )
