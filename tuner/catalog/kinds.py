"""What the catalog is made of: learners, axes, hyperparameters, metrics, data sources."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Value = float | int | str | bool

Task = Literal["classification", "regression"]
"""What is predicted: one of a few classes, or a number."""

Inputs = Literal["images", "tables"]
"""What examples are: images, shape (channels, height, width), or rows of a table."""


@dataclass(frozen=True)
class Number:
    """A hyperparameter that is a number.

    Attributes:
        low: Smallest value allowed.
        high: Largest value allowed.
        default: The value where it is not tuned, and the first one tried where it is.
        log: Whether it is searched on a logarithmic scale.
        integer: Whether only whole numbers are allowed.
        tuned: Whether it is tuned unless the spec fixes it.
        description: One line for people.
        scaling: How its best value moves with capacity: exponents by the axis's name. It is
            multiplied by (new level / old level)**exponent; the default holds at the
            learner's `reference` on that axis. Not told over the wire: only who plans a
            search needs it.
    """

    low: float
    high: float
    default: float
    log: bool = False
    integer: bool = False
    tuned: bool = True
    description: str = ""
    scaling: Mapping[str, float] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        """Raises ValueError where it scales but leaves its default no room to move."""
        if self.scaling and (self.integer or not 0 < self.low < self.default < self.high):
            raise ValueError("what scales must be no whole number, with 0 < low < default < high")


@dataclass(frozen=True)
class Choice:
    """A hyperparameter that is one of a few values."""

    values: tuple[Value, ...]
    default: Value
    tuned: bool = True
    description: str = ""


Hyperparameter = Number | Choice


@dataclass(frozen=True)
class Axis:
    """A capacity that can be searched.

    Attributes:
        name: Its name, such as "depth".
        low: Smallest level allowed.
        high: Largest level allowed.
        default_levels: The ladder where the spec names none.
        metric: What its curve is judged on where the spec names none.
        nested: One fit of the largest level scores every smaller one.
        description: One line for people.
        step: What lies between a level and the next that there can be.
        offset: What is left of every level when it is divided by the step.
    """

    name: str
    low: int
    high: int
    default_levels: tuple[int, ...]
    metric: str = "error"
    nested: bool = False
    description: str = ""
    step: int = 1
    offset: int = 0

    def misfit(self, level: float) -> str | None:
        """Says why there is no such level between others that there are, and which are nearest."""
        below = level - (level - self.offset) % self.step
        if below == level:
            return None
        near = [near for near in (below, below + self.step) if self.low <= near <= self.high]
        return (
            f"{level:g} can't be a {self.name} here: it is {self.step}n+{self.offset}; "
            + " or ".join(f"{near:g}" for near in near)
            + " can"
        )


SAMPLES = Axis(
    "samples",
    2,
    1_000_000_000,
    (50, 100, 200, 400, 800),
    description="training examples",
)
"""The size of the training set: an axis of every learner. Larger ones hold the smaller."""


@dataclass(frozen=True)
class Learner:
    """A family of learners.

    Attributes:
        name: The name it is asked for by.
        description: One line for people.
        axes: The capacities that can be searched, the usual one first.
        hyperparameters: Everything else that can be set. A hyperparameter that
            bears the name of the searched axis gives way to it.
        baseline: Whether it is cheap enough to run beside every job.
        listed: Whether `tuner learners` shows it.
        tasks: What it can predict.
        fused: Hyperparameters in which the members of one batched model may differ,
            beside their replicates; empty where it can't train several as one. What
            plans packets reads it here: it isn't told over the wire.
        gradients: Whether its models tell the gradient of their loss by their inputs,
            which some attacks go by (`tuner.learners.base.Differentiable`).
    """

    name: str
    description: str
    axes: tuple[Axis, ...] = ()
    hyperparameters: Mapping[str, Hyperparameter] = field(default_factory=dict)
    baseline: bool = False
    listed: bool = True
    tasks: tuple[Task, ...] = ("classification",)
    fused: tuple[str, ...] = ()
    gradients: bool = False

    def __post_init__(self) -> None:
        """Raises ValueError where an axis has no default, or a hyperparameter no reference."""
        for axis in self.capacities if SAMPLES in self.axes else ():
            if self.reference(axis.name) is None:
                raise ValueError(
                    f"{self.name}: {axis.name} needs a hyperparameter of its name, whose default "
                    "holds where another axis is searched"
                )
        for name, known in self.hyperparameters.items():
            for scale in known.scaling if isinstance(known, Number) else ():
                if self.axis(scale) is None or not self.reference(scale):
                    raise ValueError(
                        f"{self.name}: {name} scales with {scale!r}, which must be an axis and "
                        "have a hyperparameter of its name, whose default is the reference"
                    )

    @property
    def capacities(self) -> tuple[Axis, ...]:
        """The axes that are its own: all but the size of the training set."""
        return tuple(axis for axis in self.axes if axis.name != SAMPLES.name)

    @property
    def usual_axis(self) -> str:
        """What is searched where nobody names an axis: its first capacity, "" without any."""
        return self.capacities[0].name if self.capacities else ""

    def axis(self, name: str) -> Axis | None:
        """Returns the axis of that name, or None where the learner hasn't it."""
        return next((axis for axis in self.axes if axis.name == name), None)

    def reference(self, axis: str) -> float | None:
        """Returns the level at which the defaults of the other hyperparameters hold.

        It is the default of the hyperparameter that bears the axis's name; None where
        the learner hasn't one.
        """
        known = self.hyperparameters.get(axis)
        return known.default if isinstance(known, Number) else None


