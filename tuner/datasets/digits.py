"""scikit-learn's handwritten digits: they come with the library, so nothing is read or fetched."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

from tuner.datasets.base import Data
from tuner.datasets.content import make_data


class Digits:
    """1,797 digits of 8 by 8 pixels in 10 classes, scaled to 0..1; no test part of its own."""

    def load(self, path: Path | None, files: Mapping[str, Path]) -> Data:
        """Returns the digits; takes neither path nor files."""
        bunch = load_digits()
        images = np.asarray(bunch.images, dtype=np.float32) / np.float32(16)
        return make_data(images, np.asarray(bunch.target), None, None, "digits")
