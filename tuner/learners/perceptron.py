"""Rosenblatt's perceptron (1958), one a class, and its averaged form (Freund & Schapire 1999)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt

from tuner.catalog import Value
from tuner.datasets.base import Features, Fold, Labels
from tuner.learners import arrays, uphill
from tuner.learners.base import Device
from tuner.learners.fits import TimedOutError
from tuner.learners.models import ModelLearner
from tuner.learners.threads import limited
from tuner.scoring import DivergedError, Predictions

Weights = npt.NDArray[np.float64]
"""Shape (classes, features + 1); the last column is the bias."""

_FILE = "perceptron.safetensors"

_STEPS_BETWEEN_LOOKS = 2_000
"""Examples shown before the deadline is looked at again: some tens of milliseconds."""


class Perceptron(ModelLearner):
    """One linear threshold unit a class, corrected whenever it is wrong.

    A perceptron answers with a class and no probabilities of its own: the rows
    are 1 for the answer and 0 elsewhere, so its Brier score is twice its error
    and its log loss counts only wrong answers, at the clipping's price.
    """

    name = "perceptron"

    def train(self, setting: Mapping[str, Value], fold: Fold, device: Device) -> PerceptronModel:
        """Trains on seeded shuffles of the fold."""
        # Weights that overflow are found at the end and reported as what they are.
        with limited(device.threads), np.errstate(over="ignore", invalid="ignore"):
            weights = train(
                _with_bias(fold.x),
                fold.y.astype(np.int64),
                fold.classes,
                learning_rate=float(setting["learning_rate"]),
                passes=int(setting["passes"]),
                averaged=bool(setting["averaged"]),
                seed=fold.seed,
                device=device,
            )
        return PerceptronModel(weights, device.threads)


@dataclass(frozen=True)
class PerceptronModel:
    """The weights.

    Attributes:
        weights: Shape (classes, features + 1).
        threads: Threads that predictions may use.
    """

    kind: ClassVar[str] = "perceptron"

    weights: Weights
    threads: int = 1

    @property
    def parameters(self) -> int:
        """The number of weights."""
        return self.weights.size

    def predict(self, x: Features) -> Predictions:
        """Returns 1 for the answer and 0 elsewhere, shape (examples, classes)."""
        with limited(self.threads):
            answers = (_with_bias(x) @ self.weights.T).argmax(axis=1)
        return np.eye(len(self.weights))[answers]

    def gradient(self, x: Features, y: Labels) -> Features:
        """Returns which way each example's loss rises; see `base.Differentiable`.

        The answers are steps, which have no slope: it is the cross-entropy of the softmax
        of the sums behind them.
        """
        with limited(self.threads):
            by_sums = uphill.by_scores(_with_bias(x) @ self.weights.T, y)
            return uphill.like(by_sums @ self.weights[:, :-1], x)

    def save(self, folder: Path) -> None:
        """Writes the weights as safetensors."""
        arrays.write(folder / _FILE, {"weights": self.weights})

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Returns the model that was saved there. Raises ValueError where it is damaged."""
        return cls(arrays.read(folder / _FILE, {"weights": 2})["weights"].astype(np.float64))


def train(
    x: npt.NDArray[np.float64],
    y: npt.NDArray[np.int64],
    classes: int,
    *,
    learning_rate: float,
    passes: int,
    averaged: bool,
    seed: int,
    device: Device,
) -> Weights:
    """Returns the weights after `passes` over the data, or their average over all steps.

    A pass without a mistake changes nothing, so none after it is run; the
    average counts the steps left out all the same.

    Args:
        x: Shape (examples, features + 1), the last column 1.
        y: Shape (examples,).
        classes: Number of classes.
        learning_rate: Size of a correction. From weights of zero it scales all
            weights alike and changes no answer.
        passes: Passes over the data.
        averaged: Whether to return the average of the weights after each step.
        seed: Of the shuffles.
        device: Whose deadline counts.

    Raises:
        TimedOutError: The deadline passed.
        DivergedError: The weights overflowed.
    """
    random = np.random.default_rng(seed)
    signs = np.where(y[:, np.newaxis] == np.arange(classes), 1.0, -1.0)
    weights = np.zeros((classes, x.shape[1]))
    # Each correction times the steps before it: total - this / steps is the average.
    early = np.zeros_like(weights)
    step, steps = 0, passes * len(x)
    for number in range(passes):
        mistakes = False
        for example in random.permutation(len(x)).tolist():
            if step % _STEPS_BETWEEN_LOOKS == 0 and device.expired():
                raise TimedOutError(f"{number} of {passes} passes")
            row, sign = x[example], signs[example]
            for wrong in np.flatnonzero((weights @ row) * sign <= 0).tolist():
                mistakes = True
                correction = learning_rate * sign[wrong] * row
                weights[wrong] += correction
                if averaged:
                    correction *= step
                    early[wrong] += correction
            step += 1
        if not mistakes:
            break
    if averaged:
        weights -= early / steps
    if not np.isfinite(weights).all():
        raise DivergedError("a weight is NaN or infinite")
    return weights


def _with_bias(x: Features) -> npt.NDArray[np.float64]:
    rows = x.reshape(len(x), -1).astype(np.float64)
    return np.hstack([rows, np.ones((len(rows), 1))])
