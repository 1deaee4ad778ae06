"""The spread over examples of metrics that aren't averages of examples.

Such a metric, AUC for one, has no value at a single example. The delete-group
jackknife makes values that serve as well: examples are dealt into G groups, the
metric is taken without each group, and the G pseudo-values stand in for G
examples wherever a variance over examples is reckoned.

Sources: Tukey 1958, "Bias and confidence in not-quite large samples"; Kott 2001,
"The delete-a-group jackknife".
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.intp]
Metric = Callable[[npt.NDArray[Any], npt.NDArray[Any]], float | Floats]


def pseudo_values(
    metric: Metric,
    labels: npt.ArrayLike,
    predictions: npt.ArrayLike,
    groups: int = 50,
    seed: int = 0,
    clusters: npt.ArrayLike | None = None,
    *,
    classes: bool = False,
    stratify: bool = True,
) -> Floats:
    """Returns pseudo-values of a metric: their mean is the metric, their spread its spread.

    P_g = θ + (G−1)·(mean of θ_(−h) over all h − θ_(−g)): the usual ones, shifted by
    their estimate of the metric's bias so that their mean is θ, the metric of all
    examples. Their variance over G estimates that of θ over draws of the examples. Of
    an average over equal groups they are the groups' averages.

    Groups depend on the labels, groups, seed and clusters alone, so rows of several
    calls on the same examples stay paired.

    Assumes independent examples, or independent clusters, and a metric that changes
    smoothly as examples leave. It fails for those that don't, such as a median, a
    maximum or an error at a threshold chosen on the same examples; and the variance is
    too noisy to use where there are few groups (at G of them its relative standard
    deviation is about √(2/(G−1)), of 50 a fifth).

    Args:
        metric: Called as metric(labels, row) with some of the examples; returns a number.
            `auc` is taken without each group in closed form, which is much faster.
        labels: Shape (m,).
        predictions: Shape (..., m), or (..., m, C) with `classes`; leading axes are levels
            and replicates.
        groups: Most groups. There are never more than examples or clusters.
        seed: Deals the examples.
        clusters: An id for each example, shape (m,). Whole clusters are dealt, evenly in
            examples.
        classes: Whether predictions have a last axis of classes.
        stratify: Whether labels are classes, to be dealt evenly so that no group takes
            one away. False where they are quantities.

    Returns:
        Shape (..., G).

    Raises:
        ValueError: Shapes don't agree; fewer than two groups; a class that only one
            example or cluster has, or that can't be spread over two groups; or the metric
            isn't finite.
    """
    y, p = np.asarray(labels), np.asarray(predictions)
    axis = p.ndim - (2 if classes else 1)
    if y.ndim != 1 or y.size == 0:
        raise ValueError(f"labels have the shape {y.shape}; give one row, at least one example")
    if axis < 0 or p.shape[axis] != y.size:
        raise ValueError(
            f"predictions have the shape {p.shape} for {y.size} labels; give (..., examples"
            f"{', classes' if classes else ''})"
        )
    group = _deal(y, groups, seed, clusters, stratify)
    rows = p.reshape(-1, *p.shape[axis:])
    whole, without = (_auc_without if metric is auc else _without)(metric, y, rows, group)
    if not (np.isfinite(whole).all() and np.isfinite(without).all()):
        raise ValueError("metric is not finite of all examples, or without one of the groups")
    count = without.shape[-1]
    centre = without.mean(axis=-1, keepdims=True)
    values: Floats = whole[:, None] + (count - 1) * (centre - without)
    return values.reshape(*p.shape[:axis], count)


def auc(labels: npt.NDArray[Any], scores: npt.NDArray[Any]) -> float | Floats:
    """Returns the area under the ROC curve.

    The share of pairs of a positive and a negative example in which the positive
    scores higher, ties counting half: Mann and Whitney's 1947 U, from midranks, over
    the number of pairs. Every example is in many pairs, so the variance isn't that of
    a share of independent trials (DeLong, DeLong and Clarke-Pearson 1988): use
    `pseudo_values`. It measures order only and says nothing of calibration.

    Args:
        labels: Shape (m,): bool, or 0 and 1; both must be there.
        scores: Shape (..., m): higher means more likely positive. May be infinite.

    Returns:
        0 to 1, shape (...): a number for one row.

    Raises:
        ValueError: labels are other than two classes, shapes don't agree, or a score is NaN.
    """
    positive, values = _two_classes(labels, scores)
    pairs = positive.sum() * (~positive).sum()
    areas = _wins(positive, values) / pairs
    return areas if areas.ndim else float(areas)


def _without(
    metric: Metric, labels: npt.NDArray[Any], rows: npt.NDArray[Any], group: Integers
) -> tuple[Floats, Floats]:
    """Returns the metric of each row, shape (rows,), and without each group, (rows, G)."""
    kept = [np.flatnonzero(group != g) for g in range(group.max() + 1)]
    kept_labels = [labels[keep] for keep in kept]
    whole = [float(metric(labels, row)) for row in rows]
    without = [
        [float(metric(y, row[keep])) for y, keep in zip(kept_labels, kept, strict=True)]
        for row in rows
    ]
    return np.array(whole), np.array(without).reshape(len(rows), len(kept))


def _auc_without(
    metric: Metric, labels: npt.NDArray[Any], rows: npt.NDArray[Any], group: Integers
) -> tuple[Floats, Floats]:
    """Does what `_without` does for `auc`, sorting each row once instead of G times.

    A group takes with it the pairs that its examples win for their side against
    everyone, less those inside the group, which that counts twice.
    """
    positive, scores = _two_classes(labels, rows)
    for_all = stats.rankdata(scores, axis=-1)
    among_positive = stats.rankdata(scores[:, positive], axis=-1)
    among_negative = stats.rankdata(scores[:, ~positive], axis=-1)
    won = np.empty_like(scores)
    # By each positive: over the negatives below it. By each negative: lost to the positives above.
    won[:, positive] = for_all[:, positive] - among_positive
    won[:, ~positive] = positive.sum() - (for_all[:, ~positive] - among_negative)
    total = won[:, positive].sum(axis=-1)
    without = np.empty((len(scores), group.max() + 1))
    for g in range(without.shape[1]):
        inside = group == g
        kept = positive[~inside]
        taken = won[:, inside].sum(axis=-1) - _wins(positive[inside], scores[:, inside])
        without[:, g] = (total - taken) / (kept.sum() * (~kept).sum())
    return total / (positive.sum() * (~positive).sum()), without


def _two_classes(labels: npt.ArrayLike, scores: npt.ArrayLike) -> tuple[npt.NDArray[Any], Floats]:
    """Returns which examples are positive, and the scores as floats."""
    y, values = np.asarray(labels), np.asarray(scores, dtype=np.float64)
    positive = y == 1
    if y.ndim != 1 or positive.all() or not (positive | (y == 0)).all() or not positive.any():
        raise ValueError("labels must be one row of 0 and 1 with both in it")
    if values.ndim < 1 or values.shape[-1] != y.size:
        raise ValueError(f"scores have the shape {values.shape} for {y.size} labels")
    if np.isnan(values).any():
        raise ValueError("scores are NaN in places")
    return positive, values


def _wins(positive: npt.NDArray[Any], scores: Floats) -> Floats:
    """Returns U: pairs in which the positive scores higher, ties counting half. Exact."""
    n = positive.sum()
    ranks = stats.rankdata(scores, axis=-1)
    wins: Floats = np.asarray(ranks[..., positive].sum(axis=-1) - n * (n + 1) / 2)
    return wins


def _deal(
    labels: npt.NDArray[Any],
    groups: int,
    seed: int,
    clusters: npt.ArrayLike | None,
    stratify: bool,
) -> Integers:
    """Returns each example's group, 0 to G−1, shape (m,)."""
    ids = np.arange(labels.size) if clusters is None else np.asarray(clusters)
    if ids.shape != labels.shape:
        raise ValueError(f"clusters have the shape {ids.shape} for {labels.size} labels")
    names, unit = np.unique(ids, return_inverse=True)
    classes, code = np.unique(labels, return_inverse=True)
    if not stratify:
        classes, code = classes[:1], np.zeros_like(code)
    count = min(groups, len(names))
    if count < 2:
        raise ValueError(f"groups would be {count}: two at least are needed")
    pieces = np.bincount(np.unique(np.stack([unit, code]), axis=1)[1])
    if (pieces < 2).any():
        raise ValueError(
            f"labels: only one {'example' if clusters is None else 'cluster'} has "
            f"{classes[pieces < 2][0]!r}, so that a group would take it away; "
            "give stratify=False where labels are quantities"
        )
    order = np.random.default_rng(seed).permutation(len(names))
    if clusters is not None:
        held = np.zeros((len(names), len(classes)))
        np.add.at(held, (unit, code), 1)
        return _deal_clusters(held, order, count)[unit]
    # Neighbours in this order, hence all of a class, go to groups in turn.
    order = order[np.argsort(code[order], kind="stable")]
    group = np.empty(labels.size, dtype=np.intp)
    group[order] = np.arange(labels.size) % count
    return group


