"""How a job's data is divided: test, tuning folds, measuring folds (design.md, "Two phases")."""

from __future__ import annotations

import functools
import math

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import train_test_split

from tuner.datasets.base import Data, DataError, Features, Fold, Labels
from tuner.record import seed_of
from tuner.spec import Split

Indices = npt.NDArray[np.int64]

_KEPT = 32
"""Replicates whose indices are kept: a worker meets the same few again and again."""


class Splits:
    """The one test of a job and its numbered folds.

    Every part follows from (data, split, seed) alone, so each worker makes its
    own. Replicate i is the same fold with the same seed for every level and
    every learner, which is what makes differences paired. Only indices are kept
    between calls; a fold copies the rows that it trains on.

    Attributes:
        test_size: Examples in the test.
        rest_size: Examples outside it, after `train_limit`.
    """

    def __init__(self, data: Data, split: Split, seed: int) -> None:
        """Sets the test aside.

        Args:
            data: The data set.
            split: How to divide it.
            seed: The job's seed.

        Raises:
            DataError: A part would be too small to hold every class.
        """
        self._data = data
        self._split = split
        self._seed = seed
        everything = np.arange(len(data.y), dtype=np.int64)
        if data.x_test is None or data.y_test is None:
            rest, test = self._divide(
                everything, split.test_fraction, seed_of(seed, "test"), "split.test_fraction"
            )
            self._x_test, self._y_test = data.x[test], data.y[test]
        else:
            rest = everything
            self._x_test, self._y_test = data.x_test, data.y_test
        if split.train_limit is not None and split.train_limit < len(rest):
            share = 1 - split.train_limit / len(rest)
            rest, _ = self._divide(rest, share, seed_of(seed, "limit"), "split.train_limit")
        self._rest = rest
        self._tuning_indices = functools.lru_cache(maxsize=_KEPT)(self._divide_tuning)
        self._measuring_indices = functools.lru_cache(maxsize=_KEPT)(self._divide_measuring)
        # Asked for now, so that a job which can't be divided fails before it plans anything.
        self._tuning_indices(0)
        self._measuring_indices(0)

    @property
    def test_size(self) -> int:
        """Examples in the test."""
        return len(self._y_test)

    @property
    def rest_size(self) -> int:
        """Examples outside the test, after `train_limit`."""
        return len(self._rest)

    def tuning(self, replicate: int) -> Fold:
        """Returns a fold that chooses candidates: it trains and scores on the rest alone."""
        train, score = self._tuning_indices(replicate)
        x, y = self._data.x, self._data.y
        return self._fold("tuning", replicate, train, x[score], y[score])

    def measuring(self, replicate: int) -> Fold:
        """Returns a fold that measures: it trains on the rest and scores on the test."""
        train = self._measuring_indices(replicate)
        return self._fold("measuring", replicate, train, self._x_test, self._y_test)

    def _fold(
        self, phase: str, replicate: int, train: Indices, x_score: Features, y_score: Labels
    ) -> Fold:
        return Fold(
            replicate=replicate,
            seed=seed_of(self._seed, phase, replicate),
            x=self._data.x[train],
            y=self._data.y[train],
            x_score=x_score,
            y_score=y_score,
            classes=len(self._data.classes),
        )

    def _divide_tuning(self, replicate: int) -> tuple[Indices, Indices]:
        seed = seed_of(self._seed, "tuning", replicate, "split")
        return self._divide(
            self._rest, self._split.validation_fraction, seed, "split.validation_fraction"
        )

    def _divide_measuring(self, replicate: int) -> Indices:
        seed = seed_of(self._seed, "measuring", replicate, "split")
        left_out = 1 - self._split.train_fraction
        if round(left_out * len(self._rest)) == 0:
            return np.random.default_rng(seed).permutation(self._rest)
        return self._divide(self._rest, left_out, seed, "split.train_fraction")[0]

    def _divide(
        self, indices: Indices, share: float, seed: int, field: str
    ) -> tuple[Indices, Indices]:
        """Returns the examples in two stratified parts, the second of about `share`.

        Raises:
            DataError: A class is too rare, or a part too small. Whether it is
                follows from sizes alone, so one replicate answers for all.
        """
        labels = self._data.y[indices]
        names = self._data.classes
        counts = np.bincount(labels, minlength=len(names))
        second = round(share * len(indices))
        first = len(indices) - second
        parts = f"{len(indices)} examples into {first} and {second}"
        # A stratified part gets each class's share rounded down at least, and sklearn wants two.
        needed = max(2, math.ceil(len(indices) / max(first, 1)))
        rarest = int(counts.argmin())
        if min(first, second) < len(names):
            raise DataError(
                f"{field}: would divide {parts}; each part needs at least {len(names)}, one for "
                f"each class. Change {field} or add examples"
            )
        if counts[rarest] < needed:
            raise DataError(
                f"{field}: class {names[rarest]!r} has {counts[rarest]} when dividing {parts}; it "
                f"needs at least {needed}. Add examples of it, leave it out, or change {field}"
            )
        kept, other = train_test_split(
            indices, train_size=first, test_size=second, stratify=labels, random_state=seed
        )
        return kept, other
