"""How the scores of simulated curves scatter: as the bounds assume, and otherwise.

Every shape has mean 0 and deviation 1, so that cases differ in nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

PAIRED = 0.5
"""Standard deviation, in margins, of the difference of two levels from replicate to replicate."""

FALLING = (1.5, 1.2, 0.9, 0.6, 0.4, 0.2)
"""The same by level where small models are the noisier ones."""

RISING = FALLING[::-1]
"""The same where large models are."""


def gaussian(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """Draws from the standard normal."""
    return rng.standard_normal(shape)


def skewed(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """Draws from an exponential with mean 0, deviation 1 and a long tail of bad scores.

    The difference of two levels that scatter alike is symmetric; it is skewed where
    one scatters more than the other.
    """
    return 1.0 - rng.standard_exponential(shape)


def heavy_tailed(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """Draws from Student's t with 3 degrees of freedom, scaled to deviation 1."""
    drawn: Floats = rng.standard_t(3, shape) / np.sqrt(3.0)
    return drawn


Shape = Callable[[np.random.Generator, tuple[int, ...]], Floats]
"""Draws of mean 0 and deviation 1, in an array of the shape that is asked for."""


@dataclass(frozen=True)
class Noise:
    """How replicates scatter.

    Attributes:
        paired: Standard deviation, in margins, of the difference of two levels that
            scatter alike; or one such number a level, where they don't.
        shape: Draws of mean 0 and deviation 1.
        correlation: Between any two replicates of a level, as between splits of the
            same data: what they share doesn't average out and can't be seen.
        luck: Standard deviation of what a replicate brings to all levels alike: an
            easy split, say.
    """

    paired: float | tuple[float, ...] = PAIRED
    shape: Shape = gaussian
    correlation: float = 0.0
    luck: float = 2.0

    @property
    def gaussian(self) -> bool:
        """Whether it is what the bounds assume: Gaussian and independent."""
        return self.shape is gaussian and self.correlation == 0

    def draw(self, rng: np.random.Generator, levels: int, replicates: int) -> Floats:
        """Returns noise (levels, replicates), in margins."""
        # One row more than there are levels: the luck that all levels share.
        drawn = self.shape(rng, (levels + 1, replicates))
        if self.correlation > 0:
            shared = self.shape(rng, (levels + 1, 1))
            drawn = np.sqrt(self.correlation) * shared + np.sqrt(1.0 - self.correlation) * drawn
        own = np.broadcast_to(np.asarray(self.paired, dtype=np.float64) / np.sqrt(2.0), levels)
        scores: Floats = drawn[:-1] * own[:, None] + self.luck * drawn[-1]
        return scores
