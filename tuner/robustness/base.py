"""What a perturbation is: it is shown a victim and returns disturbed inputs, or a spoilt fold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from tuner.datasets.base import Features, Fold, Labels
from tuner.learners.base import Device, Model


@dataclass(frozen=True)
class Effort:
    """How hard is tried.

    Attributes:
        examples: Test examples that conditions are measured on at most.
        steps: Steps up the loss of attacks by gradients.
        queries: What an attack that sees nothing but answers may ask about each example.
    """

    examples: int = 1_000
    steps: int = 20
    queries: int = 200


@dataclass(frozen=True)
class Victim:
    """A model, and what is to be disturbed for it.

    Attributes:
        model: The model.
        x: Shape (examples, ...): undisturbed inputs; of a table no value is NaN.
        y: Shape (examples,): the truth.
        fold: What the model was trained on, or on the axis `samples` a beginning of: the
            replicate's own, as is its seed, the same for every level and learner.
    """

    model: Model
    x: Features
    y: Labels
    fold: Fold


@dataclass(frozen=True)
class Disturbed:
    """Disturbed inputs.

    Attributes:
        x: Shape (copies * examples, ...): all examples of the first copy, then of the next.
        copies: How often each example is there: a metric is its mean over them.
        note: What a reader should know, such as that gradients vanish; empty where nothing.
    """

    x: Features
    copies: int = 1
    note: str = ""


class Disturb(Protocol):
    """An attack or a corruption of inputs.

    It is deterministic on the CPU: what is random follows from `seed` alone. It never
    touches global random state, and never changes the victim.
    """

    def __call__(
        self, victim: Victim, strength: float, effort: Effort, seed: int, device: Device
    ) -> Disturbed:
        """Returns the inputs, disturbed.

        Args:
            victim: The model and its inputs.
            strength: In the perturbation's unit.
            effort: How hard to try.
            seed: Of all that is random: the same for every level and learner of a replicate.
            device: Where to run, and until when.

        Raises:
            TimedOutError: The deadline passed.
            ValueError: It can't be done to such a model or such inputs.
        """
        ...


class Spoil(Protocol):
    """A perturbation of what is trained on."""

    def __call__(self, fold: Fold, strength: float, seed: int) -> Fold:
        """Returns the fold with its training part spoilt; what is scored on stays as it is."""
        ...
