"""Local descriptors on a dense grid: what visual words are made of."""

from __future__ import annotations

import numpy as np

from tuner.datasets.base import Features
from tuner.learners.features.gradients import Floats32, planes, pooled, windows

_BINS = 8
"""Directions told apart, dark to light and light to dark as two."""

VALUES = 4 * _BINS
"""Length of a descriptor."""

_SHORTEST, _LONGEST = 2.0, 8.0
"""Side of a descriptor's cell in pixels: an eighth of the image's side, within these."""

_PLACES = 16
"""Most descriptors along a side."""

_FAINT = 0.2
"""Added to a descriptor's length, in spreads of the pixels: what is flat has a short one."""


def places(height: int, width: int) -> tuple[int, int]:
    """Returns how many descriptors an image has, down and across."""
    return _places(height), _places(width)


def describe(x: Features) -> Floats32:
    """Returns a descriptor at every place of a dense grid, as SIFT's (Lowe 2004) but smaller.

    Each is 2 by 2 cells of 8 directions around its place; places lie half a cell apart, or
    further where there would be more than 16 a side.

    Args:
        x: Shape (n, channels, height, width), in spreads of the training part's pixels.

    Returns:
        Shape (n, places down, places across, values).
    """
    sides = [_windows(size) for size in x.shape[2:]]
    cells = pooled(planes(x, _BINS, signed=True), *sides)
    down, across = (len(side) // 2 for side in sides)
    apart = cells.reshape(len(x), _BINS, down, 2, across, 2).transpose(0, 2, 4, 3, 5, 1)
    found = apart.reshape(len(x), down, across, VALUES)
    return found / (np.sqrt(np.sum(found * found, axis=-1, keepdims=True)) + _FAINT)


def _cell(size: int) -> float:
    return min(max(size / 8, _SHORTEST), _LONGEST, size / 2)


def _places(size: int) -> int:
    cell = _cell(size)
    return min(_PLACES, int((size - 2 * cell) / (cell / 2)) + 1)


def _windows(size: int) -> Floats32:
    """Returns the windows of each place's first and second cell, shape (2 x places, size)."""
    cell = _cell(size)
    centres = np.linspace(cell, size - cell, _places(size))
    return windows((centres[:, None] + cell / 2 * np.array([-1, 1])).ravel(), cell, size)
