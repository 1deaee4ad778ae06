"""How many trees a forest needs, from one fit.

Every smaller forest is inside a larger one, and the expected Brier score of T
trees is a + b/T exactly (`tuner.returns.tree_residuals`). So one fit of B trees
gives the whole curve, sizes above B included, with its spread over trees.

Sources: Breiman 2001, "Random forests", for the limit at infinitely many trees;
Probst and Boulesteix 2018, "To tune or not to tune the number of trees in random
forest", for why more trees never hurt the expected Brier score and may hurt the
error rate. Log loss has no such form: a logarithm of a mean isn't a sum over pairs
of trees. The error rate has none either and may go up and down with T, so it is
shown beside the curve and nothing is judged on it.
"""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

from tuner.returns.tree_residuals import Floats, TreeMoments, TreeResiduals

OUTSIDE = 1e-6
"""How far a probability may lie outside 0 to 1: float32 sums to 1 no better."""


@dataclass(frozen=True)
class ForestSize:
    """One size of the forest.

    Attributes:
        trees: T.
        brier: Expected Brier score of T trees.
        low: Lower bound; those of all sizes hold together with chance 1 - alpha.
        high: Upper bound.
        error: Error rate of the fit's first T trees, of its most probable class (the
            first one where several are); None above the fit's trees, or where the
            curve was made without probabilities.
    """

    trees: int
    brier: float
    low: float
    high: float
    error: float | None = None


@dataclass(frozen=True)
class ForestGain:
    """What one size gains over the one below.

    Attributes:
        below: Trees of the size below.
        trees: Trees of this size.
        gain: How much the expected Brier score falls; never negative.
        low: Lower bound; those of all steps hold together with chance 1 - alpha.
        high: Upper bound.
    """

    below: int
    trees: int
    gain: float
    low: float
    high: float


@dataclass(frozen=True)
class ForestCurve:
    """The expected Brier score of a forest against its trees: a + b/T.

    Conditional on the training set and on the test examples: bounds say how far
    another draw of trees on the same data may lie, not another data set. A bound
    may reach below 0, where no truth lies; with two trees all are infinite.

    Attributes:
        sizes: By size, rising. Sizes above `trees` are extrapolated, which is as sound
            as the rest: the form holds at every T.
        gains: Over the size below, from the second size up.
        a: The expected Brier score of infinitely many trees.
        b: What one tree is worse than that; never negative.
        limit_low: Lower bound of a, which holds with chance 1 - alpha by itself.
        limit_high: Upper bound of a.
        trees: B, the trees of the fit.
        examples: m, the test examples.
        alpha: Chance that the bounds of the sizes fail, and that those of the gains do.
    """

    sizes: tuple[ForestSize, ...]
    gains: tuple[ForestGain, ...]
    a: float
    b: float
    limit_low: float
    limit_high: float
    trees: int
    examples: int
    alpha: float

    @property
    def limit(self) -> float:
        """The expected Brier score of infinitely many trees: a."""
        return self.a

    def brier_at(self, trees: int) -> float:
        """Returns the expected Brier score of any number of trees, also above the fit's.

        Raises:
            ValueError: trees is not a positive whole number.
        """
        return self.a + self.b / _size(trees, "trees")

    def sufficient(self, margin: float) -> int:
        """Returns the smallest size that suffices by the estimates.

        Size k suffices where U_j < U_k for every larger size j, with
        U_k = −brier_k − margin·log2(T_k). The largest has no larger one and always
        does, so that answer means no more than "not below it".

        Args:
            margin: Least fall of the Brier score per doubling that is worth having, in
                the unit of the probabilities' form (`forest_curve` says which).

        Raises:
            ValueError: margin is negative or not finite.
        """
        if not (math.isfinite(margin) and margin >= 0):
            raise ValueError(f"margin is {margin}; give a finite number, at least 0")
        ladder = [row.trees for row in self.sizes]
        return next(
            k
            for i, k in enumerate(ladder)
            if all(
                self.b * (1 / k - 1 / j) - margin * math.log2(j / k) < 0 for j in ladder[i + 1 :]
            )
        )


