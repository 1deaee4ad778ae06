"""Gradient boosting on histograms (Friedman 2001; Ke et al. 2017), by scikit-learn."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from tuner.catalog import Value
from tuner.datasets.base import Features, Fold
from tuner.learners import arrays, skops_file
from tuner.learners.base import Device
from tuner.learners.fits import (
    TRAIN_SCORED,
    Fitted,
    LoopingLearner,
    TimedOutError,
    UnsuitableDataError,
)
from tuner.learners.tables import Rows, rows
from tuner.learners.threads import limited
from tuner.record import seed_of
from tuner.scoring import Predictions

_FILE, _ABOUT = "boosting.safetensors", {"labels": 1, "numbers": 1}

_ROUNDS_AT_ONCE = 16
"""Rounds between the first looks at the deadline."""

_PREDICTOR = "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor"
"""What skops doesn't trust, for it would follow any number as a node's; here it is judged."""


class Boosting(LoopingLearner):
    """Trees that each correct what those before them got wrong.

    A round adds a tree, of more than two classes one each. Nothing stops early: the axis
    `rounds` says what more of them gain.
    """

    name = "boosting"
    nested = frozenset({"rounds"})

    def fit(
        self,
        axis: str,
        setting: Mapping[str, Value],
        levels: Sequence[int],
        fold: Fold,
        device: Device,
    ) -> Iterator[Fitted]:
        """Boosts up to the largest level and yields each when its last round is over."""
        full = setting if axis == "rounds" else {**setting, axis: levels[0]}
        sizes = [level if axis == "rounds" else int(full["rounds"]) for level in levels]
        seconds = 0.0
        clock = time.perf_counter()
        models = _boosted(full, fold, sizes, device)
        for level in levels:
            model = next(models)
            score = model.predict(fold.x_score)
            train = model.predict(fold.x[:TRAIN_SCORED])
            seconds += time.perf_counter() - clock
            yield Fitted(level, score, train, model.parameters, seconds, model=model)
            clock = time.perf_counter()

    def train(self, setting: Mapping[str, Value], fold: Fold, device: Device) -> BoostingModel:
        """Boosts and keeps the trees."""
        return next(_boosted(setting, fold, [int(setting["rounds"])], device))


@dataclass(frozen=True)
class BoostingModel:
    """The boosted trees.

    Attributes:
        estimator: scikit-learn's.
        labels: Shape (columns,): the classes that training had; empty for values.
        classes: Number of classes; 0 where values are predicted.
        threads: Threads that predictions may use.
    """

    kind: ClassVar[str] = "boosting"

    estimator: Any
    labels: npt.NDArray[np.int64]
    classes: int
    threads: int = 1

    @property
    def parameters(self) -> int:
        """The number of nodes."""
        return _nodes(self.estimator)

    def predict(self, x: Features) -> Predictions:
        """Returns probabilities, shape (examples, classes), or values, shape (examples,)."""
        with limited(self.threads):
            if not self.classes:
                return np.asarray(self.estimator.predict(rows(x)), dtype=np.float64)
            found = np.zeros((len(x), self.classes))
            found[:, self.labels] = self.estimator.predict_proba(rows(x))
        return found

    def save(self, folder: Path) -> None:
        """Writes the estimator by skops, and what is said of it as safetensors."""
        skops_file.write(folder, self.estimator)
        arrays.write(folder / _FILE, {"labels": self.labels, "numbers": np.array([self.classes])})

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Returns the model that was saved there. Raises ValueError where it is damaged."""
        held = arrays.read(folder / _FILE, _ABOUT)
        classes, labels = int(held["numbers"][0]), held["labels"].astype(np.int64)
        estimator = skops_file.read(folder, None, (_PREDICTOR,))
        kind = HistGradientBoostingClassifier if classes else HistGradientBoostingRegressor
        if type(estimator) is not kind:
            raise ValueError(f"{folder / skops_file.FILE} holds no {kind.__name__}")
        if len(labels) and not (labels.min() >= 0 and labels.max() < classes):
            raise ValueError(f"{folder / _FILE} is damaged: its labels are none of the classes")
        if not all(_is_sound(p.nodes, estimator.n_features_in_) for p in _trees(estimator)):
            raise ValueError(f"{folder}: a tree's nodes point to where there is nothing")
        return cls(estimator, labels, classes)


def _boosted(
    setting: Mapping[str, Value], fold: Fold, sizes: Sequence[int], device: Device
) -> Iterator[BoostingModel]:
    """Yields the model after so many rounds, one after the other, each of use until the next.

    Boosting goes on where it was left, with the bits of one that never paused.
    """
    if fold.classes and len(np.unique(fold.y)) < 2:
        raise UnsuitableDataError("all training examples are of one class; two are needed")
    x: Rows = rows(fold.x)
    options = {
        "learning_rate": float(setting["learning_rate"]),
        "max_leaf_nodes": int(setting["leaves"]),
        "min_samples_leaf": int(setting["min_samples_leaf"]),
        "l2_regularization": float(setting["l2"]),
        "early_stopping": False,
        "warm_start": True,
        "random_state": seed_of(fold.seed, "boosting"),
    }
    kind = HistGradientBoostingClassifier if fold.classes else HistGradientBoostingRegressor
    estimator = kind(max_iter=1, **options)
    grown = 0
    for size in sizes:
        while grown < size:
            if device.expired():
                raise TimedOutError(f"{grown} of {sizes[-1]} rounds")
            # To go on asks the trees so far once more: fewer, longer goes where they are many.
            grown = min(size, grown + max(_ROUNDS_AT_ONCE, grown // 4))
            with limited(device.threads):
                estimator.set_params(max_iter=grown).fit(x, fold.y)
        labels = np.array(estimator.classes_ if fold.classes else (), dtype=np.int64)
        yield BoostingModel(estimator, labels, fold.classes, device.threads)


def _trees(estimator: Any) -> list[Any]:
    return [tree for some in estimator._predictors for tree in some]


def _nodes(estimator: Any) -> int:
    return sum(len(tree.nodes) for tree in _trees(estimator))


def _is_sound(nodes: npt.NDArray[np.void], features: int) -> bool:
    """Tells whether every node leads on, to a leaf in the end, and asks of a feature there is."""
    here = np.arange(len(nodes))
    inner = nodes["is_leaf"] == 0
    asked = nodes["feature_idx"][inner]
    return bool(
        len(nodes)
        and not nodes["is_categorical"].any()
        and all(
            (nodes[side][inner] > here[inner]).all() and (nodes[side][inner] < len(nodes)).all()
            for side in ("left", "right")
        )
        and ((asked >= 0) & (asked < features)).all()
    )
