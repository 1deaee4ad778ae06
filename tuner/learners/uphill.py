"""Which way an example's loss rises: what the gradients of differentiable models share."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tuner.datasets.base import Features, Labels

Floats = npt.NDArray[np.float64]


def by_scores(scores: npt.NDArray[Any], y: Labels) -> Floats:
    """Returns which way each example's cross-entropy rises with the scores before the softmax.

    With s_y the score of the true class, the cross-entropy is log(1 + exp(m)) where
    m = logsumexp of the other scores - s_y. So its gradient is that of m times a positive
    factor, the probability of an error, which underflows where the model is very sure;
    that of m never vanishes.

    Args:
        scores: Shape (examples, classes); -inf where a class can't be.
        y: Shape (examples,): classes.

    Returns:
        Shape (examples, classes): -1 at the true class, at the others their share of the
        probability of an error; 0 at these where none of them can be.
    """
    place = np.arange(len(scores))
    found = np.array(scores, dtype=np.float64)
    found[place, y] = -np.inf
    highest = found.max(axis=1, keepdims=True)
    found = np.exp(found - np.where(np.isfinite(highest), highest, 0.0))
    found /= np.maximum(found.sum(axis=1, keepdims=True), 1.0)
    found[place, y] = -1.0
    return found


def like(gradient: npt.NDArray[Any], x: Features) -> Features:
    """Returns gradients in the shape and type of x, each example's largest value 1 or -1.

    In single precision no direction vanishes or overflows then; one that is 0 stays so.
    """
    rows = gradient.reshape(len(x), -1).astype(np.float64)
    largest = np.abs(rows).max(axis=1, keepdims=True, initial=0.0)
    return (rows / np.where(largest > 0, largest, 1.0)).astype(x.dtype).reshape(x.shape)
