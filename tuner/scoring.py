"""What predictions are worth: the catalog's metrics, in one place for every learner."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from tuner.returns.jackknife import auc

SMALLEST = 1e-15
"""Probabilities are raised to this before their logarithm is taken."""

Predictions = npt.NDArray[np.float64]
"""Shape (examples, classes): probabilities; of a regression (examples,): values."""

Truth = npt.NDArray[np.int64] | npt.NDArray[np.float64]
"""Shape (examples,): classes counted from 0, or the values to predict."""

Scorer = Callable[[Truth, Predictions], float]
"""A metric of a user's own: called as scorer(truth, predictions)."""


class DivergedError(ArithmeticError):
    """A loss or a prediction is NaN or infinite; the outcome is DIVERGED."""


def scores(
    predictions: Predictions, y: Truth, own: Mapping[str, Scorer] | None = None
) -> dict[str, float]:
    """Returns every metric of the catalog for the task, and those of a user's own.

    Args:
        predictions: Shape (examples, classes): probabilities, which classify. Shape
            (examples,): values, which are a regression's.
        y: Shape (examples,): the truth.
        own: Metrics of a user's own, by name.

    Returns:
        Of a classification `error` and `accuracy`, of the most probable class (of the
        first one where several are); `balanced_accuracy`, the mean over the classes that
        are there; `auc`, of more than two classes the mean of each against the rest;
        `brier`, the squared distance from the truth summed over classes, 0 to 2; and
        `log_loss` in nats, of probabilities raised to 1e-15 and scaled to sum to 1. Of a
        regression `mae` and `rmse` in the target's units, and `r2`. What isn't defined is
        left out: `auc` where only one class is there, `r2` where the truth is constant.

    Raises:
        DivergedError: A prediction is NaN or infinite, or a score of finite ones is.
        ValueError: The shapes don't agree, there are no examples, or a metric of a
            user's own returned no number.
    """
    p = np.asarray(predictions, dtype=np.float64)
    if p.ndim not in (1, 2) or len(p) != len(y) or not len(y):
        raise ValueError(
            f"predictions have the shape {p.shape} for {len(y)} examples; a row an example is "
            "needed, with a column a class or one value"
        )
    if not np.isfinite(p).all():
        what = "probability" if p.ndim == 2 else "value"
        raise DivergedError(f"a predicted {what} is NaN or infinite")
    found = _of_classes(p, y.astype(np.int64)) if p.ndim == 2 else _of_values(p, y)
    if not all(map(math.isfinite, found.values())):
        raise DivergedError("the predictions are so far off that a score is infinite")
    for name, scorer in (own or {}).items():
        found[name] = _asked(name, scorer, y, p)
    return found


def _of_classes(p: Predictions, y: npt.NDArray[np.int64]) -> dict[str, float]:
    rows = np.arange(len(y))
    right = p.argmax(axis=1) == y
    error = float(np.mean(~right))
    residual = p.copy()
    residual[rows, y] -= 1
    clipped = np.maximum(p, SMALLEST)
    clipped /= clipped.sum(axis=1, keepdims=True)
    counts = np.bincount(y, minlength=p.shape[1])
    there = counts > 0
    found = {
        "error": error,
        "accuracy": 1 - error,
        "balanced_accuracy": float(
            np.mean(np.bincount(y[right], minlength=len(counts))[there] / counts[there])
        ),
        "brier": float(np.mean(np.sum(residual**2, axis=1))),
        "log_loss": float(-np.mean(np.log(clipped[rows, y]))),
    }
    if there.sum() >= 2:
        # Of two classes either one's area is the other's: the second is the positive one.
        positives = [1] if len(counts) == 2 else np.flatnonzero(there)
        found["auc"] = float(np.mean([auc(y == k, p[:, k]) for k in positives]))
    return found


def _of_values(p: Predictions, y: Truth) -> dict[str, float]:
    with np.errstate(over="ignore"):
        residual = p - y
        squared = float(np.mean(residual**2))
        spread = float(np.var(y))
        found = {"mae": float(np.mean(np.abs(residual))), "rmse": math.sqrt(squared)}
        if spread > 0:
            found["r2"] = 1 - squared / spread
    return found


def _asked(name: str, scorer: Scorer, y: Truth, p: Predictions) -> float:
    try:
        # Copies: what is kept and scored after it must not be what it makes of them.
        value: object = scorer(y.copy(), p.copy())
    except Exception as error:
        raise ValueError(f"{name} raised {type(error).__name__}: {error}") from error
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} returned {value!r}; a metric returns a number") from error
    if not math.isfinite(number):
        raise ValueError(f"{name} returned {number}; a metric returns a finite number")
    return number
