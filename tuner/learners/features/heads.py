"""The classifier that features go into: a support vector machine or a random forest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy.special import softmax
from sklearn.ensemble import RandomForestClassifier
from sklearn.svm import SVC

from tuner.catalog import Value
from tuner.datasets.base import Labels
from tuner.learners import arrays, skops_file
from tuner.learners.base import Device
from tuner.learners.estimators import decisions
from tuner.learners.features.gradients import Floats32
from tuner.learners.fits import TimedOutError, UnsuitableDataError
from tuner.learners.temperature import COLDEST, HOTTEST, temperature
from tuner.record import seed_of
from tuner.scoring import Predictions

_TREES_AT_ONCE = 8
"""Trees grown between two looks at the deadline."""

_FILE = "head.safetensors"


@dataclass(frozen=True)
class Head:
    """A fitted classifier.

    Attributes:
        estimator: scikit-learn's.
        labels: Shape (columns,): the classes that were seen in training, as it orders them.
        classes: Number of classes, those that weren't seen among them: they get 0.
        temperature: What a machine's decisions are divided by before their softmax is
            taken (Guo et al. 2017); of no use to a forest.
    """

    estimator: SVC | RandomForestClassifier
    labels: npt.NDArray[np.int64]
    classes: int
    temperature: float

    @property
    def parameters(self) -> int:
        """A forest's nodes; a machine's weights, or the numbers in its support vectors."""
        if isinstance(self.estimator, RandomForestClassifier):
            return sum(int(tree.tree_.node_count) for tree in self.estimator.estimators_)
        if self.estimator.kernel == "linear":
            return int(self.estimator.coef_.size + self.estimator.intercept_.size)
        parts = ("support_vectors_", "dual_coef_", "intercept_")
        return sum(int(getattr(self.estimator, part).size) for part in parts)

    def predict(self, x: Any) -> Predictions:
        """Returns probabilities, shape (examples, classes), of features (examples, values)."""
        found = np.zeros((len(x), self.classes))
        if not len(x):
            return found
        if isinstance(self.estimator, RandomForestClassifier):
            found[:, self.labels] = self.estimator.predict_proba(x)
        else:
            found[:, self.labels] = softmax(decisions(self.estimator, x) / self.temperature, axis=1)
        return found

    def save(self, folder: Path) -> None:
        """Writes the estimator by skops and what it answers as safetensors."""
        skops_file.write(folder, self.estimator)
        about = {"classes": np.array(self.classes), "temperature": np.array(self.temperature)}
        arrays.write(folder / _FILE, {"labels": self.labels, **about})

    @classmethod
    def load(cls, folder: Path, values: int) -> Self:
        """Returns the head that was saved there.

        Args:
            folder: Where.
            values: How many features an example has.

        Raises:
            ValueError: The files are damaged, or are of other features.
        """
        estimator = skops_file.read(folder, values, (skops_file.TREE,))
        found = arrays.read(folder / _FILE, {"labels": 1, "classes": 0, "temperature": 0})
        labels = found["labels"].astype(np.int64)
        classes, warmth = int(found["classes"]), float(found["temperature"])
        if not (
            isinstance(estimator, SVC | RandomForestClassifier)
            and np.array_equal(labels, estimator.classes_)
            and {*labels.tolist()} <= {*range(classes)}
            and COLDEST <= warmth <= HOTTEST
        ):
            raise ValueError(f"{folder / _FILE} is damaged: it is of another classifier")
        return cls(estimator, labels, classes, warmth)


def fit_head(
    setting: Mapping[str, Value], x: Floats32, y: Labels, classes: int, seed: int, device: Device
) -> Head:
    """Fits the classifier that a setting asks for.

    A machine's decisions become probabilities by the temperature that is likeliest for
    examples it wasn't fitted on, which three more fits on two thirds each find.

    Args:
        setting: `classifier`: "svm" or "forest"; `kernel`, `C` of the one, `trees` of the other.
        x: Features, shape (examples, values).
        y: Classes.
        classes: Number of classes.
        seed: Of everything random.
        device: Whose deadline counts, and whose threads trees are grown by.

    Raises:
        UnsuitableDataError: Only one class is there.
        TimedOutError: The deadline passed.
    """
    labels = np.unique(y).astype(np.int64)
    if len(labels) < 2:
        raise UnsuitableDataError("all training examples are of one class; two are needed")
    if setting["classifier"] == "forest":
        forest = _grow(int(setting["trees"]), x, y, seed_of(seed, "forest"), device)
        return Head(forest, labels, classes, 1.0)
    y = y.astype(np.int64)

    def decide(fitted: Any, left: Any) -> Any:
        return decisions(_machine(setting, x[fitted], y[fitted], device), x[left])

    warmth = temperature(y, seed_of(seed, "temperature"), decide)
    return Head(_machine(setting, x, y, device), labels, classes, warmth)


def _grow(trees: int, x: Floats32, y: Labels, seed: int, device: Device) -> RandomForestClassifier:
    # The same trees as grown at once: each draws its seed in its turn.
    forest = RandomForestClassifier(0, n_jobs=device.threads, random_state=seed, warm_start=True)
    for grown in range(0, trees, _TREES_AT_ONCE):
        if device.expired():
            raise TimedOutError(f"{grown} of {trees} trees")
        forest.n_estimators = min(grown + _TREES_AT_ONCE, trees)
        forest.fit(x, y)
    # Several threads would add their trees up in any order.
    return forest.set_params(n_jobs=1, warm_start=False)


def _machine(setting: Mapping[str, Value], x: Floats32, y: Labels, device: Device) -> SVC:
    if device.expired():
        raise TimedOutError("the features were made")
    machine = SVC(C=float(setting["C"]), kernel=setting["kernel"], gamma="scale")
    # Nothing is drawn, but without a seed of its own it would move numpy's global state on.
    return machine.set_params(random_state=0).fit(x, y)
