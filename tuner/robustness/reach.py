"""What a strength means in the units of inputs, and what no disturbed input leaves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from tuner.datasets.base import Features


@dataclass(frozen=True)
class Reach:
    """The units of a training part's inputs.

    Attributes:
        unit: What a strength of 1 is: of images the range of all values, one number; of a
            table each column's standard deviation, 0 where it is constant. Broadcasts
            against examples.
        low: The least value there is: of images of all, of a table of each column.
        high: The largest.
    """

    unit: npt.NDArray[np.float32]
    low: npt.NDArray[np.float32]
    high: npt.NDArray[np.float32]

    @classmethod
    def of(cls, x: Features) -> Self:
        """Returns the units of a training part, shape (examples, ...)."""
        if x.ndim == 2:
            low, high = x.min(axis=0), x.max(axis=0)
            unit = np.where(high > low, x.std(axis=0, dtype=np.float64), 0.0).astype(np.float32)
            return cls(unit, low, high)
        low, high = np.asarray(x.min()), np.asarray(x.max())
        return cls(high - low, low, high)

    def clip(self, x: Features, around: Features, strength: float) -> Features:
        """Returns x, moved into the ball around examples and into what there is.

        Args:
            x: Shape (examples, ...).
            around: The same shape: the undisturbed examples. One that is itself outside of
                what training has may stay where it is.
            strength: The ball's radius, in units.
        """
        radius = np.float32(strength) * self.unit
        low = np.maximum(around - radius, np.minimum(self.low, around))
        high = np.minimum(around + radius, np.maximum(self.high, around))
        return np.clip(x, low, high)

    def within(self, x: Features, around: Features) -> Features:
        """Returns x, moved into what there is; `clip` without a ball."""
        return np.clip(x, np.minimum(self.low, around), np.maximum(self.high, around))