def forest_curve(
    probabilities: npt.NDArray[Any],
    labels: npt.ArrayLike,
    sizes: Sequence[int],
    alpha: float = 0.05,
) -> ForestCurve:
    """Returns the expected Brier score and its spread at each size, from one fit.

    Estimates are unbiased, of forests of T such trees on the same training set and
    test examples. Bounds are jackknife standard errors over trees times a t quantile
    with B−1 degrees of freedom. Together they hold with chance 1 - alpha: gains are all
    multiples of b, so its own quantile serves them all; scores are all a + b/T, so
    Scheffé's band (1953, "A method for judging all contrasts") does, where Bonferroni's
    correction over the sizes isn't narrower.

    Assumes exchangeable trees: bagged or randomised alike, given in any order that
    doesn't depend on their predictions. A forest pruned or weighted by performance
    isn't one, and a + b/T is wrong for it. `TreeMoments` says when bounds are too narrow.

    Args:
        probabilities: p_t, or hard votes as 0 and 1. Shape (B, m) of class 1 in a binary
            task, or (B, m, C) for C classes. The Brier score is the squared distance
            from the truth summed over what is there: over both classes it is twice that
            of class 1 alone, and so is the margin that means the same.
        labels: Shape (m,): 0 to C-1, or bool.
        sizes: Numbers of trees, rising; they may exceed B.
        alpha: Chance that the bounds fail.

    Raises:
        ValueError: An argument has a wrong shape or value; it is named.
    """
    p = np.asarray(probabilities)
    if p.ndim not in (2, 3) or p.shape[0] < 2 or p.shape[1] < 1 or (p.ndim == 3 and p.shape[2] < 2):
        raise ValueError(
            f"probabilities have the shape {p.shape}; give (trees, examples) for class 1 or "
            "(trees, examples, classes), of two trees at least"
        )
    ladder = _ladder(sizes)
    truth = _truth(labels, p.shape[1], p.shape[2] if p.ndim == 3 else None)
    residuals, votes, errors = TreeResiduals(), np.zeros_like(truth), {}
    # A tree at a time: no copy of all, however many trees and whatever their dtype.
    for t, row in enumerate(p, start=1):
        tree = row.astype(np.float64)
        if not ((tree >= -OUTSIDE) & (tree <= 1 + OUTSIDE)).all():
            raise ValueError(f"probabilities of tree {t - 1} are not all between 0 and 1")
        residuals.add(tree - truth)
        votes += tree
        if t in ladder:
            errors[t] = _error(votes, truth, t)
    for row in p:
        residuals.revisit(row.astype(np.float64) - truth)
    return curve_of_moments(residuals.moments(), ladder, alpha, errors)


def curve_of_moments(
    moments: TreeMoments,
    sizes: Sequence[int],
    alpha: float = 0.05,
    errors: Mapping[int, float] | None = None,
) -> ForestCurve:
    """Returns what `forest_curve` does, from residuals that were summed elsewhere.

    Args:
        moments: Of `TreeResiduals` or of a Gram matrix.
        sizes: Numbers of trees, rising; they may exceed B.
        alpha: Chance that the bounds fail.
        errors: Error rates by size, shown beside the scores.

    Raises:
        ValueError: sizes are not rising positive whole numbers, or alpha is not
            between 0 and 1.
    """
    ladder = _ladder(sizes)
    if not 0 < alpha < 1:
        raise ValueError(f"alpha is {alpha}; give a number between 0 and 1")
    a, b, errors = moments.a, moments.b, errors or {}

    def bounds(of_a: float, of_b: float, quantile: float) -> tuple[float, float, float]:
        estimate = of_a * a + of_b * b
        width = quantile * moments.standard_error(of_a, of_b)
        return estimate, estimate - width, estimate + width

    steps = itertools.pairwise(ladder)
    alone = float(stats.t.isf(alpha / 2, moments.trees - 1))
    band = _band(moments.trees, len(ladder), alpha)
    _, limit_low, limit_high = bounds(1, 0, alone)
    return ForestCurve(
        sizes=tuple(ForestSize(t, *bounds(1, 1 / t, band), errors.get(t)) for t in ladder),
        gains=tuple(ForestGain(k, j, *bounds(0, 1 / k - 1 / j, alone)) for k, j in steps),
        a=a,
        b=b,
        limit_low=limit_low,
        limit_high=limit_high,
        trees=moments.trees,
        examples=moments.examples,
        alpha=alpha,
    )


def _band(trees: int, sizes: int, alpha: float) -> float:
    """Returns the quantile with which the bounds of all sizes hold together.

    The narrower of two that are known beforehand, so it may be chosen.
    """
    bonferroni = float(stats.t.isf(alpha / (2 * sizes), trees - 1))
    if trees < 3:
        return bonferroni
    scheffe = 2 * (trees - 1) / (trees - 2) * float(stats.f.isf(alpha, 2, trees - 2))
    return min(bonferroni, math.sqrt(scheffe))


def _truth(labels: npt.ArrayLike, examples: int, classes: int | None) -> Floats:
    """Returns y in the form of the probabilities: (m,) of class 1, or one-hot (m, C)."""
    y = np.asarray(labels)
    if y.shape != (examples,):
        raise ValueError(f"labels have the shape {y.shape}; probabilities have {examples} examples")
    if y.dtype.kind not in "biu":
        raise ValueError(f"labels are of the type {y.dtype}; give whole numbers or bool")
    most = 1 if classes is None else classes - 1
    if y.min() < 0 or y.max() > most:
        raise ValueError(
            f"labels run from {y.min()} to {y.max()}; probabilities are of 0 to {most}"
        )
    return y.astype(np.float64) if classes is None else np.eye(classes)[y.astype(np.intp)]


def _error(votes: Floats, truth: Floats, trees: int) -> float:
    """Returns the error rate of the mean probability, of hard votes the majority."""
    if votes.ndim == 1:
        return float(np.mean((votes > trees / 2) != (truth > 0)))
    return float(np.mean(votes.argmax(axis=1) != truth.argmax(axis=1)))


def _size(value: int, name: str) -> int:
    """Returns a number of trees. Raises ValueError where it is none."""
    try:
        size = operator.index(value)
    except TypeError:
        size = 0
    if size < 1 or isinstance(value, (bool, np.bool_)):
        raise ValueError(f"{name}: {value!r} is not a positive whole number")
    return size


def _ladder(sizes: Sequence[int]) -> list[int]:
    ladder = [_size(size, "sizes") for size in sizes]
    if not ladder or any(k >= j for k, j in itertools.pairwise(ladder)):
        raise ValueError(f"sizes are {ladder}; give at least one, each larger than the one before")
    return ladder
