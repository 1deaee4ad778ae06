"""Small data that any learner should cope with in milliseconds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tuner.datasets.base import Features, Fold, Labels


def tiny_table(replicate: int = 0, *, n: int = 60, classes: int = 3) -> Fold:
    """Returns a table of 5 features whose classes lie apart, as a replicate's fold."""
    return _fold(replicate, (5,), n, classes)


def tiny_images(replicate: int = 0, *, n: int = 60, classes: int = 3) -> Fold:
    """Returns images of one channel, 8 by 8 pixels, with their class's pattern in noise."""
    return _fold(replicate, (1, 8, 8), n, classes)


def tiny_values(replicate: int = 0, *, n: int = 60) -> Fold:
    """Returns a table of 5 features with a value to predict, as a replicate's fold."""
    weights = np.random.default_rng(7).normal(size=5)
    fold = _fold(replicate, (5,), n, 3)
    noise = np.random.default_rng([9, replicate])

    def values(x: Features) -> Labels:
        y = x @ weights + 0.1 * noise.normal(size=len(x))
        y.flags.writeable = False
        return y

    return replace(fold, y=values(fold.x), y_score=values(fold.x_score), classes=0)


def _fold(replicate: int, shape: tuple[int, ...], n: int, classes: int) -> Fold:
    patterns = np.random.default_rng(7).normal(size=(classes, *shape))
    random = np.random.default_rng([8, replicate])

    def draw(size: int) -> tuple[Features, Labels]:
        y = random.permutation(np.arange(size) % classes)
        x = patterns[y] + random.normal(size=(size, *shape))
        x, y = x.astype(np.float32), y.astype(np.int64)
        # As Ray's object store hands them out.
        x.flags.writeable = y.flags.writeable = False
        return x, y

    x, y = draw(n)
    x_score, y_score = draw(n // 2)
    return Fold(replicate, 1_000 + replicate, x, y, x_score, y_score, classes)
