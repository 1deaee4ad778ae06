"""How a job's data is divided: test, tuning folds, measuring folds (design.md, "Two phases")."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from tuner.datasets.base import Data, DataError, Features, Fold, Labels
from tuner.datasets.dividing import (
    Divide,
    Indices,
    at_random,
    by_group,
    in_time,
    stratified,
    stratified_order,
)
from tuner.datasets.filling import Filling
from tuner.predictions import Truth
from tuner.record import seed_of
from tuner.spec import Split

FEW = 100
"""Test cases of a class below which a warning is due: one case is a point of its error."""

_KEPT = 32
"""Replicates whose indices are kept: a worker meets the same few again and again."""

_DIVIDE: Mapping[str, Divide] = MappingProxyType(
    {"stratified": stratified, "random": at_random, "group": by_group, "time": in_time}
)


class Splits:
    """The one test of a job and its numbered folds.

    Every part follows from (data, split, seed) alone, so each worker makes its
    own. Replicate i is the same fold with the same seed for every level and
    every learner, which is what makes differences paired. Only indices are kept
    between calls; a fold copies the rows that it trains on.

    The data's own test, where it has one, is the test under every method. In time the
    test is the last block, tuning validates on the last block of what is before it, and
    replicates draw different parts of what comes before the block that they score on.
    Missing cells are filled in each fold by the medians of the part that it trains on.

    Attributes:
        method: How the data is divided: "stratified", "random", "group" or "time".
        test_size: Examples in the test.
        rest_size: Examples outside it, after `train_limit`.
        notes: What is to be known of the division, in sentences.
    """

    def __init__(self, data: Data, split: Split, seed: int) -> None:
        """Sets the test aside.

        Args:
            data: The data set.
            split: How to divide it.
            seed: The job's seed.

        Raises:
            DataError: A part would be too small, lack a class that it needs, or the
                data hasn't what the method goes by.
        """
        self._data = data
        self._split = split
        self._seed = seed
        self.method = method_for(data, split)
        self._divide = _DIVIDE[self.method]
        self._filling = Filling(data)
        everything = np.arange(len(data.y), dtype=np.int64)
        if data.x_test is None or data.y_test is None:
            rest, test = self._divide(
                data, everything, split.test_fraction, seed_of(seed, "test"), "split.test_fraction"
            )
            self._x_test, self._y_test = data.x[test], data.y[test]
        else:
            rest, test = everything, np.arange(len(data.y_test), dtype=np.int64)
            self._x_test, self._y_test = data.x_test, data.y_test
        if split.train_limit is not None and split.train_limit < len(rest):
            share = 1 - split.train_limit / len(rest)
            rest = self._draw(rest, share, seed_of(seed, "limit"), "split.train_limit")
        self._rest, self._test = rest, test
        self._tuning_indices = functools.lru_cache(maxsize=_KEPT)(self._divide_tuning)
        self._measuring_indices = functools.lru_cache(maxsize=_KEPT)(self._divide_measuring)
        # Asked for now, so that a job which can't be divided fails before it plans anything.
        self._tuning_indices(0)
        self._measuring_indices(0)
        self._judge_test()

    @property
    def test_size(self) -> int:
        """Examples in the test."""
        return len(self._y_test)

    @functools.cached_property
    def truth(self) -> Truth:
        """What the test examples are, in the order in which they are predicted."""
        groups = self._data.groups if self._data.x_test is None else None
        return Truth(
            self._y_test,
            self._test,
            self._data.classes,
            None if groups is None else groups[self._test],
        )

    @property
    def rest_size(self) -> int:
        """Examples outside the test, after `train_limit`."""
        return len(self._rest)

    @functools.cached_property
    def notes(self) -> tuple[str, ...]:
        """What is to be known of the division, in sentences."""
        found = [_few_cases(self._data.classes, self._y_test)]
        if self._data.groups is not None and self.method not in ("group", "time"):
            found.append(
                f"The data has groups, but split.method is {self.method}: examples of one group "
                "may be trained on and tested on."
            )
        if self._data.times is not None and self.method != "time":
            found.append(
                f"The data has times, but split.method is {self.method}: what is trained on may "
                "be later than what it is tested on."
            )
        return tuple(note for note in found if note)

    def train_size(self, replicates: int = 1) -> int:
        """Returns how many examples each of the first measuring replicates trains on at least.

        Args:
            replicates: How many; only by group do they differ.
        """
        asked = replicates if self.method == "group" else 1
        return min(len(self._measuring_indices(replicate)) for replicate in range(asked))

    def tuning(self, replicate: int) -> Fold:
        """Returns a fold that chooses candidates: it trains and scores on the rest alone."""
        train, score = self._tuning_indices(replicate)
        x, y = self._data.x, self._data.y
        return self._fold("tuning", replicate, train, x[score], y[score])

    def measuring(self, replicate: int) -> Fold:
        """Returns a fold that measures: it trains on the rest and scores on the test."""
        train = self._measuring_indices(replicate)
        return self._fold("measuring", replicate, train, self._x_test, self._y_test)

    def whole(self) -> Fold:
        """Returns a fold that trains on everything outside the test: for a model to be kept."""
        rest = np.random.default_rng(seed_of(self._seed, "whole", "split")).permutation(self._rest)
        return self._fold("whole", 0, rest, self._x_test, self._y_test)

    def inputs(self) -> dict[str, object]:
        """Returns what whoever asks a kept model must know, as plain data.

        `shape` of an example; `features` by name, where a table has names; `filled`, the
        value that stands for a missing cell, by the feature's place; `classes` by name.
        """
        medians = self._filling.medians(self._data.x[self._rest])
        return {
            "shape": list(self._data.x.shape[1:]),
            "features": list(self._data.features),
            "filled": {str(place): value for place, value in medians.items()},
            "classes": list(self._data.classes),
        }

    def _fold(
        self, phase: str, replicate: int, train: Indices, x_score: Features, y_score: Labels
    ) -> Fold:
        x, x_score = self._filling.fill(self._data.x[train], x_score)
        return Fold(
            replicate=replicate,
            seed=seed_of(self._seed, phase, replicate),
            x=x,
            y=self._data.y[train],
            x_score=x_score,
            y_score=y_score,
            classes=len(self._data.classes),
        )

    def _divide_tuning(self, replicate: int) -> tuple[Indices, Indices]:
        seed, field = seed_of(self._seed, "tuning", replicate, "split"), "split.validation_fraction"
        share = self._split.validation_fraction
        train, score = self._divide(self._data, self._rest, share, seed, field)
        if self.method == "time":  # the cut is the same in every replicate
            train = self._drawn_for_training(train, seed)
        return train, score

    def _divide_measuring(self, replicate: int) -> Indices:
        seed = seed_of(self._seed, "measuring", replicate, "split")
        return self._drawn_for_training(self._rest, seed)

    def _drawn_for_training(self, indices: Indices, seed: int) -> Indices:
        left_out = 1 - self._split.train_fraction
        if round(left_out * len(indices)) == 0:
            return np.random.default_rng(seed).permutation(indices)
        if self.method == "group":
            return by_group(self._data, indices, left_out, seed, "split.train_fraction")[0]
        return self._draw(indices, left_out, seed, "split.train_fraction")

    def _draw(self, indices: Indices, left_out: float, seed: int, field: str) -> Indices:
        """Returns a part of the examples; the others are used nowhere, so that any may be."""
        if not self._data.classes or self.method == "random":
            return at_random(self._data, indices, left_out, seed, field)[0]
        dropped = round(left_out * len(indices))
        classes = len(self._data.classes)
        if dropped < classes <= len(indices) - dropped:
            # So few are left out that they can't be of every class, and needn't be.
            order = stratified_order(self._data.y[indices], classes, seed)
            return indices[order[: len(indices) - dropped]]
        return stratified(self._data, indices, left_out, seed, field)[0]

    def _judge_test(self) -> None:
        """Raises DataError where the test or a training part can tell no classes apart."""
        if not self._data.classes:
            return
        tested = np.unique(self._y_test)
        if len(tested) < 2:
            raise DataError(
                f"the test holds only the class {self._data.classes[int(tested[0])]!r} under "
                f"split.method {self.method}; nothing is told apart there. Change "
                "split.test_fraction or split.method"
            )
        trained = (self._tuning_indices(0)[0], self._measuring_indices(0))
        for indices in trained:
            missing = np.setdiff1d(np.arange(len(self._data.classes)), self._data.y[indices])
            if len(missing):
                raise DataError(
                    f"class {self._data.classes[int(missing[0])]!r} isn't among the "
                    f"{len(indices)} examples that are trained on under split.method "
                    f"{self.method}; add examples of it, leave it out, or choose another method"
                )


def method_for(data: Data, split: Split) -> str:
    """Returns how the data is divided where nothing but the test part is given.

    Raises:
        DataError: The data hasn't what the method goes by.
    """
    method = split.method
    if method == "predefined" and data.x_test is None:
        raise DataError(
            "split.method: is predefined, but the data has no test part of its own; give one, "
            "or choose another method"
        )
    if method in ("auto", "predefined"):
        if data.times is not None:
            return "time"
        if data.groups is not None:
            return "group"
        return "stratified" if data.classes else "random"
    if method == "stratified" and not data.classes:
        raise DataError(
            "split.method: is stratified, which goes by classes, but numbers are predicted; "
            "choose random"
        )
    for wanted, there in (("group", data.groups), ("time", data.times)):
        if method == wanted and there is None:
            raise DataError(
                f"split.method: is {method}, but the data has no {wanted}s; name the column that "
                f"holds them ({wanted}=COLUMN), give the array {wanted}s, or choose another method"
            )
    return method


def _few_cases(classes: tuple[str, ...], y_test: Labels) -> str:
    """Returns the warning of classes that the test has few of, or nothing."""
    if not classes:
        return ""
    counts = np.bincount(y_test.astype(np.int64), minlength=len(classes))
    few = [int(label) for label in np.argsort(counts, kind="stable") if counts[label] < FEW]
    if not few:
        return ""
    cases = ", ".join(f"class {classes[label]!r} has {counts[label]}" for label in few[:3])
    others = f" and {len(few) - 3} more classes have fewer than {FEW}" if len(few) > 3 else ""
    share = 100 / max(int(counts[few[0]]), 1)
    return (
        f"Few test cases: {cases}{others}. One case of class {classes[few[0]]!r} is "
        f"{min(share, 100):.2g} points of its error; what differs by less isn't told apart."
    )
