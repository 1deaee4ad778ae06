"""Values and hyperparameters over the wire."""

from __future__ import annotations

from typing import Any

from tuner.catalog import Value
from tuner.errors import invalid
from tuner.record import Setting, make_setting
from tuner.v1 import spec_pb2 as pb


def value_to_wire(value: Value) -> pb.Value:
    """Returns the value in the field of its own type."""
    if isinstance(value, bool):
        return pb.Value(bool_value=value)
    if isinstance(value, int):
        return pb.Value(int_value=value)
    if isinstance(value, float):
        return pb.Value(float_value=value)
    return pb.Value(string_value=value)


def value_from_wire(message: pb.Value, field: str = "value") -> Value:
    """Returns the value. Raises TunerError, INVALID_ARGUMENT, where none is set."""
    kind = message.WhichOneof("kind")
    if kind is None:
        raise invalid(field, "has no value; set one of its kinds")
    value: Value = getattr(message, kind)
    return value


def setting_to_wire(setting: Setting) -> list[pb.Hyperparameter]:
    """Returns the hyperparameters in their canonical order."""
    return [pb.Hyperparameter(name=n, value=value_to_wire(v)) for n, v in setting]


def setting_from_wire(messages: Any) -> Setting:
    """Returns the setting of repeated Hyperparameter messages."""
    return make_setting({m.name: value_from_wire(m.value, m.name) for m in messages})
