"""What a spec may say of a hyperparameter: fix it, narrow its range, list its values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    StrictBool,
    StrictInt,
    StrictStr,
    model_validator,
)

from tuner.catalog import Axis, Choice, Hyperparameter, Number, Value
from tuner.spec.scaling import moved

MAX_CHOICES = 256


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Fixed(_Frozen):
    """The hyperparameter stays at this value and is not tuned."""

    fixed: StrictBool | StrictInt | float | StrictStr


class Between(_Frozen):
    """The hyperparameter is tuned between these numbers."""

    low: float
    high: float

    @model_validator(mode="after")
    def _check(self) -> Between:
        if self.low >= self.high:
            raise ValueError(f"low, {self.low:g}, must be below high, {self.high:g}")
        return self


class Choices(_Frozen):
    """The hyperparameter is tuned over these values."""

    choices: tuple[StrictBool | StrictInt | float | StrictStr, ...]

    @model_validator(mode="after")
    def _check(self) -> Choices:
        if not self.choices or len(set(self.choices)) < len(self.choices):
            raise ValueError("choices must be a list of different values, at least one")
        if len(self.choices) > MAX_CHOICES:
            raise ValueError(f"{len(self.choices)} choices; give at most {MAX_CHOICES}")
        return self


def _read(value: object) -> object:
    """Reads the short forms: a bare value fixes; which keys a mapping has tells its kind."""
    if isinstance(value, bool | int | float | str):
        return Fixed(fixed=value)
    if isinstance(value, Mapping):
        for kind in (Fixed, Between, Choices):
            if set(value) == set(kind.model_fields):
                return kind.model_validate(value)
        raise ValueError(
            "give a value, {low: NUMBER, high: NUMBER}, or {choices: [VALUE, ...]}; "
            f"these keys are neither: {', '.join(map(str, value)) or 'none'}"
        )
    if isinstance(value, Fixed | Between | Choices):
        return value
    raise ValueError("give a value, {low: NUMBER, high: NUMBER}, or {choices: [VALUE, ...]}")


Range = Annotated[Fixed | Between | Choices, BeforeValidator(_read)]


def problem_with(entry: Fixed | Between | Choices, known: Hyperparameter) -> str | None:
    """Says what is wrong with an entry for this hyperparameter, or None."""
    if isinstance(known, Choice):
        allowed = ", ".join(map(repr, known.values))
        if isinstance(entry, Between):
            return f"is one of a few values, not a range; choose of {allowed}"
        for value in _values(entry):
            if not any(value == v and type(value) is type(v) for v in known.values):
                return f"can't be {value!r}; choose of {allowed}"
        return None
    kind = "a whole number" if known.integer else "a number"
    numbers = (entry.low, entry.high) if isinstance(entry, Between) else _values(entry)
    for number in numbers:
        if isinstance(number, bool | str) or (known.integer and number != int(number)):
            return f"can't be {number!r}; give {kind} from {known.low:g} to {known.high:g}"
        if not known.low <= number <= known.high:
            return f"can't be {number:g}; give {kind} from {known.low:g} to {known.high:g}"
    return None


def misfit(entry: Fixed | Between | Choices, axis: Axis | None) -> str | None:
    """Says what is wrong with an entry for what is an axis, too, or None.

    It is to be asked where `problem_with` found nothing.
    """
    if axis is None or axis.step == 1:
        return None
    if isinstance(entry, Between):
        steps = f"{axis.step}n+{axis.offset}"
        return f"a {axis.name} is {steps} here, and a range has others; give choices"
    numbers = (value for value in _values(entry) if not isinstance(value, str))
    return next(filter(None, map(axis.misfit, numbers)), None)


def _values(entry: Fixed | Choices) -> tuple[Value, ...]:
    return (entry.fixed,) if isinstance(entry, Fixed) else entry.choices


def narrowed(known: Hyperparameter, entry: Any, by: float = 1.0) -> Fixed | Hyperparameter:
    """Returns what the hyperparameter may be: a fixed value, or a range to tune in.

    Args:
        known: What the catalog allows.
        entry: What the spec says, already judged; None where it says nothing.
        by: What capacity multiplies the best value by. A tuned range moves with it, within
            what the catalog allows; of a range that the spec names only the default does.
    """
    if entry is None and not known.tuned:
        return Fixed(fixed=_typed(known, known.default))
    if by != 1 and isinstance(known, Number):
        known = moved(known, by)
    if entry is None:
        return known
    if isinstance(entry, Fixed):
        return Fixed(fixed=_typed(known, entry.fixed))
    if isinstance(entry, Choices):
        values = tuple(_typed(known, value) for value in entry.choices)
        return Fixed(fixed=values[0]) if len(values) == 1 else Choice(values, values[0])
    assert isinstance(known, Number)
    default = min(max(known.default, entry.low), entry.high)
    return Number(entry.low, entry.high, default, known.log, known.integer)


EDGE = 0.05
"""Share of a range, on the scale that it is searched on, that counts as its end."""


def edge_of(known: Hyperparameter, value: Value) -> float | None:
    """Returns the end of a range at which a value lies, beyond which a better one may.

    None within the range, for one of a few values, and at 0, beyond which there is
    nothing.
    """
    if not isinstance(known, Number) or isinstance(value, bool | str) or known.low == known.high:
        return None

    def scale(x: float) -> float:
        return math.log(x) if known.log else x

    low, high = scale(known.low), scale(known.high)
    place = (scale(value) - low) / (high - low)
    if place <= EDGE:
        return known.low if known.low != 0 else None
    return known.high if place >= 1 - EDGE else None


def _typed(known: Hyperparameter, value: Value) -> Value:
    """Returns the value in the hyperparameter's own type, so that 1 and 1.0 have one id."""
    if isinstance(known, Number) and not isinstance(value, bool | str):
        return int(value) if known.integer else float(value)
    return value
