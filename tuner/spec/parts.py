"""The parts of a spec that stand alone: how to split, tune, measure, spend and limit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)

from tuner import catalog
from tuner.errors import Violation
from tuner.spec.problems import Problems


class Part(BaseModel):
    """A part of a spec: unknown keys are refused, nothing changes once made."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, validate_default=True
    )


class Split(Part):
    """How the data is divided: test, and training and validation parts of the rest.

    Attributes:
        method: What belongs together and what comes first. "auto" is "predefined" where the
            data has its own test, "time" or "group" where it has times or groups, else
            "stratified" by class, or "random" where a number is predicted.
        test_fraction: Share set aside as the test where the data has no test part.
        validation_fraction: Share of the rest that tuning scores on.
        train_fraction: Share of the rest that each measuring replicate trains on.
        train_limit: Use at most this many examples outside the test (stratified).
    """

    method: Literal["auto", "stratified", "random", "group", "time", "predefined"] = "auto"
    test_fraction: float = Field(0.25, gt=0, lt=1)
    validation_fraction: float = Field(0.25, gt=0, lt=1)
    train_fraction: float = Field(0.9, gt=0, le=1)
    train_limit: int | None = Field(None, ge=10)


class Tuning(Part):
    """How the other hyperparameters are chosen at every level.

    Attributes:
        trials: Candidates tried at every level.
        generation: Candidates that one plan step proposes at once. The record
            depends on it, and never on the number of workers.
        sampler: Optuna's sampler.
        race: Tuning splits on which a level's best candidates are compared. All are
            scored on the first; the better half goes on to the next, and so on.
        retune: Whether every replicate gets a tuning run of its own. Only then is
            the claim about the tuned level, and not about one setting of it.
    """

    trials: int = Field(8, ge=1, le=10_000)
    generation: int = Field(4, ge=1, le=1_000)
    sampler: Literal["tpe", "gp", "cmaes", "genetic", "random"] = "tpe"
    race: int = Field(1, ge=1, le=100)
    retune: bool = False

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.retune and self.race > 1:
            problem = (
                f"can't be {self.race} where retune is on: each replicate then has a tuning "
                "split of its own; leave one of the two out"
            )
            raise Problems([Violation("race", problem)])
        return self


class Measuring(Part):
    """How often the chosen candidate is measured.

    Attributes:
        min_replicates: Fresh seeds that every level gets.
        max_replicates: Most that a level gets.
        batch: Replicates that one plan step adds to a level.
        predictions: Whether what is predicted of every test example is kept, so that the
            verdict can be taken again under another metric.
        footprint: Whether it is measured how long a model takes to predict and how large
            it is. It is wherever `limits` names either.
    """

    min_replicates: int = Field(4, ge=2, le=1_000)
    max_replicates: int = Field(20, ge=2, le=1_000)
    batch: int = Field(2, ge=1, le=100)
    predictions: bool = True
    footprint: bool = False

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.max_replicates < self.min_replicates:
            raise ValueError(
                f"max_replicates is {self.max_replicates}, less than min_replicates, "
                f"{self.min_replicates}; make it at least as large"
            )
        return self


def _list_of_text(value: object) -> object:
    """Refuses what YAML makes of a list without brackets, and of a space behind a colon."""
    if isinstance(value, str):
        raise ValueError(f"needs a list of conditions; write [{value}]")  # noqa: TRY004
    if isinstance(value, list | tuple):
        spaced = [
            Violation(f"[{place}]", f"write {name}:{strength}, without a space behind the colon")
            for place, item in enumerate(value)
            if isinstance(item, Mapping)
            for name, strength in item.items()
        ]
        if spaced:
            raise Problems(spaced)
    return value


def _canonical(names: tuple[str, ...]) -> tuple[str, ...]:
    """Returns conditions as they are written. Raises Problems of any that is none, or twice."""
    found: list[str] = []
    wrong: list[Violation] = []
    for place, text in enumerate(names):
        try:
            name = catalog.Condition.parse(text).name
        except ValueError as error:
            wrong.append(Violation(f"[{place}]", str(error)))
            continue
        if name in found:
            wrong.append(Violation(f"[{place}]", f"{name} is repeated; give each condition once"))
        found.append(name)
    if wrong:
        raise Problems(wrong)
    return tuple(found)


Conditions = Annotated[
    tuple[str, ...],
    BeforeValidator(_list_of_text),
    AfterValidator(_canonical),
    Field(max_length=32),
]
"""Conditions such as "pgd:0.1", each a perturbation of the catalog at a strength, or without."""


