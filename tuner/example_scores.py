"""A metric at each test example, or at groups of them where it has no value at one."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tuner import catalog
from tuner.returns.jackknife import auc, pseudo_values
from tuner.scoring import SMALLEST, Predictions, Truth

Floats = npt.NDArray[np.float64]

GROUPS = 50
"""Groups of the jackknife of a metric that is no mean over examples."""


def example_scores(
    metric: str,
    predictions: Sequence[Predictions],
    y: Truth,
    clusters: npt.NDArray[np.int64] | None = None,
) -> Floats:
    """Returns values whose mean is the metric and whose spread is its own over examples.

    Args:
        metric: One of the catalog's.
        predictions: Of one test, each of the shape (examples, classes) or (examples,).
        y: Shape (examples,): the truth.
        clusters: What each example belongs to; a metric that is no mean takes whole
            clusters away together. One that is has values by example all the same.

    Returns:
        Shape (predictions, examples) of a mean over examples; else (predictions, groups),
        the pseudo-values of `tuner.returns.jackknife`.

    Raises:
        ValueError: A class has too few examples to leave some out.
    """
    p = np.asarray(predictions, dtype=np.float64)
    if catalog.METRICS[metric].mean:
        return np.array([_OF_EACH[metric](y, one) for one in p])
    whole = p[..., 1] if metric == "auc" and p.shape[-1] == 2 and p.ndim == 3 else p
    values: Floats = pseudo_values(
        auc if whole.ndim < p.ndim else _OF_ALL[metric],
        y,
        whole,
        GROUPS,
        clusters=clusters,
        classes=whole.ndim == 3,
        stratify=catalog.METRICS[metric].task == "classification",
    )
    return values


def _right(y: Truth, p: Predictions) -> Floats:
    right: Floats = (p.argmax(axis=1) == y).astype(np.float64)
    return right


def _brier(y: Truth, p: Predictions) -> Floats:
    residual = p.copy()
    residual[np.arange(len(y)), y.astype(np.int64)] -= 1
    squared: Floats = np.sum(residual**2, axis=1)
    return squared


def _log_loss(y: Truth, p: Predictions) -> Floats:
    clipped = np.maximum(p, SMALLEST)
    of_truth = clipped[np.arange(len(y)), y.astype(np.int64)]
    losses: Floats = -np.log(of_truth / clipped.sum(axis=1))
    return losses


_OF_EACH: dict[str, Callable[[Truth, Predictions], Floats]] = {
    "error": lambda y, p: 1 - _right(y, p),
    "accuracy": _right,
    "brier": _brier,
    "log_loss": _log_loss,
    "mae": lambda y, p: np.abs(p - y),
}


def _balanced(y: npt.NDArray[Any], p: Floats) -> float:
    right = p.argmax(axis=1) == y
    return float(np.mean([right[y == k].mean() for k in np.unique(y)]))


def _auc_of_many(y: npt.NDArray[Any], p: Floats) -> float:
    return float(np.mean([auc(y == k, p[:, int(k)]) for k in np.unique(y)]))


_OF_ALL: dict[str, Callable[[npt.NDArray[Any], Floats], float]] = {
    "auc": _auc_of_many,
    "balanced_accuracy": _balanced,
    "rmse": lambda y, p: math.sqrt(float(np.mean((p - y) ** 2))),
    "r2": lambda y, p: 1 - float(np.mean((p - y) ** 2)) / float(np.var(y)),
}
