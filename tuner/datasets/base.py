"""Data as learners get it, and what a data source is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

Features = npt.NDArray[np.float32]
"""Shape (examples, ...): (n, features) for tables, (n, channels, height, width) for images."""

Labels = npt.NDArray[np.int64]
"""Shape (examples,): classes counted from 0."""


@dataclass(frozen=True)
class Data:
    """A loaded data set.

    Attributes:
        x: Every example that is not in the data's own test part.
        y: Their classes, 0 to classes - 1.
        x_test: The data's own test part, or None where it has none.
        y_test: Its classes, or None.
        classes: The classes' names, in the order of their numbers.
        digest: SHA-256 of the content, for the record.
    """

    x: Features
    y: Labels
    x_test: Features | None
    y_test: Labels | None
    classes: tuple[str, ...]
    digest: str


@dataclass(frozen=True)
class Fold:
    """One replicate's data. The same replicate has the same fold at every level.

    Attributes:
        replicate: Its number.
        seed: The replicate's own seed; everything random in a fit follows from it.
        x: Training examples.
        y: Their classes.
        x_score: The examples to be scored on: a validation split or the test.
        y_score: Their classes.
        classes: Number of classes.
    """

    replicate: int
    seed: int
    x: Features
    y: Labels
    x_score: Features
    y_score: Labels
    classes: int


class DataError(ValueError):
    """The data can't be used; the message says which file, what and what would be right."""


class Source(Protocol):
    """Where data comes from; one file each, one registry."""

    def load(self, path: Path | None, files: Mapping[str, Path]) -> Data:
        """Reads the data.

        Args:
            path: The file or folder on this machine; None where the source
                needs none or the files were uploaded.
            files: Uploaded files by their names; empty where path is given.

        Raises:
            DataError: It can't be read, or makes no sense.
        """
        ...
