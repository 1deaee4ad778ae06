"""Models to be attacked: trained ones, and some whose gradients lead nowhere."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from tuner.datasets import registry as datasets
from tuner.datasets.base import Features, Fold, Labels
from tuner.datasets.splits import Splits
from tuner.learners import registry as learners
from tuner.learners.base import Device, Model
from tuner.robustness.base import Victim
from tuner.search.tuning import default_setting
from tuner.spec import Search, Split


def fold_of(data: str = "digits", train: int = 400) -> Fold:
    return Splits(datasets.load(data), Split(train_limit=train), 0).measuring(0)


@functools.cache
def trained(learner: str, data: str = "digits", **setting: Any) -> Victim:
    """Returns a learner's model with its test, at its defaults but for some."""
    fold = fold_of(data)
    full = dict(default_setting(Search(learner, axis="samples").ranges())) | setting
    model = learners.get(learner).train(full, fold, Device())
    return Victim(model, fold.x_score, fold.y_score, fold)


def error(victim: Victim, x: Features) -> float:
    return float(np.mean(victim.model.predict(x).argmax(axis=1) != victim.y))


@dataclass(frozen=True)
class Made:
    """A model of two functions.

    Attributes:
        answers: Of inputs, the classes.
        slope: Of inputs and the truth, the gradient.
        asked: Every batch that was to be predicted.
    """

    kind: ClassVar[str] = "made"

    answers: Callable[[Features], Any]
    slope: Callable[[Features, Labels], Any]
    classes: int = 2
    asked: list[Features] = field(default_factory=list)

    @property
    def parameters(self) -> int:
        return 0

    def predict(self, x: Features) -> Any:
        self.asked.append(x.copy())
        return np.eye(self.classes)[np.asarray(self.answers(x), dtype=np.int64)]

    def gradient(self, x: Features, y: Labels) -> Any:
        return self.slope(x, y)

    def save(self, folder: Path) -> None:
        raise NotImplementedError

    @classmethod
    def load(cls, folder: Path) -> Made:
        raise NotImplementedError


def instead_of(model: Model, slope: Callable[[Features, Labels], Any], classes: int = 10) -> Made:
    """Returns a model that answers as the first does and tells another gradient."""
    return Made(lambda x: model.predict(x).argmax(axis=1), slope, classes)


def victim_of(model: Model, x: Any, y: Any, *, low: float = 0.0, high: float = 1.0) -> Victim:
    """Returns a table of one feature, whose training part has mean 0.5 and spread 0.5."""
    x = np.asarray(x, dtype=np.float32).reshape(-1, 1)
    train = np.array([[low], [high]], dtype=np.float32)
    y = np.asarray(y, dtype=np.int64)
    return Victim(model, x, y, Fold(0, 1, train, np.array([0, 1]), x, y, 2))
