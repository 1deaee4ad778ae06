"""Rosenblatt's perceptron (1958), one a class, and its averaged form (Freund & Schapire 1999)."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from tuner.catalog import Value
from tuner.datasets.base import Features, Fold
from tuner.learners.base import Device
from tuner.learners.fits import TRAIN_SCORED, Fitted, LoopingLearner, TimedOutError
from tuner.scoring import DivergedError

Weights = npt.NDArray[np.float64]
"""Shape (classes, features + 1); the last column is the bias."""

_STEPS_BETWEEN_LOOKS = 2_000
"""Examples shown before the deadline is looked at again: some tens of milliseconds."""


class Perceptron(LoopingLearner):
    """One linear threshold unit a class, corrected whenever it is wrong.

    A perceptron answers with a class and no probabilities of its own: the rows
    are 1 for the answer and 0 elsewhere, so its Brier score is twice its error
    and its log loss counts only wrong answers, at the clipping's price.
    """

    name = "perceptron"

    def fit(
        self,
        axis: str,
        setting: Mapping[str, Value],
        levels: Sequence[int],
        fold: Fold,
        device: Device,
    ) -> Iterator[Fitted]:
        """Trains on seeded shuffles of the fold and yields the one level."""
        clock = time.perf_counter()
        # Weights that overflow are found at the end and reported as what they are.
        with threadpool_limits(device.threads), np.errstate(over="ignore", invalid="ignore"):
            weights = train(
                _with_bias(fold.x),
                fold.y.astype(np.int64),
                fold.classes,
                learning_rate=float(setting["learning_rate"]),
                passes=int(setting["passes"]),
                averaged=bool(setting["averaged"]),
                seed=fold.seed,
                device=device,
            )
            score = _answers(weights, fold.x_score)
            train_part = _answers(weights, fold.x[:TRAIN_SCORED])
        yield Fitted(levels[0], score, train_part, weights.size, time.perf_counter() - clock)


def train(
    x: npt.NDArray[np.float64],
    y: npt.NDArray[np.int64],
    classes: int,
    *,
    learning_rate: float,
    passes: int,
    averaged: bool,
    seed: int,
    device: Device,
) -> Weights:
    """Returns the weights after `passes` over the data, or their average over all steps.

    A pass without a mistake changes nothing, so none after it is run; the
    average counts the steps left out all the same.

    Args:
        x: Shape (examples, features + 1), the last column 1.
        y: Shape (examples,).
        classes: Number of classes.
        learning_rate: Size of a correction. From weights of zero it scales all
            weights alike and changes no answer.
        passes: Passes over the data.
        averaged: Whether to return the average of the weights after each step.
        seed: Of the shuffles.
        device: Whose deadline counts.

    Raises:
        TimedOutError: The deadline passed.
        DivergedError: The weights overflowed.
    """
    random = np.random.default_rng(seed)
    signs = np.where(y[:, np.newaxis] == np.arange(classes), 1.0, -1.0)
    weights = np.zeros((classes, x.shape[1]))
    # Each correction times the steps before it: total - this / steps is the average.
    early = np.zeros_like(weights)
    step, steps = 0, passes * len(x)
    for number in range(passes):
        mistakes = False
        for example in random.permutation(len(x)).tolist():
            if step % _STEPS_BETWEEN_LOOKS == 0 and device.expired():
                raise TimedOutError(f"{number} of {passes} passes")
            row, sign = x[example], signs[example]
            for wrong in np.flatnonzero((weights @ row) * sign <= 0).tolist():
                mistakes = True
                correction = learning_rate * sign[wrong] * row
                weights[wrong] += correction
                if averaged:
                    correction *= step
                    early[wrong] += correction
            step += 1
        if not mistakes:
            break
    if averaged:
        weights -= early / steps
    if not np.isfinite(weights).all():
        raise DivergedError("a weight is NaN or infinite")
    return weights


def _with_bias(x: Features) -> npt.NDArray[np.float64]:
    rows = x.reshape(len(x), -1).astype(np.float64)
    return np.hstack([rows, np.ones((len(rows), 1))])


def _answers(weights: Weights, x: Features) -> npt.NDArray[np.float64]:
    answers = (_with_bias(x) @ weights.T).argmax(axis=1)
    return np.eye(len(weights))[answers]
