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

    Attributes:
        mean: Shape (features,).
        spread: Shape (features,); 1 where a feature is constant.
    """

    mean: npt.NDArray[np.float64]
    spread: npt.NDArray[np.float64]

    @classmethod
    def of(cls, x: Features) -> Self:
        """Returns the scale of the training part."""
        table = rows(x)
        spread = table.std(axis=0)
        # Of a constant feature rounding may leave a spread that is none.
        constant = table.min(axis=0) == table.max(axis=0)
        return cls(table.mean(axis=0), np.where(constant | (spread == 0), 1.0, spread))

    def __call__(self, x: Features) -> Rows:
        """Returns the rows, scaled."""
        return (rows(x) - self.mean) / self.spread
