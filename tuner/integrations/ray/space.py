"""What may be tuned, as Ray Tune or Optuna say it and as policies read it."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from ray.tune.search.sample import (
    Categorical,
    Domain,
    Float,
    Integer,
    LogUniform,
    Quantized,
    Uniform,
)
from ray.tune.search.variant_generator import parse_spec_vars

from tuner.catalog import Choice, Hyperparameter, Number, Value
from tuner.curve import Curve
from tuner.record import Setting, make_setting

_DIGITS = 12
"""Multiples of a step are told to so many digits: 3 * 0.1 is 0.3."""


@dataclass(frozen=True)
class Parameter:
    """A hyperparameter as policies tune it, and the way back to what a trainable is given.

    Attributes:
        range: What policies choose from. Where there are steps or options they choose
            a number: how many steps, or which option.
        step: What such a number is multiplied with; None where there are no steps.
        base: What is added then.
        options: What there is to choose from where that isn't plain values; else empty.
    """

    range: Hyperparameter
    step: float | None = None
    base: float = 0
    options: tuple[Any, ...] = ()

    def decode(self, value: Value) -> Any:
        """Returns what the trainable is given for what a policy chose."""
        if self.options:
            return self.options[int(value)]
        if self.step is None:
            return value
        found = self.base + int(value) * self.step
        return found if isinstance(found, int) else float(f"{found:.{_DIGITS}g}")

    def starting_at(self, value: Any) -> Parameter:
        """Returns the parameter with another value to begin with.

        Raises:
            ValueError: It isn't one of those that the parameter can have.
        """
        if isinstance(self.range, Choice):
            known = self.options or self.range.values
            for index, option in enumerate(known):
                if option == value and type(option) is type(value):
                    code: Value = index if self.options else value
                    return replace(self, range=replace(self.range, default=code))
            raise ValueError(f"can't be {value!r}; choose of {', '.join(map(repr, known))}")
        number_given = isinstance(value, int | float) and not isinstance(value, bool)
        if not number_given:
            raise ValueError(f"can't be {value!r}; give a number")
        number = value if self.step is None else round((value - self.base) / self.step)
        exact = math.isclose(self.decode(number), value, rel_tol=1e-9, abs_tol=1e-12)
        whole = not self.range.integer or number == int(number)
        if not (self.range.low <= number <= self.range.high and exact and whole):
            low, high = self.decode(self.range.low), self.decode(self.range.high)
            what = "a whole number" if self.range.integer and self.step is None else "a number"
            steps = "" if self.step is None else f" in steps of {self.step:g}"
            raise ValueError(f"can't be {value!r}; give {what} from {low:g} to {high:g}{steps}")
        return replace(self, range=replace(self.range, default=number))


@dataclass(frozen=True)
class Space:
    """All that may be tuned, by name; "net/rate" is the rate in config["net"].

    Attributes:
        parameters: What is tuned.
        constants: What is given to every trial as it is, in dicts as it was written.
    """

    parameters: Mapping[str, Parameter]
    constants: Mapping[str, Any]

    @property
    def ranges(self) -> dict[str, Hyperparameter]:
        """What policies choose from."""
        return {name: p.range for name, p in self.parameters.items()}

    def decode(self, setting: Setting) -> dict[str, Any]:
        """Returns what a trainable is given for a setting that a policy chose."""
        return {
            name: self.parameters[name].decode(value)
            for name, value in setting
            if name in self.parameters
        }

    def shown(self, curve: Curve) -> Curve:
        """Returns a curve whose levels show what trainables were given, as text if not plain."""
        levels = []
        for row in curve.levels:
            values = self.decode(row.setting)
            setting = {k: v if _is_plain(v) else str(v) for k, v in values.items()}
            levels.append(replace(row, setting=make_setting(setting)))
        return replace(curve, levels=tuple(levels))

    def starting_at(self, start: Mapping[str, Any]) -> Space:
        """Returns the space with other values to begin with.

        Raises:
            ValueError: It isn't tuned, or can't have that value; it names which.
        """
        parameters = dict(self.parameters)
        for name, value in start.items():
            if name not in parameters:
                names = ", ".join(sorted(parameters)) or "nothing"
                raise ValueError(f"start: {name!r} isn't tuned; there is {names}")
            try:
                parameters[name] = parameters[name].starting_at(value)
            except ValueError as error:
                raise ValueError(f"start: {name!r} {error}") from None
        return replace(self, parameters=parameters)


def read_space(space: Mapping[str, Any], set_elsewhere: Collection[str] = ()) -> Space:
    """Reads a space as Ray Tune's users write it, with Optuna's distributions, too.

    Args:
        space: Keys of the config, dicts in dicts, to what each may be.
        set_elsewhere: Keys that aren't the space's to tune.

    Raises:
        ValueError: Something of it can't be tuned; it names what and says why.
    """
    resolved, domains, grids = parse_spec_vars(dict(space))
    parameters = {}
    for path, value in [*resolved, *domains, *grids]:
        if not isinstance(value, Domain | BaseDistribution):
            continue
        name = "/".join(map(str, path))
        if not all(isinstance(part, str) and "/" not in part for part in path):
            raise ValueError(f"{name!r} is within a list or has a slash in its name; rename it")
        if name in set_elsewhere:
            raise ValueError(f"{name!r} is set by the search itself; leave it out of the space")
        try:
            parameters[name] = _of_ray(value) if isinstance(value, Domain) else _of_optuna(value)
        except ValueError as error:
            raise ValueError(f"{name!r} {error}") from None
    return Space(dict(sorted(parameters.items())), _constants(space))


def _constants(space: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the space without what is tuned."""
    found: dict[str, Any] = {}
    for name, value in space.items():
        if isinstance(value, Domain | BaseDistribution) or _is_grid(value):
            continue
        found[name] = _constants(value) if isinstance(value, Mapping) else value
    return found


