"""What scikit-learn's estimators have in common as learners and as models."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from scipy.special import softmax
from sklearn.exceptions import ConvergenceWarning

from tuner.catalog import Value
from tuner.datasets.base import Features, Fold
from tuner.learners import arrays, skops_file
from tuner.learners.base import Device
from tuner.learners.models import ModelLearner
from tuner.learners.tables import Rows, Scale
from tuner.learners.threads import limited
from tuner.scoring import Predictions

_SCALE, _ABOUT = "scale.safetensors", {"mean": 1, "spread": 1, "labels": 1, "numbers": 1}

_NUMBERS = ("classes", "parameters", "temperature", "middle", "width")


@dataclass(frozen=True)
class EstimatorModel:
    """A fitted estimator with the scale of its inputs.

    Attributes:
        estimator: scikit-learn's.
        scale: Of the training part.
        labels: Shape (columns,): the classes that the estimator knows, as it orders them;
            empty where it predicts values.
        classes: Number of classes; those that training lacked get 0. 0 for values.
        parameters: Number of fitted parameters.
        temperature: What decisions are divided by where the estimator has no
            probabilities of its own; 0 where it has.
        middle: What is added to a value that the estimator predicts,
        width: after it was multiplied by this: targets were scaled, too.
        threads: Threads that predictions may use.
    """

    kind: ClassVar[str] = "estimator"

    estimator: Any
    scale: Scale
    labels: npt.NDArray[np.int64]
    classes: int
    parameters: int
    temperature: float = 0.0
    middle: float = 0.0
    width: float = 1.0
    threads: int = 1

    def predict(self, x: Features) -> Predictions:
        """Returns probabilities, shape (examples, classes), or values, shape (examples,)."""
        with limited(self.threads):
            table = self.scale(x)
            if not self.classes:
                values = np.asarray(self.estimator.predict(table), dtype=np.float64)
                return values * self.width + self.middle
            if self.temperature:
                known = softmax(decisions(self.estimator, table) / self.temperature, axis=1)
            else:
                known = self.estimator.predict_proba(table)
        found = np.zeros((len(x), self.classes))
        found[:, self.labels] = known
        # Some lose a bit or two on the way.
        return found / found.sum(axis=1, keepdims=True)

    def save(self, folder: Path) -> None:
        """Writes the estimator by skops and the scale as safetensors."""
        skops_file.write(folder, self.estimator)
        numbers = np.array([getattr(self, name) for name in _NUMBERS], dtype=np.float64)
        held = {"mean": self.scale.mean, "spread": self.scale.spread, "labels": self.labels}
        arrays.write(folder / _SCALE, {**held, "numbers": numbers})

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Returns the model that was saved there. Raises ValueError where it is damaged."""
        held = arrays.read(folder / _SCALE, _ABOUT)
        told = held["numbers"].astype(np.float64)
        if told.shape != (len(_NUMBERS),) or not np.isfinite(told).all():
            raise ValueError(f"{folder / _SCALE} is damaged: it lacks a number")
        numbers = dict(zip(_NUMBERS, told.tolist(), strict=True))
        scale = Scale(held["mean"].astype(np.float64), held["spread"].astype(np.float64))
        estimator = skops_file.read(folder, len(scale.mean))
        classes, parameters = int(numbers.pop("classes")), int(numbers.pop("parameters"))
        labels = held["labels"].astype(np.int64)
        if len(labels) and not (labels.min() >= 0 and labels.max() < classes):
            raise ValueError(f"{folder / _SCALE} is damaged: its labels are none of the classes")
        return cls(estimator, scale, labels, classes, parameters, **numbers)


class EstimatorLearner(ModelLearner):
    """A learner around a scikit-learn estimator: a family says which, and how large it is.

    Features, and values to be predicted, are scaled by the training part. What an estimator
    says of its convergence stays with it: a fit that needs more steps scores as it scores.
    """

    model: ClassVar[type[EstimatorModel]] = EstimatorModel

    @abstractmethod
    def estimator(self, setting: Mapping[str, Value], fold: Fold, x: Rows) -> Any:
        """Returns the estimator, not fitted, for scaled rows x."""

    @abstractmethod
    def size(self, estimator: Any) -> int:
        """Returns the number of parameters of a fitted estimator."""

    def temperature(
        self, setting: Mapping[str, Value], fold: Fold, x: Rows, device: Device
    ) -> float:
        """Returns what decisions are divided by; 0 where the estimator has probabilities."""
        return 0.0

    def train(self, setting: Mapping[str, Value], fold: Fold, device: Device) -> EstimatorModel:
        """Fits the estimator on the scaled rows."""
        with limited(device.threads), warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            scale = Scale.of(fold.x)
            x = scale(fold.x)
            temperature = self.temperature(setting, fold, x, device) if fold.classes else 0.0
            y: Any = fold.y
            middle, width = 0.0, 1.0
            if not fold.classes:
                middle, width = float(y.mean()), float(y.std()) or 1.0
                y = (y - middle) / width
            fitted = self.estimator(setting, fold, x).fit(x, y)
        labels = np.array(fitted.classes_ if fold.classes else (), dtype=np.int64)
        size, threads = self.size(fitted), device.threads
        return self.model(
            fitted, scale, labels, fold.classes, size, temperature, middle, width, threads
        )


def decisions(estimator: Any, x: Rows) -> npt.NDArray[np.float64]:
    """Returns how much speaks for each class that the estimator knows, (examples, columns)."""
    found: Any = estimator.decision_function(x)
    return found if found.ndim == 2 else np.stack([-found, found], axis=1)


def coefficients(estimator: Any) -> int:
    """Returns the number of a linear estimator's weights."""
    return int(np.size(estimator.coef_) + np.size(estimator.intercept_))
