"""Probabilities out of decisions: the temperature that is likeliest for unseen examples."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from sklearn.model_selection import StratifiedKFold

Decisions = npt.NDArray[np.float64]
"""Shape (examples, classes): how much speaks for each class."""

Decide = Callable[[npt.NDArray[np.int64], npt.NDArray[np.int64]], Decisions]
"""Fits on the first examples, by their places, and returns its decisions on the second."""

FOLDS = 3
"""Parts of the training examples, each decided by a fit on the others."""

COLDEST, HOTTEST = 1e-2, 1e2


def temperature(y: npt.NDArray[np.int64], seed: int, decide: Decide) -> float:
    """Returns what decisions are divided by before their softmax is taken (Guo et al. 2017).

    It is the likeliest one for examples that a fit hasn't seen: each third of the training
    examples is decided by a fit on the others. It changes no answer.

    Args:
        y: Shape (examples,): classes, not all alike.
        seed: Deals the examples.
        decide: Fits and decides.

    Returns:
        A number between 1e-2 and 1e2; 1 where a class has a single example.
    """
    _, columns, counts = np.unique(y, return_inverse=True, return_counts=True)
    folds = min(FOLDS, int(counts.min()))
    if folds < 2:
        return 1.0
    decisions = np.empty((len(y), len(counts)))
    dealt = StratifiedKFold(folds, shuffle=True, random_state=seed).split(y[:, np.newaxis], y)
    for fitted, left in dealt:
        decisions[left] = decide(fitted, left)

    def loss(log_temperature: float) -> float:
        scaled = log_softmax(decisions / np.exp(log_temperature), axis=1)
        return -float(np.mean(scaled[np.arange(len(y)), columns]))

    bounds = (np.log(COLDEST), np.log(HOTTEST))
    return float(np.exp(minimize_scalar(loss, bounds=bounds, method="bounded").x))
