"""How likely each level is to be the smallest that suffices."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tuner.curve import Question
from tuner.returns.bounds import Floats
from tuner.returns.evidence import Evidence

FEWEST = 5
"""Replicates below which the spread is known too badly for a probability to mean anything."""

DRAWS = 20_000
"""Posterior draws: a probability is off by at most .007 in 19 of 20 cases."""


def level_probabilities(
    question: Question, evidence: Evidence, *, seed: int = 0, draws: int = DRAWS
) -> dict[float, float] | None:
    """Returns the posterior chance of each measured level to be the smallest that suffices.

    Draws of the levels' means come from a multivariate t around the measured ones,
    with the covariance of the replicates and, where examples are known, of the
    examples beside it; each counts for the level that suffices by it. For any two
    levels this is the posterior of a Gaussian difference under the usual reference
    prior (Box and Tiao 1973, "Bayesian inference in statistical analysis", chapter 2),
    whose interval is the paired t's. It assumes near-Gaussian replicates and no
    opinion beforehand, and is no test: a probability of .95 has no error rate when
    one looks until it is reached.

    Args:
        question: What is asked.
        evidence: What was measured; only replicates that all levels share count.
        seed: Of the draws.
        draws: How many.

    Returns:
        Level to chance, adding up to 1; None below `FEWEST` common replicates, or
        where replicates aren't paired.
    """
    joint = evidence.joint()
    if joint is None or joint.replicates < FEWEST:
        return None
    rng = np.random.default_rng(seed)
    means = np.broadcast_to(joint.means, (draws, len(joint.levels))).copy()
    for factor, degrees in joint.factors:
        means += _student(rng, factor, degrees, draws)
    sign = -1.0 if question.direction == "minimize" else 1.0
    bottom = joint.levels[0]
    worth = sign * means
    if joint.equal is not None:
        worth += _student(rng, *joint.equal, draws)
    tolls = [question.toll(bottom, k) / joint.unit for k in joint.levels]
    chosen = _sufficient(worth - np.asarray(tolls))
    chances = np.bincount(chosen, minlength=len(joint.levels)) / draws
    return dict(zip(joint.levels, chances.tolist(), strict=True))


def _student(rng: np.random.Generator, factor: Floats, degrees: int, draws: int) -> Floats:
    """Returns draws (draws, levels) of a centred multivariate t."""
    if len(factor) > factor.shape[1]:
        # A square root of fewer rows has the same covariance, and needs fewer draws.
        factor = np.asarray(np.linalg.qr(factor, mode="r"), dtype=np.float64)
    normal = rng.standard_normal((draws, len(factor))) @ factor
    scale = np.sqrt(degrees / rng.chisquare(degrees, draws))
    drawn: Floats = normal * scale[:, None]
    return drawn


def _sufficient(worth: Floats) -> npt.NDArray[np.intp]:
    """Returns, by row, the first column that is above all columns to its right."""
    # The running maximum from the right, of what lies beyond each column.
    beyond = np.flip(np.maximum.accumulate(np.flip(worth, axis=1), axis=1), axis=1)[:, 1:]
    suffices = np.ones(worth.shape, dtype=bool)
    suffices[:, :-1] = beyond < worth[:, :-1]
    first: npt.NDArray[np.intp] = suffices.argmax(axis=1)
    return first
