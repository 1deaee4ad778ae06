"""What a learner is: it is asked for a packet and yields a result a member."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Protocol, Self, runtime_checkable

from tuner import catalog
from tuner.catalog import Value
from tuner.datasets.base import Features, Fold, Labels
from tuner.record import Member, Outcome, Setting
from tuner.scoring import Predictions


@dataclass(frozen=True)
class Device:
    """Where a packet runs.

    Attributes:
        name: torch's name for it: "cpu", "cuda", "cuda:1".
        threads: Threads that the learner may use.
        deadline: When it must stop with TIMED_OUT, by the clock.
        clock: Returns seconds. `time.monotonic`, or one that stands still while others work.
        models: Whether results shall hand on their models, where that takes memory.
    """

    name: str = "cpu"
    threads: int = 1
    deadline: float = float("inf")
    clock: Callable[[], float] = field(default=time.monotonic, compare=False)
    models: bool = False

    def expired(self) -> bool:
        """Tells whether the deadline has passed. Learners ask between epochs or trees."""
        return self.clock() > self.deadline


@dataclass(frozen=True)
class Result:
    """What came of one member of a packet.

    Attributes:
        member: Which one.
        outcome: COMPLETED, or why not.
        predictions: Shape (examples to score, classes): probabilities; of a regression
            (examples to score,): values. None where it did not complete.
        train_predictions: The same on the training examples, or on the first
            2,000 of them; None where it did not complete.
        parameters: Fitted parameters (a forest: nodes).
        standalone_seconds: What this level costs alone, in seconds: nested
            levels cumulate up to their level; of fused members it is calibrated.
        error: Why it did not complete.
        scores: Scores where the learner knows them without predictions (the
            simulated one); metrics not in it are taken from predictions.
        model: The model that predicted, to be asked for more. It is of use until the next
            result is taken from the learner: what trains on has moved on then. None
            where it did not complete, and where none is handed on: `train` it then.
    """

    member: Member
    outcome: Outcome
    predictions: Predictions | None = None
    train_predictions: Predictions | None = None
    parameters: int = 0
    standalone_seconds: float = 0.0
    error: str = ""
    scores: Mapping[str, float] = field(default_factory=dict)
    model: Model | None = field(default=None, compare=False, repr=False)


class Model(Protocol):
    """A fitted model: what is asked for predictions, and what is exported.

    Attributes:
        kind: The name of its format, by which `saved.load` finds the class again.
    """

    kind: ClassVar[str]

    @property
    def parameters(self) -> int:
        """Number of fitted parameters (a forest: nodes)."""
        ...

    def predict(self, x: Features) -> Predictions:
        """Returns probabilities, shape (examples, classes), or values, shape (examples,)."""
        ...

    def save(self, folder: Path) -> None:
        """Writes the model into an empty folder, in a format that runs no code when read."""
        ...

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Returns a model that predicts what the saved one did.

        Raises:
            ValueError: The files are damaged, or hold what such a model hasn't.
        """
        ...


@runtime_checkable
class Differentiable(Model, Protocol):
    """A model that tells how its loss moves with its inputs; what attacks go by."""

    def gradient(self, x: Features, y: Labels) -> Features:
        """Returns the gradient of each example's loss by its own values, in the shape of x.

        The loss is the cross-entropy of the probabilities; of a regression the squared
        error. Only its direction counts: a positive factor of each example's own is free,
        and keeps gradients of very sure answers from vanishing.

        Args:
            x: Shape (examples, ...), as `predict` takes them.
            y: Shape (examples,): classes, or values.
        """
        ...


class Learner(Protocol):
    """A family of learners. Registered in `tuner.learners.registry`, described in the catalog.

    A learner is deterministic on the CPU: the same member on the same fold gives
    the same predictions bit for bit, whatever else is in the packet and
    whatever ran before in the process. It never touches global random state.

    One that the catalog says can fuse trains members of one shape as one batched
    model. Then the same packet gives the same bits, and a member that comes in
    another packet, or alone, gives the same predictions to the tolerance that its
    conformance suite states. A member alone with its shape is as if nothing fused.
    """

    @property
    def entry(self) -> catalog.Learner:
        """What the catalog says of it; a user's own learner brings its entry itself."""
        ...

    def problem_with(self, x: Features, classes: int) -> str | None:
        """Says why this data can't be learnt from and what could be, or None.

        The runner asks before it plans anything.

        Args:
            x: Training examples; shapes count, values may.
            classes: Number of classes; 0 where a number is predicted.
        """
        ...

    def train(self, setting: Mapping[str, Value], fold: Fold, device: Device) -> Model:
        """Fits one model, to be kept.

        It predicts what `evaluate` does of the same setting on the same fold, bit for
        bit on the CPU. What is raised is what `LoopingLearner.fit` raises.

        Args:
            setting: Every hyperparameter, the capacities among them.
            fold: The data; only the training part is read.
            device: Where to run.
        """
        ...

    def evaluate(
        self,
        axis: str,
        settings: Sequence[Setting],
        levels: Sequence[int],
        folds: Sequence[Fold],
        device: Device,
    ) -> Iterator[Result]:
        """Runs every setting at every level on every fold; yields each result once it is final.

        A member's failure is a result with its outcome and never ends the packet:
        NaN or infinite losses are DIVERGED, a passed deadline is TIMED_OUT, a
        MemoryError or the device's out-of-memory error is OUT_OF_MEMORY, any
        other exception is CRASHED with its text.

        Args:
            axis: The searched axis, one of the learner's capacities; "" where there is
                none. `samples` isn't one: `samples.evaluate` stands before the learner.
            settings: Complete hyperparameters, without the searched axis.
            levels: Rising levels of the axis; (1,) where there is none.
            folds: The replicates' data.
            device: Where to run.
        """
        ...


@runtime_checkable
class Transferring(Learner, Protocol):
    """A learner that can start from a model that was kept: `model` of a search."""

    def with_model(self, model: Model) -> Transferring:
        """Returns the learner with what it starts from.

        Raises:
            ValueError: It can't start from such a model; the message says from which.
        """
        ...

    def problem_with_levels(self, levels: Mapping[str, Collection[int]]) -> str | None:
        """Says why what it starts from can't have these levels, or None.

        Args:
            levels: By capacity, the levels that the search may ask for.
        """
        ...
