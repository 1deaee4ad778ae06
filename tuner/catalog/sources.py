"""Where data comes from."""

from __future__ import annotations

from tuner.catalog.kinds import Source

ALL = (
    Source("digits", "none", "1,797 handwritten digits of 8 by 8 pixels (scikit-learn's)"),
    Source("npz", "file", "a NumPy archive with x, y and, if it has its own test, x_test, y_test"),
    Source(
        "idx",
        "folder",
        "a folder in MNIST's IDX format, gzipped or not",
        files=(
            "train-images-idx3-ubyte",
            "train-labels-idx1-ubyte",
            "t10k-images-idx3-ubyte",
            "t10k-labels-idx1-ubyte",
        ),
    ),
)