@dataclass(frozen=True)
class Metric:
    """A score of predictions.

    Attributes:
        name: Its name.
        direction: Which way is better.
        description: One line for people.
        task: What it is a score of.
        span: Largest difference that two scores can have; inf where there is none.
        mean: Whether it is the mean of a value at each example.
    """

    name: str
    direction: Literal["minimize", "maximize"]
    description: str
    task: Task = "classification"
    span: float = math.inf
    mean: bool = True


@dataclass(frozen=True)
class Option:
    """Something that a data source is told beside its path.

    Attributes:
        kind: What its text must be; "names" is a comma between each two.
        description: One line for people.
        default: Its text where none is given; "" where there is none.
        low: Smallest number.
        high: Largest number.
        values: The values that a choice has.
        required: Whether it must be given.
    """

    kind: Literal["text", "names", "whole", "number", "choice"]
    description: str
    default: str = ""
    low: float = -math.inf
    high: float = math.inf
    values: tuple[str, ...] = ()
    required: bool = False


@dataclass(frozen=True)
class Source:
    """Where data comes from.

    Attributes:
        name: The word before the colon.
        path: What stands behind the colon: nothing, a file, a folder, or a name
            ("openml:61") that the cluster looks up itself.
        files: For a folder, the names (without ".gz") that belong to it; of an empty
            tuple any file may, in folders of its own.
        description: One line for people.
        options: What it can be told, by name.
        tasks: What can be predicted from it.
        inputs: What its examples are; empty where only the data tells.
    """

    name: str
    path: Literal["none", "file", "folder", "name"]
    description: str
    files: tuple[str, ...] = ()
    options: Mapping[str, Option] = field(default_factory=dict, hash=False)
    tasks: tuple[Task, ...] = ("classification",)
    inputs: Inputs | Literal[""] = ""


Group = Literal["attack", "corruption", "training"]
"""What is disturbed: inputs by someone who means harm, inputs by chance, or the training set."""


@dataclass(frozen=True)
class Perturbation:
    """A way to make it hard for a learner.

    Attributes:
        name: Its name.
        group: What is disturbed.
        description: One line for people.
        unit: What its strength is counted in.
        low: Smallest strength.
        high: Largest strength.
        default: The strength where none is named.
        integer: Whether strengths are whole numbers.
        inputs: What it can be done to.
        tasks: What may be predicted.
        gradients: Whether it goes by the model's own gradients.
    """

    name: str
    group: Group
    description: str
    unit: str
    low: float
    high: float
    default: float
    integer: bool = False
    inputs: tuple[Inputs, ...] = ("images", "tables")
    tasks: tuple[Task, ...] = ("classification",)
    gradients: bool = False
