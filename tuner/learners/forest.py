"""Random forests (Breiman 2001): one fit scores every smaller forest."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from functools import partial

import numpy as np
import numpy.typing as npt
from sklearn.tree import DecisionTreeClassifier

from tuner.catalog import Value
from tuner.datasets.base import Features, Fold
from tuner.learners.base import Device
from tuner.learners.fits import TRAIN_SCORED, Fitted, LoopingLearner, TimedOutError

Probabilities = npt.NDArray[np.float64]


class Forest(LoopingLearner):
    """Averages the probabilities of randomised trees.

    Tree t's seed follows from the fold's seed and t alone and the trees are
    summed in their order, so the first T trees of any forest are, bit for bit,
    the forest of T trees.
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
        clock = time.perf_counter()
        # Trees want C-ordered rows; made once, not once a tree.
        x, x_score = _rows(fold.x), _rows(fold.x_score)
        x_seen = x[:TRAIN_SCORED]
        grow = partial(_grow, setting, fold, x)
        score, train = (np.zeros((len(part), fold.classes)) for part in (x_score, x_seen))
        nodes = trees = 0
        seconds = time.perf_counter() - clock
        # Trees are grown without Python's lock, and each by itself: threads change no bit.
        with ThreadPoolExecutor(device.threads) if device.threads > 1 else nullcontext() as pool:
            for level in levels:
                clock = time.perf_counter()
                while trees < level:
                    if device.expired():
                        raise TimedOutError(f"{trees} of {levels[-1]} trees")
                    some = range(trees, min(trees + device.threads, level))
                    for tree in map(grow, some) if pool is None else pool.map(grow, some):
                        _add(tree, x_score, score)
                        _add(tree, x_seen, train)
                        nodes += int(tree.tree_.node_count)
                    trees = some.stop
                seconds += time.perf_counter() - clock
                yield Fitted(level, score / level, train / level, nodes, seconds)


def _rows(x: Features) -> Features:
    return np.ascontiguousarray(x.reshape(len(x), -1), dtype=np.float32)


def _grow(
    setting: Mapping[str, Value], fold: Fold, x: Features, number: int
) -> DecisionTreeClassifier:
    """Returns the forest's tree of that number."""
    random = np.random.default_rng([fold.seed, number])
    tree = DecisionTreeClassifier(
        criterion=setting["criterion"],
        max_features=float(setting["max_features"]),
        min_samples_leaf=int(setting["min_samples_leaf"]),
        random_state=int(random.integers(2**31)),
    )
    weights = None
    if setting["bootstrap"]:
        # Weights, not a copy of the drawn rows: no memory, and every class stays known.
        drawn = random.integers(len(x), size=len(x))
        weights = np.bincount(drawn, minlength=len(x)).astype(np.float64)
    return tree.fit(x, fold.y, sample_weight=weights, check_input=False)


def _add(tree: DecisionTreeClassifier, x: Features, total: Probabilities) -> None:
    """Adds the tree's probabilities; a class that the fold's training part lacks gets none."""
    total[:, tree.classes_] += tree.predict_proba(x, check_input=False)
