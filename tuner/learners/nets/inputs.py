"""Inputs of networks, scaled by what the training part says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from tuner.datasets.base import Features

_SUMMED_AT_ONCE = 4096
"""Examples in double precision at a time: of 60,000 images they would take 400 MB at once."""


@dataclass(frozen=True)
class Inputs:
    """What is taken from every input, and what the rest is divided by.

    The pixels of a channel share both, so that none that is nearly always dark is blown
    up; each of a table's features has its own.

    Attributes:
        middle: Shape (channels,) or (features,).
        width: The same shape; nowhere 0.
    """

    middle: npt.NDArray[np.float32]
    width: npt.NDArray[np.float32]

    @classmethod
    def standard(cls, x: Features) -> Self:
        """Returns the scale that gives the training part a mean of 0 and a spread of 1."""
        axes = _shared(x)
        mean = x.mean(axis=axes, keepdims=True, dtype=np.float64)
        squares = np.zeros(mean.size)
        for first in range(0, len(x), _SUMMED_AT_ONCE):
            squares += ((x[first : first + _SUMMED_AT_ONCE] - mean) ** 2).sum(axis=axes)
        spread = np.sqrt(squares * mean.size / x.size)
        return cls._where_it_varies(x, mean.ravel(), spread)

    @classmethod
    def unit(cls, x: Features) -> Self:
        """Returns the scale that moves the training part into 0 to 1."""
        low, high = x.min(axis=_shared(x)), x.max(axis=_shared(x))
        return cls._where_it_varies(x, low.astype(np.float64), high.astype(np.float64) - low)

    def __call__(self, x: Features) -> Tensor:
        """Returns the inputs in their shape, scaled, on the CPU."""
        shape = _beside(x)
        scaled = x - self.middle.reshape(shape)
        scaled /= self.width.reshape(shape)
        return torch.from_numpy(scaled)

    def by_inputs(self, gradient: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Returns the gradient by inputs of what has this one by scaled inputs, in its shape."""
        return gradient / self.width.reshape(_beside(gradient))

    @classmethod
    def _where_it_varies(
        cls, x: Features, middle: npt.NDArray[np.float64], width: npt.NDArray[np.float64]
    ) -> Self:
        # Of what is constant, such as a channel of one colour, rounding may leave a width.
        constant = x.min(axis=_shared(x)) == x.max(axis=_shared(x))
        divisor = np.where(constant, 1.0, width).astype(np.float32)
        divisor[divisor == 0] = 1
        return cls(middle.astype(np.float32), divisor)


def _beside(x: npt.NDArray[Any]) -> tuple[int, ...]:
    return (1, -1, *[1] * (x.ndim - 2))


def _shared(x: Features) -> tuple[int, ...]:
    return (0, *range(2, x.ndim))
