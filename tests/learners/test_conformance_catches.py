"""The conformance suite fails learners that break a promise, each by the test that names it."""

from __future__ import annotations

import inspect
import itertools
import random
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from tuner import catalog
from tuner.catalog import Value
from tuner.datasets.base import Features, Fold
from tuner.learners.base import Device, Learner, Result
from tuner.learners.fits import Fitted, LoopingLearner
from tuner.learners.fusing import Failure, FusingLearner, Part
from tuner.record import Setting
from tuner.testing import LearnerConformance

ENTRY = catalog.Learner(
    "guess",
    "answers with the classes' shares in the training part, sharpened",
    axes=(catalog.Axis("depth", 1, 8, (1, 2)),),
    hyperparameters={"sharpness": catalog.Number(0.5, 2.0, 1.0)},
)


TOLERANCE = 1e-4


class Guess(LoopingLearner):
    """Keeps every promise."""

    name = "guess"
    entry = ENTRY

    def train(self, setting: Mapping[str, Value], fold: Fold, device: Device) -> Guessed:
        return Guessed(_shares(setting, int(setting["depth"]), fold))

    def fit(
        self,
        axis: str,
        setting: Mapping[str, Value],
        levels: Sequence[int],
        fold: Fold,
        device: Device,
    ) -> Iterator[Fitted]:
        clock = time.perf_counter()
        shares = _shares(setting, levels[0], fold)
        p = np.tile(shares, (max(len(fold.x), len(fold.x_score)), 1))
        seconds = time.perf_counter() - clock
        yield Fitted(levels[0], p[: len(fold.x_score)], p[: len(fold.x)], 3, seconds)


def _shares(setting: Mapping[str, Value], level: int, fold: Fold) -> np.ndarray:
    shares = np.bincount(fold.y, minlength=fold.classes) ** float(setting["sharpness"])
    shares += np.random.default_rng(fold.seed).random(fold.classes) * level
    return shares / shares.sum()


class Guessed:
    """The shares, kept as text."""

    kind = "guess"
    parameters = 3

    def __init__(self, shares: np.ndarray) -> None:
        self.shares = shares

    def predict(self, x: Features) -> np.ndarray:
        return np.tile(self.shares, (len(x), 1))

    def save(self, folder: Path) -> None:
        (folder / "shares").write_text(" ".join(share.hex() for share in self.shares.tolist()))

    @classmethod
    def load(cls, folder: Path) -> Guessed:
        return cls(np.array([float.fromhex(s) for s in (folder / "shares").read_text().split()]))


class Hoards(Guess):
    hoard: ClassVar[list[np.ndarray]] = []

    def fit(self, *args: Any) -> Iterator[Fitted]:
        self.hoard.append(np.ones(100_000))
        yield from super().fit(*args)


class KeepsAnother(Guess):
    def train(self, setting: Mapping[str, Value], fold: Fold, device: Device) -> Guessed:
        return super().train(setting, replace(fold, seed=fold.seed + 1), device)


class Rounded(Guessed):
    def save(self, folder: Path) -> None:
        Guessed(self.shares.round(3)).save(folder)


class LosesDigits(Guess):
    def train(self, setting: Mapping[str, Value], fold: Fold, device: Device) -> Guessed:
        return Rounded(super().train(setting, fold, device).shares)


class Draws(Guess):
    def fit(self, *args: Any) -> Iterator[Fitted]:
        random.random()
        yield from super().fit(*args)


class SeedsGlobally(Guess):
    def fit(self, *args: Any) -> Iterator[Fitted]:
        np.random.seed(0)
        yield from super().fit(*args)


class Unseeded(Guess):
    def fit(
        self,
        axis: str,
        setting: Mapping[str, Value],
        levels: Sequence[int],
        fold: Fold,
        device: Device,
    ) -> Iterator[Fitted]:
        seed = int(np.random.default_rng().integers(2**32))
        yield from super().fit(axis, setting, levels, replace(fold, seed=seed), device)


class Broken(Guess):
    """Breaks a promise in how it goes through a packet."""

    def evaluate(
        self,
        axis: str,
        settings: Sequence[Setting],
        levels: Sequence[int],
        folds: Sequence[Fold],
        device: Device,
    ) -> Iterator[Result]:
        results = list(super().evaluate(axis, settings, levels, folds, device))
        yield from self.spoil(results, folds)

    def spoil(self, results: list[Result], folds: Sequence[Fold]) -> list[Result]:
        raise NotImplementedError


class Forgets(Broken):
    def spoil(self, results: list[Result], folds: Sequence[Fold]) -> list[Result]:
        return results[1:]


class Repeats(Broken):
    def spoil(self, results: list[Result], folds: Sequence[Fold]) -> list[Result]:
        return [*results, results[0]]


class DependsOnThePacket(Broken):
    def spoil(self, results: list[Result], folds: Sequence[Fold]) -> list[Result]:
        return [replace(r, parameters=r.parameters + len(results)) for r in results]


class DependsOnOrder(Broken):
    def spoil(self, results: list[Result], folds: Sequence[Fold]) -> list[Result]:
        return [replace(r, parameters=1 + folds[0].replicate) for r in results]


class SumsToTwo(Broken):
    def spoil(self, results: list[Result], folds: Sequence[Fold]) -> list[Result]:
        return [
            replace(r, predictions=None if r.predictions is None else r.predictions * 2)
            for r in results
        ]


class CountsNothing(Broken):
    def spoil(self, results: list[Result], folds: Sequence[Fold]) -> list[Result]:
        return [replace(r, parameters=0) for r in results]


