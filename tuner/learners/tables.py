"""Examples as rows of numbers, scaled by what the training part says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from tuner.datasets.base import Features

Rows = npt.NDArray[np.float64]
"""Shape (examples, features)."""


def rows(x: Features) -> Rows:
    """Returns each example's values as a row; an image's pixels one after the other."""
    return np.ascontiguousarray(x.reshape(len(x), -1), dtype=np.float64)


@dataclass(frozen=True)
class Scale:
    """Moves every feature's mean in training to 0 and its spread to 1.

    The pixels of an image's channel are one feature: each by itself, one at the edge that is
    black but for three images would outshout all others.

    Attributes:
        mean: Shape (values of an example,).
        spread: Shape (values of an example,); 1 where a feature is constant.
    """

    mean: npt.NDArray[np.float64]
    spread: npt.NDArray[np.float64]

    @classmethod
    def of(cls, x: Features) -> Self:
        """Returns the scale of the training part."""
        alike = (0, 2, 3) if x.ndim == 4 else (0,)
        mean = x.mean(axis=alike, dtype=np.float64, keepdims=True)[0]
        spread = x.std(axis=alike, dtype=np.float64, keepdims=True)[0]
        # Of a constant feature rounding may leave a spread that is none.
        constant = x.min(axis=alike, keepdims=True)[0] == x.max(axis=alike, keepdims=True)[0]
        spread = np.where(constant | (spread == 0), 1.0, spread)
        mean, spread = (np.broadcast_to(part, x.shape[1:]).ravel() for part in (mean, spread))
        return cls(mean, spread)

    def __call__(self, x: Features) -> Rows:
        """Returns the rows, scaled."""
        return (rows(x) - self.mean) / self.spread
