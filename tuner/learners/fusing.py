"""What learners share that train many members of a packet as one batched model."""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from tuner.catalog import Value
from tuner.datasets.base import Fold
from tuner.learners.base import Device, Result
from tuner.learners.fits import (
    Fitted,
    LoopingLearner,
    TimedOutError,
    completed,
    failed,
)
from tuner.record import Member, Setting

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Failure:
    """Why a member of a batch has no fit.

    Attributes:
        error: What its lone fit would have raised.
        seconds: What its lone fit would have taken until then.
    """

    error: Exception
    seconds: float


@dataclass(frozen=True)
class Part:
    """A member of a batch: hyperparameters, the level's among them, and data."""

    setting: Mapping[str, Value]
    fold: Fold


class FusingLearner(LoopingLearner):
    """A learner that trains members of one shape together.

    Of one shape are members at one level whose settings differ in nothing but what
    `fused` names, and whose folds have equally many examples. They are trained as
    one batch, as large as the packet makes it. A member that has no other of its
    shape is fitted as if there were no batches, to the last bit. On an axis named in
    `nested` every member is.

    Where a batch doesn't fit into memory it is halved until it does, so that
    OUT_OF_MEMORY is said of nothing but a member alone. Where a batch raises
    anything else, its members are fitted one by one, each with its own outcome.
    """

    fused: ClassVar[frozenset[str]]

    @abstractmethod
    def fit_together(
        self, parts: Sequence[Part], level: int, device: Device
    ) -> Sequence[Fitted | Failure]:
        """Trains a batch and returns what came of each member, in their order.

        Each member is what it would be alone, to rounding: its seed, its rates, its
        own divergence. A passed deadline is the failure of all that still train.

        Args:
            parts: Two members or more, all of one shape.
            level: Their level.
            device: Where to run.

        Raises:
            MemoryError: Memory, the device's included, is exhausted.
        """

    def evaluate(
        self,
        axis: str,
        settings: Sequence[Setting],
        levels: Sequence[int],
        folds: Sequence[Fold],
        device: Device,
    ) -> Iterator[Result]:
        """Runs every setting at every level on every fold; see `base.Learner`."""
        if axis in self.nested:
            yield from super().evaluate(axis, settings, levels, folds, device)
            return
        for level in levels:
            batches: dict[object, list[tuple[Setting, Fold]]] = {}
            for setting in settings:
                same = tuple((name, value) for name, value in setting if name not in self.fused)
                for fold in folds:
                    shape: object = (same, fold.x.shape, fold.x_score.shape, fold.classes)
                    if self._problem_of(fold):
                        shape = (setting, fold.replicate)  # alone, where it says so
                    batches.setdefault(shape, []).append((setting, fold))
            for batch in batches.values():
                yield from self._batch(axis, level, batch, device)

    def _batch(
        self, axis: str, level: int, batch: Sequence[tuple[Setting, Fold]], device: Device
    ) -> Iterator[Result]:
        if len(batch) == 1:
            [(setting, fold)] = batch
            yield from self._contained(axis, setting, (level,), fold, device)
            return
        found: Sequence[Fitted | Failure] | None = None
        try:
            if device.expired():
                found = [Failure(TimedOutError("the fits before this one"), 0.0)] * len(batch)
            else:
                parts = [Part({**dict(setting), axis: level}, fold) for setting, fold in batch]
                found = self.fit_together(parts, level, device)
        except MemoryError:
            size = (len(batch) + 1) // 2
        except Exception:
            size = 1
            logger.warning(
                "%s: %d members at level %d are fitted one by one, for together they can't be",
                self.name, len(batch), level, exc_info=True,
            )  # fmt: skip
        # Out here, because a handled error's frames would hold on to the batch's memory.
        if found is None:
            for first in range(0, len(batch), size):
                yield from self._batch(axis, level, batch[first : first + size], device)
            return
        for (setting, fold), fitted in zip(batch, found, strict=True):
            member = Member(setting, level, fold.replicate)
            if isinstance(fitted, Failure):
                yield failed(member, fitted.error, fitted.seconds)
            else:
                yield completed(member, fitted)