class Robustness(Part):
    """What is done to every learner to see what breaks it, beside measuring it undisturbed.

    Attributes:
        conditions: What every search is measured under.
        examples: Test examples that conditions are measured on at most, stratified and the
            same in every replicate, learner and condition.
        steps: Steps up the loss of `pgd` and `transfer`.
        queries: What `decision` may ask the model about each example.
    """

    conditions: Conditions = ()
    examples: int = Field(1_000, ge=10, le=1_000_000)
    steps: int = Field(20, ge=1, le=1_000)
    queries: int = Field(200, ge=10, le=100_000)

    @model_validator(mode="before")
    @classmethod
    def _from_list(cls, value: object) -> object:
        if isinstance(value, str):
            raise ValueError(f"needs a list of conditions; write [{value}]")  # noqa: TRY004
        return {"conditions": value} if isinstance(value, list | tuple) else value


class Limits(Part):
    """What a model must not exceed to be of use. A level that does is shown and not chosen.

    Attributes:
        latency_ms: Milliseconds that a prediction of one example may take.
        batch_latency_ms: Milliseconds that a prediction of 256 examples at once may take.
        model_mb: Megabytes (of a million bytes) that a saved model may have.
    """

    latency_ms: float | None = Field(None, gt=0)
    batch_latency_ms: float | None = Field(None, gt=0)
    model_mb: float | None = Field(None, gt=0)

    @property
    def any(self) -> bool:
        """Whether there is one."""
        return any(value is not None for value in self.model_dump().values())


class Resources(Part):
    """What a slot, the place where one packet runs, reserves.

    Attributes:
        cpus: Processor cores a slot.
        gpus: Devices a slot; may be a fraction.
        threads: Threads that a learner may use; fixes the results bit for bit.
        slots: Most slots at once; None is as many as fit.
        packet_timeout_seconds: A packet that takes longer is stopped.
        fuse: Most fits that one packet trains as one batched model, where the learner can.
        speculate: Whether idle slots run what is likely to be asked for next. It is billed,
            asked for or not, and changes no decision and no result.
    """

    cpus: float = Field(1.0, gt=0, le=1024)
    gpus: float = Field(0.0, ge=0, le=64)
    threads: int = Field(1, ge=1, le=1024)
    slots: int | None = Field(None, ge=1, le=100_000)
    packet_timeout_seconds: float = Field(3600.0, gt=0, le=30 * 86400)
    fuse: int = Field(1, ge=1, le=1024)
    speculate: bool = False

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.speculate and self.fuse > 1:
            problem = (
                f"can't be on where fuse is {self.fuse}: what trains together is decided with "
                "the step that asks for it, and not before; leave one of the two out"
            )
            raise Problems([Violation("speculate", problem)])
        return self


class Budget(Part):
    """Stops whatever the answer. What is reached first ends with what is known.

    Attributes:
        device_hours: Bill at which the job stops.
        wall_clock_hours: Time since it first ran at which the job stops.
        trials: Candidates, levels with their hyperparameters, that each search may
            try. A search that would need more ends; unlike the bill and the clock,
            this stops the same job at the same step every time.
    """

    device_hours: float | None = Field(None, gt=0)
    wall_clock_hours: float | None = Field(None, gt=0)
    trials: int | None = Field(None, ge=1)


class Notify(Part):
    """Who is told that the job has ended.

    Attributes:
        webhook: An address that is sent a POST with the job as JSON, until it answers 2xx.
    """

    webhook: str | None = Field(None, max_length=2_000)

    @field_validator("webhook")
    @classmethod
    def _address(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{value!r} is no http or https address")
        if parts.username or parts.password:
            raise ValueError("carries a password; put a secret path or query there instead")
        return value


class Worth(Part):
    """A price on device time: {gain: 0.01, device_hours: 40} is a point for 40 hours.

    Attributes:
        gain: The gain, in the metric's units,
        device_hours: that is worth as much as so many device-hours of one fit.
    """

    # Bounded, so that neither the price nor what levels cost at it leaves floating point.
    gain: float = Field(ge=1e-12, le=1e6)
    device_hours: float = Field(ge=1e-9, le=1e9)

    @property
    def price(self) -> float:
        """What a device-second must gain, in the metric's units."""
        return self.gain / (self.device_hours * 3600.0)