def _deal_clusters(counts: Floats, order: Integers, groups: int) -> Integers:
    """Returns each cluster's group: the one that has least of what the cluster holds.

    The largest go first, and never does a group get the last cluster of a class
    when it has all others. That leaves a choice wherever there are more groups
    than classes.

    Args:
        counts: Examples of each class in each cluster, shape (clusters, classes).
        order: The clusters at random, which decides between equals.
        groups: G.
    """
    order = order[np.argsort(-counts[order].sum(axis=1), kind="stable")]
    group = np.empty(len(counts), dtype=np.intp)
    held, pieces = np.zeros((groups, counts.shape[1])), (counts > 0).sum(axis=0)
    placed = np.zeros((groups, counts.shape[1]), dtype=np.intp)
    share = counts / counts.sum(axis=0)
    for k in order:
        last = (counts[k] > 0) & (placed.sum(axis=0) == pieces - 1)
        barred = (last & (placed == pieces - 1)).any(axis=1)
        fullness = np.where(barred, math.inf, (held * share[k]).sum(axis=1))
        g = np.lexsort((held.sum(axis=1), fullness))[0]
        if barred[g]:
            raise ValueError(
                f"clusters can't be dealt into {groups} groups with every class in two of them; "
                "give more groups"
            )
        group[k] = g
        held[g] += counts[k]
        placed[g] += counts[k] > 0
    return group