class IgnoresTheDeadline(Guess):
    def evaluate(
        self,
        axis: str,
        settings: Sequence[Setting],
        levels: Sequence[int],
        folds: Sequence[Fold],
        device: Device,
    ) -> Iterator[Result]:
        yield from super().evaluate(axis, settings, levels, folds, Device())


class WritesIntoItsData(Guess):
    def fit(
        self,
        axis: str,
        setting: Mapping[str, Value],
        levels: Sequence[int],
        fold: Fold,
        device: Device,
    ) -> Iterator[Fitted]:
        fold.x[0] = 0
        yield from super().fit(axis, setting, levels, fold, device)


class FailsAtTheEdge(Guess):
    def fit(
        self,
        axis: str,
        setting: Mapping[str, Value],
        levels: Sequence[int],
        fold: Fold,
        device: Device,
    ) -> Iterator[Fitted]:
        if setting["sharpness"] == 2.0:
            raise ValueError("too sharp")
        yield from super().fit(axis, setting, levels, fold, device)


class Picky(Guess):
    def problem_with(self, x: Features, classes: int) -> str | None:
        return "never good enough"


class Fuses(Guess, FusingLearner):
    """Keeps every promise, in batches."""

    fused = frozenset({"sharpness"})
    entry = replace(ENTRY, fused=("sharpness",))

    def fit_together(
        self, parts: Sequence[Part], level: int, device: Device
    ) -> Sequence[Fitted | Failure]:
        found = []
        for part in parts:
            found += self.fit("depth", part.setting, (level,), part.fold, device)
        return self.spoil(found)

    def spoil(self, found: list[Fitted]) -> list[Fitted]:
        return [replace(f, predictions=nudged(f.predictions, TOLERANCE / 2)) for f in found]


class FusesRoughly(Fuses):
    def spoil(self, found: list[Fitted]) -> list[Fitted]:
        return [replace(f, predictions=nudged(f.predictions, TOLERANCE * 4)) for f in found]


class MixesUpMembers(Fuses):
    def spoil(self, found: list[Fitted]) -> list[Fitted]:
        return found[::-1]


class BillsTheBatch(Fuses):
    def spoil(self, found: list[Fitted]) -> list[Fitted]:
        return [replace(f, standalone_seconds=0.0) for f in found]


class FusesOtherwiseThanItSays(Fuses):
    fused = frozenset({"sharpness", "depth"})


class FusesWhatIsAlone(Fuses):
    def fit(
        self,
        axis: str,
        setting: Mapping[str, Value],
        levels: Sequence[int],
        fold: Fold,
        device: Device,
    ) -> Iterator[Fitted]:
        for f in super().fit(axis, setting, levels, fold, device):
            moved = 1e-9 * next(self.counted)
            yield replace(f, predictions=nudged(f.predictions, moved))

    counted = itertools.count()


def nudged(p: Any, by: float) -> Any:
    """Moves so much of each row's mass from one class to another."""
    return p + np.array([by, -by, *np.zeros(p.shape[1] - 2)])


def suite_for(kind: type[Guess]) -> LearnerConformance:
    fuses = issubclass(kind, Fuses)

    class Suite(LearnerConformance):
        entry = replace(ENTRY, fused=("sharpness",)) if fuses else ENTRY
        tolerance = TOLERANCE if fuses else 0.0
        axis = "depth"
        levels = (1, 2)

        def make_learner(self) -> Learner:
            return kind()

    return Suite()


def failures(kind: type[Guess], folder: Path) -> set[str]:
    suite = suite_for(kind)
    failed = set()
    for name in dir(suite):
        if name.startswith("test_"):
            test = getattr(suite, name)
            try:
                test(folder) if inspect.signature(test).parameters else test()
            except AssertionError:
                failed.add(name.removeprefix("test_"))
    return failed


@pytest.mark.parametrize("kind", [Guess, Fuses])
def test_a_learner_that_keeps_every_promise_passes(kind: type[Guess], tmp_path: Path) -> None:
    assert failures(kind, tmp_path) == set()


@pytest.mark.parametrize(
    ("kind", "caught_by"),
    [
        (Hoards, "memory_is_returned"),
        (KeepsAnother, "a_model_that_is_kept_predicts_what_was_measured"),
        (LosesDigits, "a_model_that_is_kept_predicts_what_was_measured"),
        (Draws, "global_state_is_left_alone"),
        (SeedsGlobally, "global_state_is_left_alone"),
        (Unseeded, "the_same_packet_gives_the_same_bits"),
        (Forgets, "the_defaults_complete_with_usable_results"),
        (Repeats, "the_defaults_complete_with_usable_results"),
        (DependsOnThePacket, "a_member_is_the_same_alone_as_in_its_packet"),
        (DependsOnOrder, "a_member_is_the_same_alone_as_in_its_packet"),
        (SumsToTwo, "the_defaults_complete_with_usable_results"),
        (CountsNothing, "costs_are_reported"),
        (IgnoresTheDeadline, "a_passed_deadline_ends_it_at_once"),
        (WritesIntoItsData, "the_defaults_complete_with_usable_results"),
        (FailsAtTheEdge, "the_catalogs_ranges_are_taken"),
        (Picky, "it_takes_this_data"),
        (FusesRoughly, "what_fuses_trains_as_each_member_would_alone"),
        (MixesUpMembers, "what_fuses_trains_as_each_member_would_alone"),
        (BillsTheBatch, "what_fuses_trains_as_each_member_would_alone"),
        (FusesOtherwiseThanItSays, "the_catalog_describes_it"),
        (FusesWhatIsAlone, "what_shares_a_packet_with_no_other_of_its_shape_is_as_alone"),
    ],
)
def test_a_broken_promise_is_caught(kind: type[Guess], caught_by: str, tmp_path: Path) -> None:
    assert caught_by in failures(kind, tmp_path)
