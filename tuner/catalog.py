"""What can be asked for: learners, their axes and hyperparameters, data sources, metrics.

Pure data. It imports nothing of ours, so that a client can judge a job without
having anything that could run it. The learners' conformance suite proves that
their code agrees with what stands here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, TypeVar

Value = float | int | str | bool


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
    """

    name: str
    low: int
    high: int
    default_levels: tuple[int, ...]
    metric: str = "error"
    nested: bool = False
    description: str = ""


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
        fused: Hyperparameters in which the members of one batched model may differ,
            beside their replicates; empty where it can't train several as one. What
            plans packets reads it here: it isn't told over the wire.
    """

    name: str
    description: str
    axes: tuple[Axis, ...] = ()
    hyperparameters: Mapping[str, Hyperparameter] = field(default_factory=dict)
    baseline: bool = False
    listed: bool = True
    fused: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raises ValueError where a hyperparameter scales with what has no reference."""
        for name, known in self.hyperparameters.items():
            for axis in known.scaling if isinstance(known, Number) else ():
                if self.axis(axis) is None or self.reference(axis) is None:
                    raise ValueError(
                        f"{self.name}: {name} scales with {axis!r}, which must be an axis and "
                        "have a hyperparameter of its name, whose default is the reference"
                    )

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
    """

    name: str
    direction: Literal["minimize", "maximize"]
    description: str


@dataclass(frozen=True)
class Source:
    """Where data comes from.

    Attributes:
        name: The word before the colon.
        path: What stands behind the colon: nothing, a file or a folder.
        files: For a folder, the names (without ".gz") that belong to it.
        description: One line for people.
    """

    name: str
    path: Literal["none", "file", "folder"]
    description: str
    files: tuple[str, ...] = ()


_Named = TypeVar("_Named", Learner, Metric, Source)


def _by_name(*items: _Named) -> Mapping[str, _Named]:
    return MappingProxyType({item.name: item for item in items})


METRICS: Mapping[str, Metric] = _by_name(
    Metric("error", "minimize", "share of the test cases that are answered wrongly"),
    Metric("accuracy", "maximize", "share of the test cases that are answered rightly"),
    Metric("brier", "minimize", "squared distance of the probabilities from the truth, 0 to 2"),
    Metric("log_loss", "minimize", "mean negative log probability of the truth, in nats"),
)

SOURCES: Mapping[str, Source] = _by_name(
    Source("digits", "none", "1,797 handwritten digits of 8 by 8 pixels (scikit-learn's)"),
    Source("npz", "file", "a NumPy archive with x, y and, if it has its own test, x_test, y_test"),
    Source(
        "idx",
        "folder",
        "a folder in MNIST's IDX format, gzipped or not",
        files=(
            "train-images-idx3-ubyte",
            "train-labels-idx1-ubyte",
            "t10k-images-idx3-ubyte",
            "t10k-labels-idx1-ubyte",
        ),
    ),
)

LEARNERS: Mapping[str, Learner] = _by_name(
    Learner(
        "perceptron",
        "Rosenblatt's perceptron, one a class: the cheap baseline",
        hyperparameters={
            "passes": Number(
                1, 200, 20, log=True, integer=True, tuned=False, description="passes over the data"
            ),
            "averaged": Choice(
                (True, False), True, description="answer with the average of all weights seen"
            ),
            "learning_rate": Number(
                1e-4,
                1.0,
                1e-2,
                log=True,
                tuned=False,
                description="size of a correction; scales all weights, so it changes no answer",
            ),
        },
        baseline=True,
    ),
    Learner(
        "forest",
        "random forest; one fit scores every smaller forest",
        axes=(
            Axis(
                "trees",
                1,
                65_536,
                (1, 4, 16, 64, 256, 1024),
                metric="brier",
                nested=True,
                description="trees in the forest",
            ),
        ),
        hyperparameters={
            "max_features": Number(
                0.01,
                1.0,
                0.125,
                log=True,
                description="share of the features that a split looks at",
            ),
            "min_samples_leaf": Number(
                1, 64, 1, log=True, integer=True, description="fewest examples in a leaf"
            ),
            "bootstrap": Choice(
                (True, False), True, tuned=False, description="draw each tree's examples anew"
            ),
            "criterion": Choice(
                ("gini", "entropy"), "gini", tuned=False, description="what a split reduces"
            ),
        },
    ),
    Learner(
        "cnn",
        "plain stack of convolutions with normalisation, no shortcuts",
        axes=(
            Axis("depth", 1, 256, (1, 2, 4, 8), description="convolution layers"),
            Axis("filters", 1, 4096, (4, 8, 16, 32, 64), description="filters of the first stage"),
        ),
        hyperparameters={
            "learning_rate": Number(
                1e-4,
                1e-1,
                3e-3,
                log=True,
                description="peak of the schedule",
                scaling={"depth": -0.5, "filters": -0.5},
            ),
            "weight_decay": Number(1e-6, 1e-1, 1e-3, log=True, description="decoupled decay"),
            "dropout": Number(0.0, 0.6, 0.1, description="share dropped before the last layer"),
            "depth": Number(
                1, 256, 2, log=True, integer=True, tuned=False, description="convolution layers"
            ),
            "filters": Number(
                1,
                4096,
                16,
                log=True,
                integer=True,
                tuned=False,
                description="filters of the first stage",
            ),
            "epochs": Number(
                1, 1000, 8, log=True, integer=True, tuned=False, description="passes over the data"
            ),
            "batch_size": Number(
                8, 4096, 64, log=True, integer=True, tuned=False, description="examples a step"
            ),
        },
        fused=("learning_rate", "weight_decay", "dropout"),
    ),
    Learner(
        "simulated",
        "a returns curve that is known beforehand, for trying out policies and clusters",
        axes=(
            Axis("depth", 1, 1_048_576, (1, 2, 4, 8, 16), description="levels of the known curve"),
            Axis(
                "trees",
                1,
                1_048_576,
                (1, 2, 4, 8, 16),
                nested=True,
                description="the same, scored from one fit",
            ),
        ),
        hyperparameters={
            "learning_rate": Number(
                1e-4, 1.0, 1e-2, log=True, description="best at 0.01, quadratic in its log"
            ),
            "floor": Number(
                0.0, 1.0, 0.05, tuned=False, description="error that no capacity goes below"
            ),
            "gain": Number(-1.0, 1.0, 0.1, tuned=False, description="error saved by each doubling"),
            "plateau": Number(
                1, 1_048_576, 4, log=True, tuned=False, description="level where gains end"
            ),
            "noise": Number(
                0.0, 1.0, 0.005, tuned=False, description="standard deviation between replicates"
            ),
            "seconds": Number(
                0.0, 3600.0, 0.0, tuned=False, description="time that a fit takes at any level"
            ),
            "failures": Number(
                0.0, 1.0, 0.0, tuned=False, description="share of the fits that diverge"
            ),
        },
        listed=False,
    ),
)
