"""scikit-learn's handwritten digits: they come with the library, so nothing is read or fetched."""

from __future__ import annotations

import numpy as np
from sklearn.datasets import load_digits

from tuner.datasets.base import Data, Request
from tuner.datasets.content import make_data


class Digits:
    """1,797 digits of 8 by 8 pixels in 10 classes, scaled to 0..1; no test part of its own."""

    def load(self, request: Request) -> Data:
        """Returns the digits."""
        bunch = load_digits()
        images = np.asarray(bunch.images, dtype=np.float32) / np.float32(16)
        return make_data(images, np.asarray(bunch.target), None, None, "digits")
