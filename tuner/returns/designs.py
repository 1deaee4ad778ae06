"""How the number of replicates came about, and the bound that this allows.

Every design bounds a mean of n values by multiplier · scale · spread: the spread
is the standard deviation of a value, the scale what is left of it in the mean.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar, Protocol

import numpy as np
from scipy import special

from tuner.returns.bounds import Floats, mixture_multiplier

MOST_REPLICATES = 1000
"""Where the search for a sufficient number of replicates ends."""

POWER_QUANTILE = 0.84
"""Standard normal quantile of .8: four times in five the estimate falls less short than this."""


class Design(Protocol):
    """A way to come by a number of replicates. Designs can be compared and hashed."""

    @property
    def name(self) -> str:
        """What it is called."""
        ...

    def multiplier(self, n: int, one_sided_level: float) -> float:
        """Returns how many standard errors the bound lies from the mean; inf where unbounded."""
        ...

    def scale(self, n: int) -> float:
        """Returns the standard error of the mean for a spread of 1."""
        ...

    def __hash__(self) -> int:
        """Designs are values."""
        ...


@dataclass(frozen=True)
class Sequential:
    """Replicates were added after looking: the anytime-valid bound of `tuner.returns.bounds`.

    Assumes independent, near-Gaussian values. Fails where they are strongly skewed,
    heavy-tailed or correlated.
    """

    name: ClassVar[str] = "sequential"

    def multiplier(self, n: int, one_sided_level: float) -> float:
        """Returns the mixture's multiplier; inf where so few values bound nothing."""
        return mixture_multiplier(n, 2 * one_sided_level)

    def scale(self, n: int) -> float:
        """Returns 1/sqrt(n)."""
        return 1 / math.sqrt(n)


@dataclass(frozen=True)
class Fixed:
    """The number of replicates was set beforehand: Student's t (1908), split by Bonferroni.

    The level that it is asked at is the family's share already. Assumes independent,
    near-Gaussian values and one look: whoever looks, adds and looks again is wrong
    far more often than the level says.
    """

    name: ClassVar[str] = "fixed"

    def multiplier(self, n: int, one_sided_level: float) -> float:
        """Returns the t quantile with n-1 degrees of freedom; inf below two values."""
        return t_quantile(one_sided_level, n - 1) if n > 1 else math.inf

    def scale(self, n: int) -> float:
        """Returns 1/sqrt(n)."""
        return 1 / math.sqrt(n)


@dataclass(frozen=True)
class Resampled:
    """Replicates are splits of the same data: the corrected resampled t.

    Nadeau and Bengio 2003, "Inference for the generalization error": training sets
    overlap, so the variance of the mean is s²·(1/n + n_test/n_train), and more splits
    never bring it below its second term. The correlation that it takes for granted,
    n_test/(n_test + n_train), is a guess that is right on average, not in every case.
    The number of splits is set beforehand.

    Attributes:
        test: Examples in each test part.
        train: Examples in each training part.
    """

    test: int
    train: int
    name: ClassVar[str] = "resampled"

    def multiplier(self, n: int, one_sided_level: float) -> float:
        """Returns the t quantile with n-1 degrees of freedom; inf below two values."""
        return t_quantile(one_sided_level, n - 1) if n > 1 else math.inf

    def scale(self, n: int) -> float:
        """Returns sqrt(1/n + n_test/n_train)."""
        return math.sqrt(1 / n + self.test / self.train)


@dataclass(frozen=True)
class Noise:
    """The spread is known from elsewhere, such as a published standard deviation.

    Taken as the same at every level, and independent between them. Fails where noise
    changes with the level, as it often does for small models.

    Attributes:
        deviation: Standard deviation of one score.
        runs: Runs that it was estimated from; None where it is taken as exact.
    """

    deviation: float
    runs: int | None = None
    name: ClassVar[str] = "noise"

    def multiplier(self, n: int, one_sided_level: float) -> float:
        """Returns the t quantile with runs-1 degrees of freedom, the normal one where exact."""
        return t_quantile(one_sided_level, math.inf if self.runs is None else self.runs - 1)

    def scale(self, n: int) -> float:
        """Returns 1/sqrt(n)."""
        return 1 / math.sqrt(n)


SEQUENTIAL = Sequential()
FIXED = Fixed()


@lru_cache(maxsize=65_536)
def t_quantile(one_sided_level: float, degrees: float) -> float:
    """Returns Student's t that is exceeded with this chance; the normal's for inf degrees."""
    if math.isinf(degrees):
        return float(-special.ndtri(one_sided_level))
    return float(-special.stdtrit(degrees, one_sided_level))


@lru_cache(maxsize=256)
def _relative_widths(design: Design, one_sided_level: float) -> Floats:
    """Returns (multiplier(n) + .84)·scale(n) for n from 0 to MOST_REPLICATES."""
    widths = np.full(MOST_REPLICATES + 1, np.inf)
    for n in range(1, MOST_REPLICATES + 1):
        multiplier = design.multiplier(n, one_sided_level)
        widths[n] = (multiplier + POWER_QUANTILE) * design.scale(n)
    widths.flags.writeable = False
    return widths


def fewest_replicates(design: Design, one_sided_level: float) -> int:
    """Returns the smallest number of replicates that bounds anything at this level."""
    return int(np.isfinite(_relative_widths(design, one_sided_level)).argmax())


def replicates_needed(
    design: Design, distance: float, spread: float, one_sided_level: float
) -> int | None:
    """Returns how many replicates would likely settle a comparison.

    The smallest n at which the half-width and .84 standard errors fit the distance
    together: the bound then clears the threshold four times in five, if the distance
    is right.

    Args:
        design: How replicates come about.
        distance: From the estimate to what it must be told apart from.
        spread: Standard deviation of a value, finite and above 0.
        one_sided_level: The level of the bound.

    Returns:
        The number; None where `MOST_REPLICATES` wouldn't do.
    """
    if distance <= 0:
        return None
    enough = _relative_widths(design, one_sided_level) <= distance / spread
    return int(enough.argmax()) if enough.any() else None