def _is_grid(value: Any) -> bool:
    return isinstance(value, Mapping) and set(value) == {"grid_search"}


def _of_ray(domain: Any) -> Parameter:
    sampler = domain.get_sampler()
    step = None
    if isinstance(sampler, Quantized):
        step, sampler = sampler.q, sampler.get_sampler()
    if isinstance(domain, Categorical):
        if domain.is_grid():
            raise ValueError("is a grid; give tune.choice, and the levels to ReturnsSearch")
        return _choice(domain.categories)
    numeric = isinstance(domain, Float | Integer)
    if not (numeric and isinstance(sampler, Uniform | LogUniform)):
        raise ValueError("has no bounds to tune between; give tune.uniform or another with both")
    log = isinstance(sampler, LogUniform)
    if isinstance(domain, Integer):
        # Ray's whole numbers end before the upper bound, but for steps above 1.
        top = domain.upper if step not in (None, 1) else domain.upper - 1
        if step in (None, 1):
            return Parameter(_number(domain.lower, top, log, integer=True))
        low, high = math.ceil(domain.lower / step), math.floor(top / step)
        return Parameter(_number(low, high, log, integer=True), step)
    if step is None:
        return Parameter(_number(domain.lower, domain.upper, log))
    low, high = round(domain.lower / step), round(domain.upper / step)
    return Parameter(_number(low, high, log, integer=True), float(step))


def _of_optuna(distribution: Any) -> Parameter:
    if isinstance(distribution, CategoricalDistribution):
        return _choice(distribution.choices)
    numeric = isinstance(distribution, FloatDistribution | IntDistribution)
    if not numeric:
        raise ValueError(f"is {distribution!r}, which can't be tuned; give a float, int or choice")
    low, high, step = distribution.low, distribution.high, distribution.step
    if isinstance(distribution, IntDistribution) and step == 1:
        return Parameter(_number(low, high, distribution.log, integer=True))
    if step is None:
        return Parameter(_number(low, high, distribution.log))
    return Parameter(_number(0, round((high - low) / step), log=False, integer=True), step, low)


def _number(low: float, high: float, log: bool, integer: bool = False) -> Number:
    """Returns a range that begins in its middle."""
    if not low <= high or (log and low <= 0):
        raise ValueError(f"goes from {low:g} to {high:g}; give bounds that hold a value")
    middle = math.sqrt(low * high) if log else (low + high) / 2
    return Number(low, high, round(middle) if integer else middle, log, integer)


def _choice(values: Sequence[Any]) -> Parameter:
    if not values:
        raise ValueError("has nothing to choose from; give at least one value")
    if all(map(_is_plain, values)) and len(set(values)) == len(values):
        return Parameter(Choice(tuple(values), values[0]))
    # Lists, None, or 1 beside True: policies choose by their place.
    return Parameter(Choice(tuple(range(len(values))), 0), options=tuple(values))


def _is_plain(value: Any) -> bool:
    return isinstance(value, bool | int | float | str)
