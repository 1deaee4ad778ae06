"""Exclusive or: the smallest thing that no line can tell apart (Minsky and Papert 1969)."""

from __future__ import annotations

import numpy as np

from tuner.datasets.base import Data, Request
from tuner.datasets.content import Beside, make_data

_SEED = 1969


class Xor:
    """Points around the four corners (±1, ±1); the class is the sign of a corner's product.

    The same options always give the same points. A normal cloud of standard deviation s
    crosses the lines between classes with probability 2p(1 - p), p = Φ(-1 / s): at 0.2 never.
    """

    def load(self, request: Request) -> Data:
        """Returns the points, as many at each corner up to one."""
        n, noise = int(request.options["n"]), float(request.options["noise"])
        corner = np.arange(n) % 4
        signs = np.stack([np.where(corner & 1, 1.0, -1.0), np.where(corner & 2, 1.0, -1.0)], axis=1)
        points = signs + noise * np.random.default_rng(_SEED).standard_normal((n, 2))
        labels = np.where(signs.prod(axis=1) > 0, "same", "different")
        return make_data(points, labels, None, None, "xor", beside=Beside(features=("a", "b")))
