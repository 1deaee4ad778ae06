"""Predictions of a member, judged and scored."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tuner import own_code, scoring

SUMS_TO_ONE = 1e-3
"""How far the sum of a row of probabilities may be from 1."""


def score(
    predictions: scoring.Predictions, y: scoring.Truth, classes: int, metrics: Sequence[str]
) -> dict[str, float]:
    """Returns the scores.

    Args:
        predictions: What was predicted.
        y: Shape (examples,): the truth.
        classes: Number of classes; 0 where a number is predicted.
        metrics: The user's own, as "module:function".

    Raises:
        ValueError: The predictions are of another shape, or no probabilities.
        DivergedError: One is no number.
    """
    wanted = (len(y), classes) if classes else (len(y),)
    if np.shape(predictions) != wanted:
        raise ValueError(
            f"the predictions have the shape {np.shape(predictions)}; {wanted} is needed: a row an "
            "example, with a probability a class or one value"
        )
    # What is no number has diverged, which scoring says.
    finite = bool(np.isfinite(predictions).all())
    if (
        classes
        and finite
        and (np.min(predictions) < 0 or np.abs(np.sum(predictions, axis=1) - 1).max() > SUMS_TO_ONE)
    ):
        raise ValueError("the predictions are no probabilities: a row must sum to 1, none below 0")
    # The user's own metrics stay with their modules once imported.
    return scoring.scores(predictions, y, {name: own_code.load(name) for name in metrics})
