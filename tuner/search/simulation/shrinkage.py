"""Shrinking a table's means, so that the best of thousands of noisy ones isn't the truth.

Each configuration's mean of a few seeds is drawn towards the mean of its neighbours on
the grid by the empirical-Bayes factor of Efron and Morris (1973): one less the share of
noise in how much configurations of its kind differ from their neighbours.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

KINDS = 20
"""Classes of configurations, by their neighbours' mean, that get a factor each. Those that
diverge scatter ten times as much as those that a tuner would choose; one factor for all
would be theirs."""


def neighbours(table: Floats) -> Floats:
    """Returns the mean over every cell's neighbours, a step away along one grid axis.

    Args:
        table: (*grid, seeds).

    Returns:
        (*grid, seeds). Seeds are kept apart: what a seed brings to all configurations
        alike isn't noise between neighbours.
    """
    total = np.zeros(table.shape)
    count = np.zeros(table.shape)
    for axis in range(table.ndim - 1):
        low = (slice(None),) * axis + (slice(None, -1),)
        high = (slice(None),) * axis + (slice(1, None),)
        for here, there in ((low, high), (high, low)):
            total[here] += table[there]
            count[here] += 1
    means: Floats = total / np.maximum(count, 1.0)
    return means


def shrink(table: Floats, kinds: int = KINDS) -> Floats:
    """Returns means over seeds, shrunken towards the neighbours' mean.

    Args:
        table: Scores, (*grid, seeds), with at least two seeds.
        kinds: Classes with a factor each.

    Returns:
        (*grid,).
    """
    around = neighbours(table)
    apart = table - around
    off = apart.mean(axis=-1)
    noise = apart.var(axis=-1, ddof=1) / table.shape[-1]
    towards = around.mean(axis=-1)
    rank = np.argsort(np.argsort(towards, axis=None, kind="stable"), kind="stable")
    kind = (rank * min(kinds, rank.size) // rank.size).reshape(towards.shape)
    shrunken: Floats = np.empty(off.shape)
    for k in range(int(kind.max()) + 1):
        some = kind == k
        seen = float((off[some] ** 2).mean())
        factor = max(0.0, 1.0 - float(noise[some].mean()) / seen) if seen > 0 else 0.0
        shrunken[some] = towards[some] + factor * off[some]
    return shrunken
