"""What predictions are worth: the catalog's metrics, in one place for every learner."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tuner.datasets.base import Labels

SMALLEST = 1e-15
"""Probabilities are raised to this before their logarithm is taken."""


class DivergedError(ArithmeticError):
    """A loss or a prediction is NaN or infinite; the outcome is DIVERGED."""


def scores(probabilities: npt.NDArray[np.float64], y: Labels) -> dict[str, float]:
    """Returns every metric of the catalog.

    Args:
        probabilities: Shape (examples, classes).
        y: Shape (examples,): the true classes.

    Returns:
        `error` and `accuracy`, of the most probable class (of the first one
        where several are); `brier`, the squared distance from the truth summed
        over classes, 0 to 2; `log_loss` in nats, of probabilities raised to
        1e-15 and scaled to sum to 1. All are means over the examples.

    Raises:
        DivergedError: A probability is NaN or infinite.
        ValueError: The shapes don't agree, or there are no examples.
    """
    p = np.asarray(probabilities, dtype=np.float64)
    if p.ndim != 2 or len(p) != len(y) or not len(y):
        raise ValueError(
            f"probabilities have the shape {p.shape} for {len(y)} examples; "
            "a row an example and a column a class are needed"
        )
    if not np.isfinite(p).all():
        raise DivergedError("a predicted probability is NaN or infinite")
    rows = np.arange(len(y))
    error = float(np.mean(p.argmax(axis=1) != y))
    residual = p.copy()
    residual[rows, y] -= 1
    clipped = np.maximum(p, SMALLEST)
    clipped /= clipped.sum(axis=1, keepdims=True)
    return {
        "error": error,
        "accuracy": 1 - error,
        "brier": float(np.mean(np.sum(residual**2, axis=1))),
        "log_loss": float(-np.mean(np.log(clipped[rows, y]))),
    }
