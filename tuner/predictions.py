"""Predictions and the truth as bytes: what lets a verdict be taken again under another metric.

Predictions are NumPy's own .npy as float32, compressed by zlib; the truth is an .npz. Neither
holds a pickle. Rounding to float32 moves a prediction by at most 6e-8 of its size, so `brier`,
`log_loss`, `mae` and `rmse` keep six digits; `error`, `auc` and the like change only where
float64 told two values apart that float32 doesn't.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

MOST_BYTES = 1 << 30
"""Predictions that unpack to more are refused: nothing that is kept is so large."""

_LEVEL = 1  # probabilities hardly shrink further, at several times the time


@dataclass(frozen=True)
class Truth:
    """What the test examples are.

    Attributes:
        y: Shape (examples,): classes counted from 0 (int64), or values (float64).
        rows: Shape (examples,): their row numbers, from 0, in the part of the source that
            they come from: its own test part where it has one.
        classes: The classes' names in the order of their numbers; empty where a number is
            predicted.
        groups: Shape (examples,): what each belongs to, where that is known.
    """

    y: npt.NDArray[np.int64] | npt.NDArray[np.float64]
    rows: npt.NDArray[np.int64]
    classes: tuple[str, ...] = ()
    groups: npt.NDArray[np.int64] | None = None

    def to_bytes(self) -> bytes:
        """Returns it as an .npz; the same truth has the same bytes."""
        arrays = {"y": self.y, "rows": self.rows, "classes": np.array(self.classes, dtype=np.str_)}
        if self.groups is not None:
            arrays["groups"] = self.groups
        out = io.BytesIO()
        np.savez_compressed(out, allow_pickle=False, **arrays)
        return out.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> Truth:
        """Returns what `to_bytes` made bytes of. Raises ValueError where it isn't that."""
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
                return cls(
                    arrays["y"],
                    arrays["rows"],
                    tuple(str(name) for name in arrays["classes"]),
                    arrays.get("groups"),
                )
        except (KeyError, ValueError, OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            raise ValueError(f"this is no truth of a job: {error}") from error


def encode(predictions: npt.NDArray[np.float64]) -> bytes:
    """Returns predictions as bytes.

    Args:
        predictions: Shape (examples, classes): probabilities. Shape (examples,): values.
    """
    out = io.BytesIO()
    np.lib.format.write_array(out, np.ascontiguousarray(predictions, "<f4"), allow_pickle=False)
    return zlib.compress(out.getvalue(), _LEVEL)


def decode(data: bytes) -> npt.NDArray[np.float64]:
    """Returns the predictions, as float64, of the bytes that `encode` made.

    Raises:
        ValueError: The bytes are damaged, or unpack to more than MOST_BYTES.
    """
    unpack = zlib.decompressobj()
    try:
        plain = unpack.decompress(data, MOST_BYTES)
        if not unpack.eof:
            raise ValueError("these predictions are cut short, or too large")
        found = np.lib.format.read_array(io.BytesIO(plain), allow_pickle=False)
    except (zlib.error, EOFError) as error:
        raise ValueError(f"these are no predictions: {error}") from error
    return found.astype(np.float64)
