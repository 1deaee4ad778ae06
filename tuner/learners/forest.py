"""Forests (Breiman 2001; Geurts et al. 2006): one fit scores every smaller forest."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self, TypeAlias

import numpy as np
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from tuner.catalog import Value
from tuner.datasets.base import Features, Fold
from tuner.learners import arrays, skops_file
from tuner.learners.base import Device
from tuner.learners.fits import TRAIN_SCORED, Fitted, LoopingLearner, TimedOutError
from tuner.scoring import Predictions

Tree: TypeAlias = Any
"""scikit-learn's DecisionTreeClassifier or DecisionTreeRegressor."""

_FILE, _ABOUT = "forest.safetensors", {"classes": 1, "features": 1}


class Forest(LoopingLearner):
    """Averages the probabilities, or the values, of randomised trees.

    Tree t's seed follows from the fold's seed and t alone and the trees are
    summed in their order, so the first T trees of any forest are, bit for bit,
    the forest of T trees. `splitter` "random" makes extra trees: a threshold is drawn for
    each feature that a split looks at, and the best of these is taken.
    """

    name = "forest"
    nested = frozenset({"trees"})

    def fit(
        self,
        axis: str,
        setting: Mapping[str, Value],
        levels: Sequence[int],
        fold: Fold,
        device: Device,
    ) -> Iterator[Fitted]:
        """Grows the largest forest and yields each level when its last tree is in."""
        full = setting if axis == "trees" else {**setting, axis: levels[0]}
        # On another axis the one level has as many trees as the setting says.
        sizes = {lv: lv if axis == "trees" else int(full["trees"]) for lv in levels}
        clock = time.perf_counter()
        # Trees want C-ordered rows; made once, not once a tree.
        x, x_score = _rows(fold.x), _rows(fold.x_score)
        x_seen = x[:TRAIN_SCORED]
        score, train = (_nothing(len(part), fold.classes) for part in (x_score, x_seen))
        nodes = grown = 0
        kept: list[Tree] = []  # a forest may take gigabytes: only where it is asked for
        trees = _trees(full, fold, x, max(sizes.values()), device)
        seconds = time.perf_counter() - clock
        for level in levels:
            clock = time.perf_counter()
            while grown < sizes[level]:
                tree = next(trees)
                _add(tree, x_score, score)
                _add(tree, x_seen, train)
                nodes += int(tree.tree_.node_count)
                grown += 1
                if device.models:
                    kept.append(tree)
            seconds += time.perf_counter() - clock
            model = ForestModel(tuple(kept), fold.classes, x.shape[1]) if device.models else None
            yield Fitted(level, score / grown, train / grown, nodes, seconds, model=model)

    def train(self, setting: Mapping[str, Value], fold: Fold, device: Device) -> ForestModel:
        """Grows a forest and keeps its trees."""
        x = _rows(fold.x)
        trees = tuple(_trees(setting, fold, x, int(setting["trees"]), device))
        return ForestModel(trees, fold.classes, x.shape[1])


@dataclass(frozen=True)
class ForestModel:
    """The trees, in their order.

    Attributes:
        trees: scikit-learn's.
        classes: Number of classes; 0 where values are predicted.
        features: How many values an example has.
    """

    kind: ClassVar[str] = "forest"

    trees: tuple[Tree, ...]
    classes: int
    features: int

    @property
    def parameters(self) -> int:
        """The number of nodes."""
        return sum(int(tree.tree_.node_count) for tree in self.trees)

    def predict(self, x: Features) -> Predictions:
        """Returns probabilities, shape (examples, classes), or values, shape (examples,)."""
        rows, total = _rows(x), _nothing(len(x), self.classes)
        for tree in self.trees:
            _add(tree, rows, total)
        return total / len(self.trees)

    def save(self, folder: Path) -> None:
        """Writes the trees by skops, and two numbers as safetensors."""
        skops_file.write(folder, list(self.trees))
        numbers = {"classes": self.classes, "features": self.features}
        arrays.write(folder / _FILE, {name: np.array([n]) for name, n in numbers.items()})

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Returns the forest that was saved there. Raises ValueError where it is damaged."""
        numbers = {
            name: int(array[0]) for name, array in arrays.read(folder / _FILE, _ABOUT).items()
        }
        trees = skops_file.read(folder, numbers["features"], (skops_file.TREE,))
        kind = DecisionTreeClassifier if numbers["classes"] else DecisionTreeRegressor
        if not isinstance(trees, list) or not trees or {type(tree) for tree in trees} != {kind}:
            raise ValueError(f"{folder / skops_file.FILE} holds no list of trees")
        return cls(tuple(trees), **numbers)


def _rows(x: Features) -> Features:
    return np.ascontiguousarray(x.reshape(len(x), -1), dtype=np.float32)


def _nothing(examples: int, classes: int) -> Predictions:
    return np.zeros((examples, classes) if classes else examples)


def _trees(
    setting: Mapping[str, Value], fold: Fold, x: Features, count: int, device: Device
) -> Iterator[Tree]:
    """Yields so many trees in their order. Raises TimedOutError where the deadline passes."""
    # Trees are grown without Python's lock, and each by itself: threads change no bit.
    with ThreadPoolExecutor(device.threads) if device.threads > 1 else nullcontext() as pool:
        for first in range(0, count, device.threads):
            if device.expired():
                raise TimedOutError(f"{first} of {count} trees")
            some = range(first, min(first + device.threads, count))
            if pool is None:
                yield from (_grow(setting, fold, x, number) for number in some)
            else:
                yield from pool.map(lambda number: _grow(setting, fold, x, number), some)


def _grow(setting: Mapping[str, Value], fold: Fold, x: Features, number: int) -> Tree:
    """Returns the forest's tree of that number."""
    random = np.random.default_rng([fold.seed, number])
    options = {
        "splitter": str(setting["splitter"]),
        "max_features": float(setting["max_features"]),
        "min_samples_leaf": int(setting["min_samples_leaf"]),
        "max_leaf_nodes": int(setting["leaves"]) or None,
        "random_state": int(random.integers(2**31)),
    }
    if fold.classes:
        tree = DecisionTreeClassifier(criterion=str(setting["criterion"]), **options)
    else:
        tree = DecisionTreeRegressor(**options)
    weights = None
    if setting["bootstrap"]:
        # Weights, not a copy of the drawn rows: no memory, and every class stays known.
        drawn = random.integers(len(x), size=len(x))
        weights = np.bincount(drawn, minlength=len(x)).astype(np.float64)
    return tree.fit(x, fold.y, sample_weight=weights, check_input=False)


def _add(tree: Tree, x: Features, total: Predictions) -> None:
    """Adds what the tree predicts; a class that the fold's training part lacks gets nothing."""
    if total.ndim == 1:
        total += tree.predict(x, check_input=False)
    else:
        total[:, tree.classes_] += tree.predict_proba(x, check_input=False)
