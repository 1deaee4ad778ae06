"""Histograms of gradients: the planes that HOG and local descriptors are pooled from."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from tuner.datasets.base import Features

Floats32 = npt.NDArray[np.float32]

_PIXELS_AT_ONCE = 1 << 19
"""Pixels whose gradients are held at once: some tens of megabytes."""


def chunks(x: Features) -> Iterator[slice]:
    """Yields the images in slices that memory holds; which ones follows from their shape alone."""
    size = max(1, _PIXELS_AT_ONCE // max(1, int(np.prod(x.shape[1:]))))
    for first in range(0, len(x), size):
        yield slice(first, first + size)


def planes(x: Features, bins: int, *, signed: bool) -> Floats32:
    """Returns the size of the gradient at each pixel, divided between directions.

    Differences are taken between a pixel's two neighbours; of several channels the one
    with the largest gradient counts (Dalal & Triggs 2005). A direction between two bins
    is shared by both.

    Args:
        x: Images, shape (n, channels, height, width).
        bins: Directions told apart.
        signed: Whether light to dark and dark to light differ.

    Returns:
        Shape (n, bins, height, width).
    """
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)), mode="edge")
    down = padded[:, :, 2:, 1:-1] - padded[:, :, :-2, 1:-1]
    right = padded[:, :, 1:-1, 2:] - padded[:, :, 1:-1, :-2]
    size = np.hypot(down, right)
    if x.shape[1] > 1:
        largest = size.argmax(axis=1)[:, None]
        down, right, size = (np.take_along_axis(a, largest, axis=1) for a in (down, right, size))
    turn = 2 * np.pi if signed else np.pi
    place = np.mod(np.arctan2(down, right), turn) * np.float32(bins / turn)
    away = np.abs(place - np.arange(bins, dtype=np.float32)[:, None, None])
    shared = np.maximum(0, 1 - np.minimum(away, bins - away))
    return (size * shared).astype(np.float32)


def windows(centres: npt.ArrayLike, length: float, size: int) -> Floats32:
    """Returns how much each pixel counts to each cell: most at its centre, less to its sides.

    A pixel between the centres of two neighbouring cells is shared by both.

    Args:
        centres: In pixels from the image's edge.
        length: Distance between the centres of neighbouring cells, in pixels.
        size: The image's side, in pixels.

    Returns:
        Shape (centres, size).
    """
    away = np.abs(np.arange(size) + 0.5 - np.asarray(centres, dtype=np.float64)[:, None])
    return np.maximum(0, 1 - away / max(length, 1)).astype(np.float32)


def pooled(maps: Floats32, rows: Floats32, columns: Floats32) -> Floats32:
    """Returns each plane summed over cells.

    Args:
        maps: Shape (n, bins, height, width).
        rows: Shape (cells down, height), of `windows`.
        columns: Shape (cells across, width), of `windows`.

    Returns:
        Shape (n, bins, cells down, cells across).
    """
    return np.matmul(np.matmul(rows, maps), columns.T)
