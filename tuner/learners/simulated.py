"""A learner whose returns curve is known beforehand, for trying out policies and clusters."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from tuner.catalog import Value
from tuner.datasets.base import Fold
from tuner.learners.base import Device, Model
from tuner.learners.fits import Fitted, LoopingLearner, TimedOutError
from tuner.record import seed_of
from tuner.scoring import DivergedError

BEST_LEARNING_RATE = 0.01

PENALTY = 0.05
"""Error added at a learning rate ten times too large or too small."""

SHARED = 0.5
"""Share of the noise's variance that a replicate has in common at all levels."""


def expected_error(level: int, setting: Mapping[str, Value]) -> float:
    """Returns the error at a level before noise: the curve that is to be found.

    It is `floor` + `gain` * log2(`plateau` / level) below the plateau and
    `floor` from there on, plus 0.05 * log10(`learning_rate` / 0.01)^2, and is
    not yet clipped to 0..1.
    """
    doublings = max(0.0, math.log2(float(setting["plateau"]) / level))
    off = math.log10(float(setting["learning_rate"]) / BEST_LEARNING_RATE)
    return float(setting["floor"]) + float(setting["gain"]) * doublings + PENALTY * off**2


class Simulated(LoopingLearner):
    """Looks at no data: its scores are the known curve plus a replicate's noise.

    The noise is normal with standard deviation `noise`. Half of its variance is
    the replicate's own, alike at all levels, as the difficulty of a real split
    is: levels correlate by 0.5, and paired differences between them vary with
    `noise` instead of `noise` times the root of 2. Brier score and log loss are
    given as equal to the error, and what is better the larger as 1 less it, so that any
    metric shows the same curve.

    A level costs `seconds` times the level, and has as many parameters as its
    number says.
    """

    name = "simulated"
    nested = frozenset({"trees"})

    def train(self, setting: Mapping[str, Value], fold: Fold, device: Device) -> Model:
        """Raises ValueError: there is no model behind the known curve."""
        raise ValueError("simulated has no model: its scores are made, not predicted")

    def fit(
        self,
        axis: str,
        setting: Mapping[str, Value],
        levels: Sequence[int],
        fold: Fold,
        device: Device,
    ) -> Iterator[Fitted]:
        """Takes as long as a fit is to take, then yields the levels that don't fail."""
        seconds = float(setting["seconds"])
        _wait(seconds, device)
        failed = [level for level in levels if _fails(fold.seed, level, setting)]
        for level in levels:
            if level in failed:
                continue
            noise = float(setting["noise"]) * _noise(fold.seed, level)
            error = min(max(expected_error(level, setting) + noise, 0.0), 1.0)
            right = dict.fromkeys(("accuracy", "auc", "balanced_accuracy"), 1 - error)
            scores = {**dict.fromkeys(("error", "brier", "log_loss"), error), **right}
            yield Fitted(level, None, None, level, seconds * level, scores)
        if failed:
            raise DivergedError("simulated to diverge, as `failures` asks for")


def _wait(seconds: float, device: Device) -> None:
    """Waits for as long as the fit is to take. Raises TimedOutError at the deadline."""
    end = device.clock() + seconds
    never = threading.Event()
    while (left := min(end, device.deadline) - device.clock()) > 0:
        never.wait(left)
    if end > device.deadline:
        raise TimedOutError(f"less than the {seconds:g} s that the fit was to take")


def _noise(seed: int, level: int) -> float:
    """Returns standard normal noise, part of it the replicate's, part the level's too."""
    own = np.random.default_rng([seed, 0]).standard_normal()
    levels = np.random.default_rng([seed, level]).standard_normal()
    return float(math.sqrt(SHARED) * own + math.sqrt(1 - SHARED) * levels)


def _fails(seed: int, level: int, setting: Mapping[str, Value]) -> bool:
    """Tells whether this fit is among the share that diverges: the same ones every time."""
    described = repr(sorted(setting.items()))
    return seed_of("failure", seed, level, described) / 2**32 < float(setting["failures"])
