"""Bounds that may be looked at after every replicate.

The anytime-valid t bound of a Gaussian mixture (Lai 1976, "On confidence
sequences"; Wang and Ramdas 2023, "Anytime-valid t-tests and confidence
sequences for Gaussian means with unknown variance"). It holds at every number
of replicates at once, so a job that looks, adds replicates and looks again may
stop on it and report it.

It assumes independent, near-Gaussian differences. It is too narrow where they
are strongly skewed, heavy-tailed or correlated (cross-validation's resampled
splits are).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

MIXTURE_WIDTH = 4.0
"""g: how wide the mixture is, in units of the variance."""

EQUAL_PAIRS = 5
"""Equal values that it takes to believe in no spread, where no step of the metric was seen."""

ROUNDING = 1e-12
"""Relative size below which a difference is rounding."""


@lru_cache(maxsize=65_536)
def mixture_multiplier(n: int, alpha2: float, g: float = MIXTURE_WIDTH) -> float:
    """Returns what s/sqrt(n) is multiplied by to bound a mean at any time.

    sqrt((n-1)(A-1) / (1-A/r)) with r = 1 + n·g and A = (r/alpha2²)^(1/n).

    Args:
        n: Values that the mean is over.
        alpha2: Chance that the two-sided bound ever fails: twice the one-sided level.
        g: Variance of the mixture over the variance of a value.

    Returns:
        The multiplier; inf where so few values bound nothing (A >= r, or n < 2).

    Raises:
        ValueError: alpha2 is not between 0 and 1, or g is not positive.
    """
    if not 0 < alpha2 < 1:
        raise ValueError(f"alpha2 is {alpha2}; give a number between 0 and 1")
    if not g > 0:
        raise ValueError(f"g is {g}; give a positive number")
    if n < 2:
        return math.inf
    log_r = math.log1p(n * g)
    log_a = (log_r - 2 * math.log(alpha2)) / n
    if log_a >= log_r:
        return math.inf
    return math.sqrt((n - 1) * math.expm1(log_a) / -math.expm1(log_a - log_r))


def believed_spread(n: int, deviation: float, rounding: float, step: float) -> float:
    """Returns the standard deviation to reckon with, which is never zero without a reason.

    Where all values are equal, the t bound collapses onto the estimate. On a
    metric that moves in steps (error on m examples moves by 1/m) that is a lie:
    four equal differences mean no more than that each is nearer than a step. So
    equal values count as if one of them had been off by the metric's smallest
    step. Where no step was ever seen, because nothing varied between replicates,
    the work may be deterministic: then the bound is the estimate, from
    `EQUAL_PAIRS` values on.

    Args:
        n: Number of values.
        deviation: Their standard deviation.
        rounding: Deviations up to this are rounding.
        step: Smallest step of the metric that was seen; 0 where none was.

    Returns:
        The standard deviation to use; inf where nothing is known of it.
    """
    if n < 2:
        return math.inf
    if deviation > rounding:
        return deviation
    if step > 0:
        return step / math.sqrt(n)
    return 0.0 if n >= EQUAL_PAIRS else math.inf


def paired_bounds(
    differences: Sequence[float] | Floats, one_sided_level: float, *, step: float = 0.0
) -> tuple[float, float, float]:
    """Returns the mean difference and its anytime-valid lower and upper bounds.

    Args:
        differences: One finite difference a replicate. What they are and how they
            came to be assumed Gaussian stands in this module's docstring.
        one_sided_level: Chance that the lower bound ever fails; the same for the upper.
        step: Smallest step of the metric, where known. It matters only where all
            differences are equal; `believed_spread` says how.

    Returns:
        Estimate, lower bound (-inf where too few bound it), upper bound (inf).

    Raises:
        ValueError: There is no difference, one isn't finite, or the level is not
            between 0 and 1/2.
    """
    values = np.asarray(differences, dtype=np.float64)
    if values.ndim != 1 or values.size == 0 or not np.isfinite(values).all():
        raise ValueError("differences must be one row of finite numbers, at least one")
    n = values.size
    estimate = float(values.mean())
    rounding = ROUNDING * float(np.abs(values).max())
    deviation = float(values.std(ddof=1)) if n > 1 else 0.0
    spread = believed_spread(n, deviation, rounding, step)
    multiplier = mixture_multiplier(n, 2 * one_sided_level)
    width = math.inf if math.isinf(multiplier) else multiplier * spread / math.sqrt(n)
    return estimate, estimate - width, estimate + width
