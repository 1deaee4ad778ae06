"""What learners share: which fits a packet needs, and how a failing fit stays contained."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from tuner import catalog
from tuner.catalog import Value
from tuner.datasets.base import Features, Fold
from tuner.learners.base import Device, Model, Result
from tuner.record import Member, Outcome, Setting
from tuner.scoring import DivergedError, Predictions

TRAIN_SCORED = 2_000
"""At most this many training examples are predicted for the train scores."""


@dataclass(frozen=True)
class Fitted:
    """What one fit says of one level; the fields are those of `base.Result`."""

    level: int
    predictions: Predictions | None
    train_predictions: Predictions | None
    parameters: int
    standalone_seconds: float
    scores: Mapping[str, float] = field(default_factory=dict)
    model: Model | None = field(default=None, compare=False, repr=False)


class TimedOutError(Exception):
    """The deadline passed; the outcome is TIMED_OUT."""

    def __init__(self, after: str) -> None:
        super().__init__(f"the packet's time was up after {after}")


class UnsuitableDataError(ValueError):
    """The learner can't learn from this data; the outcome is CRASHED."""


class LoopingLearner(ABC):
    """A learner that runs a packet fit by fit; a family says only how one fit goes.

    On an axis named in `nested`, one fit scores all levels; on any other, each
    level is a fit of its own. Whatever a fit raises becomes the outcome of those
    of its members that have no result yet, and the next fit starts afresh.
    """

    name: ClassVar[str]
    nested: ClassVar[frozenset[str]] = frozenset()

    @property
    def entry(self) -> catalog.Learner:
        """What the catalog says of it."""
        return catalog.LEARNERS[self.name]

    @abstractmethod
    def train(self, setting: Mapping[str, Value], fold: Fold, device: Device) -> Model:
        """Fits one model, to be kept; see `base.Learner`."""

    @abstractmethod
    def fit(
        self,
        axis: str,
        setting: Mapping[str, Value],
        levels: Sequence[int],
        fold: Fold,
        device: Device,
    ) -> Iterator[Fitted]:
        """Runs one fit and yields what came of each level, as soon as it is final.

        Raises:
            DivergedError: A loss is NaN or infinite.
            TimedOutError: The deadline passed.
            MemoryError: Memory, the device's included, is exhausted.
        """

    def problem_with(self, x: Features, classes: int) -> str | None:
        """Says why this data can't be learnt from, or None. By default any data can."""
        return None

    def evaluate(
        self,
        axis: str,
        settings: Sequence[Setting],
        levels: Sequence[int],
        folds: Sequence[Fold],
        device: Device,
    ) -> Iterator[Result]:
        """Runs every setting at every level on every fold; see `base.Learner`."""
        fits = [tuple(levels)] if axis in self.nested else [(level,) for level in levels]
        for setting in settings:
            for some in fits:
                for fold in folds:
                    yield from self._contained(axis, setting, some, fold, device)

    def _contained(
        self, axis: str, setting: Setting, levels: Sequence[int], fold: Fold, device: Device
    ) -> Iterator[Result]:
        left = list(levels)
        start = device.clock()  # not while the models of earlier levels are attacked
        try:
            self._refuse_hopeless(fold, device)
            for fitted in self.fit(axis, dict(setting), levels, fold, device):
                left.remove(fitted.level)
                yield completed(Member(setting, fitted.level, fold.replicate), fitted)
        except Exception as error:  # noqa: BLE001 - whatever a fit raises is its members' outcome
            seconds = device.clock() - start
            for level in left:
                yield failed(Member(setting, level, fold.replicate), error, seconds)

    def _refuse_hopeless(self, fold: Fold, device: Device) -> None:
        if device.expired():
            raise TimedOutError("the fits before this one")
        if problem := self._problem_of(fold):
            raise UnsuitableDataError(problem)

    def _problem_of(self, fold: Fold) -> str | None:
        """Says why nothing can be fitted on this fold, or None."""
        if not len(fold.x) or not len(fold.x_score):
            return "the fold has no examples to train on or to score"
        return self.problem_with(fold.x, fold.classes)


def completed(member: Member, fitted: Fitted) -> Result:
    """Returns the result of a member whose fit went well; it DIVERGED where it predicts NaN."""
    if fitted.predictions is not None and not np.isfinite(fitted.predictions).all():
        return failed(
            member, DivergedError("a prediction is NaN or infinite"), fitted.standalone_seconds
        )
    return Result(
        member,
        Outcome.COMPLETED,
        fitted.predictions,
        fitted.train_predictions,
        fitted.parameters,
        fitted.standalone_seconds,
        scores=fitted.scores,
        model=fitted.model,
    )


def failed(member: Member, error: Exception, seconds: float) -> Result:
    """Returns the result of a member whose fit raised that, after so many seconds."""
    return Result(member, outcome_of(error), standalone_seconds=seconds, error=describe(error))


def outcome_of(error: Exception) -> Outcome:
    """Returns the outcome that an exception stands for."""
    if isinstance(error, DivergedError):
        return Outcome.DIVERGED
    if isinstance(error, TimedOutError):
        return Outcome.TIMED_OUT
    if isinstance(error, MemoryError):
        return Outcome.OUT_OF_MEMORY
    return Outcome.CRASHED


def describe(error: Exception) -> str:
    """Returns the exception as a line for people; our own need no type in front."""
    if isinstance(error, DivergedError | TimedOutError | UnsuitableDataError):
        return str(error)
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
