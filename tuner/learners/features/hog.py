"""Histograms of oriented gradients (Dalal & Triggs 2005)."""

from __future__ import annotations

import numpy as np

from tuner.datasets.base import Features
from tuner.learners.features.gradients import Floats32, chunks, planes, pooled, windows

_BINS = 9
"""Directions told apart; a line is the same from either side."""

_FEWEST, _MOST = 4, 8
"""Cells along a side: of 4 pixels where that makes so many, else larger or smaller ones."""

_CLIPPED = 0.2
"""No direction makes up more of a normalised block."""

_FAINT = 0.1
"""Added to a block's length, in spreads of the pixels, so that flat ones aren't blown up."""


def hog(x: Features) -> Floats32:
    """Returns the descriptor of every image, of length 1.

    Args:
        x: Shape (n, channels, height, width), in spreads of the training part's pixels.

    Returns:
        Shape (n, values): blocks of 2 by 2 cells of 9 directions, each block normalised,
        clipped and normalised again.
    """
    height, width = x.shape[2:]
    rows, columns = _cells(height), _cells(width)
    found = np.empty((len(x), (len(rows) - 1) * (len(columns) - 1) * 4 * _BINS), dtype=np.float32)
    for some in chunks(x):
        cells = pooled(planes(x[some], _BINS, signed=False), rows, columns)
        blocks = np.lib.stride_tricks.sliding_window_view(cells, (2, 2), axis=(2, 3))
        blocks = blocks.transpose(0, 2, 3, 1, 4, 5).reshape(len(cells), -1, 4 * _BINS)
        blocks = np.minimum(blocks / (_length(blocks) + _FAINT), _CLIPPED)
        found[some] = (blocks / (_length(blocks) + _FAINT)).reshape(len(cells), -1)
    found /= np.maximum(_length(found), np.finfo(np.float32).tiny)
    return found


def _cells(size: int) -> Floats32:
    cells = min(_MOST, max(_FEWEST, size // 4))
    length = size / cells
    return windows((np.arange(cells) + 0.5) * length, length, size)


def _length(x: Floats32) -> Floats32:
    return np.sqrt(np.sum(x * x, axis=-1, keepdims=True))
