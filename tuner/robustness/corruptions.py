"""What happens to inputs by themselves: they are moved, noisy, blurred, pale, or have gaps.

The disturbed inputs follow from the inputs, the strength, the seed and what was trained on,
never from the model: every level and learner of a replicate meets the same ones. A stronger
noise is the same noise, more of it, and of missing cells the fewer are among the more.

Corruptions and severities are after Hendrycks & Dietterich 2019, "Benchmarking Neural Network
Robustness to Common Corruptions and Perturbations": ImageNet-C and CIFAR-10-C. Whose strengths
they are, or why neither's, is said at each. docs/robustness.md shows them.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt
from types import MappingProxyType

import numpy as np
from scipy.ndimage import gaussian_filter

from tuner.datasets.base import Features
from tuner.datasets.filling import median
from tuner.learners.base import Device
from tuner.learners.fits import TimedOutError
from tuner.robustness.base import Disturbed, Effort, Victim
from tuner.robustness.reach import Reach

NOISE: Mapping[float, float] = MappingProxyType({1: 0.08, 2: 0.12, 3: 0.18, 4: 0.26, 5: 0.38})
"""By severity, the standard deviation of an image's noise, in shares of the range of values.

ImageNet-C's: CIFAR-10-C's, .04 to .10, begin below one of the 16 greys of scikit-learn's
digits."""

TABLE_NOISE: Mapping[float, float] = MappingProxyType({1: 0.1, 2: 0.2, 3: 0.4, 4: 0.7, 5: 1.0})
"""By severity, the standard deviation of a column's noise, in those of the column itself.

No benchmark has settled these. A column under noise of t of its deviations is 1 / (1 + t²)
signal: 99 %, 96 %, 86 %, 67 % and half."""

BLUR: Mapping[float, float] = MappingProxyType({1: 0.05, 2: 0.06, 3: 0.07, 4: 0.08, 5: 0.09})
"""By severity, the standard deviation of the blur, in shares of an image's side.

In shares, so that large and small images are hit alike; of 8 pixels they are .4 to .72, of 28
1.4 to 2.5. CIFAR-10-C's, .0125 to .031 of the side, and ImageNet-C's, .004 to .027, don't show on
8 pixels. These begin where blur does, and end where a digit of MNIST can still be told."""

CONTRAST: Mapping[float, float] = MappingProxyType({1: 0.75, 2: 0.5, 3: 0.4, 4: 0.3, 5: 0.15})
"""By severity, the share of a channel's contrast that is left. CIFAR-10-C's."""

_AT_ONCE = 64
"""Images that are blurred between two looks at the deadline."""


def shift(victim: Victim, strength: float, effort: Effort, seed: int, device: Device) -> Disturbed:
    """Moves images by so many pixels: four copies, moved up, down, left and right.

    What comes in from beyond the edge repeats the edge. See `base.Disturb`.

    Raises:
        ValueError: They are no images, or have no more pixels than they are moved by.
    """
    height, width = _images("shift", victim.x).shape[2:]
    pixels = int(strength)
    if pixels >= min(height, width):
        raise ValueError(
            f"shift:{pixels} moves images of {height} x {width} pixels out of sight; "
            f"{_largest_shift(height, width)}"
        )

    def moved(axis: int, by: int) -> Features:
        last = victim.x.shape[axis] - 1
        found: Features = victim.x.take(np.clip(np.arange(last + 1) + by, 0, last), axis)
        return found

    ways = ((2, pixels), (2, -pixels), (3, pixels), (3, -pixels))
    return Disturbed(np.concatenate([moved(*way) for way in ways]), copies=len(ways))


def noise(victim: Victim, strength: float, effort: Effort, seed: int, device: Device) -> Disturbed:
    """Adds Gaussian noise to every value of images or tables. See `base.Disturb`.

    What is constant where the model was trained stays as it is, and nothing leaves the range
    that values have there. The other corruptions mix what an image, or its column, holds.
    """
    reach = Reach.of(victim.fold.x)
    size = (TABLE_NOISE if victim.x.ndim == 2 else NOISE)[strength]
    drawn = np.random.default_rng(seed).standard_normal(victim.x.shape, dtype=np.float32)
    noisy = victim.x + np.float32(size) * reach.unit * drawn
    return Disturbed(reach.within(noisy, victim.x))


def blur(victim: Victim, strength: float, effort: Effort, seed: int, device: Device) -> Disturbed:
    """Blurs images; beyond the edge lies the edge again. See `base.Disturb`.

    The side of an image that isn't square is the geometric mean of both.

    Raises:
        TimedOutError: The deadline passed.
        ValueError: They are no images.
    """
    x = _images("blur", victim.x)
    sigma = BLUR[strength] * sqrt(x.shape[2] * x.shape[3])
    blurred = np.empty_like(x)
    for first in range(0, len(x), _AT_ONCE):
        if device.expired():
            raise TimedOutError(f"blur of {first} of {len(x)} examples")
        some = slice(first, first + _AT_ONCE)
        gaussian_filter(x[some], (0, 0, sigma, sigma), mode="nearest", output=blurred[some])
    return Disturbed(blurred)


def contrast(
    victim: Victim, strength: float, effort: Effort, seed: int, device: Device
) -> Disturbed:
    """Draws every value of an image towards the mean of its channel. See `base.Disturb`.

    Raises:
        ValueError: They are no images.
    """
    x = _images("contrast", victim.x)
    means = x.mean(axis=(2, 3), keepdims=True, dtype=np.float64).astype(np.float32)
    return Disturbed(means + np.float32(CONTRAST[strength]) * (x - means))


def missing(
    victim: Victim, strength: float, effort: Effort, seed: int, device: Device
) -> Disturbed:
    """Loses that share of a table's cells, whichever, and fills them as missing ones are.

    They hold the medians of what the model was trained on. See `base.Disturb`.

    Raises:
        ValueError: It is no table.
    """
    x = victim.x
    if x.ndim != 2:
        raise ValueError(f"missing is for tables, and these are images of {_sizes(x)}")
    order = np.random.default_rng(seed).permutation(x.size)
    lost = np.zeros(x.size, dtype=np.bool_)
    lost[order[: round(strength * x.size)]] = True
    medians = np.array([median(column) for column in victim.fold.x.T], dtype=np.float32)
    return Disturbed(np.where(lost.reshape(x.shape), medians, x))


def _images(name: str, x: Features) -> Features:
    """Returns images as they are. Raises ValueError where they are none."""
    if x.ndim != 4:
        raise ValueError(f"{name} is for images, and these are {_sizes(x)} values in a row")
    return x


def _sizes(x: Features) -> str:
    return " x ".join(map(str, x.shape[1:]))


def _largest_shift(height: int, width: int) -> str:
    most = min(height, width) - 1
    return f"give at most {most}" if most else "they can't be shifted at all"
