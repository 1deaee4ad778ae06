"""Learners that fit one model a member: a family says only how a model is trained."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence

from tuner.catalog import Value
from tuner.datasets.base import Fold
from tuner.learners.base import Device
from tuner.learners.fits import TRAIN_SCORED, Fitted, LoopingLearner


class ModelLearner(LoopingLearner):
    """A learner whose levels are models of their own. Whatever it nests it fits itself."""

    def fit(
        self,
        axis: str,
        setting: Mapping[str, Value],
        levels: Sequence[int],
        fold: Fold,
        device: Device,
    ) -> Iterator[Fitted]:
        """Trains a model at the one level and asks it."""
        clock = time.perf_counter()
        model = self.train({**setting, axis: levels[0]} if axis else setting, fold, device)
        yield Fitted(
            levels[0],
            model.predict(fold.x_score),
            model.predict(fold.x[:TRAIN_SCORED]),
            model.parameters,
            time.perf_counter() - clock,
            model=model,
        )
