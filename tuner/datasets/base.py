"""Data as learners get it, and what a data source is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from tuner.catalog import Task

Features = npt.NDArray[np.float32]
"""Shape (examples, ...): (n, features) for tables, (n, channels, height, width) for images."""

Labels = npt.NDArray[np.int64] | npt.NDArray[np.float64]
"""Shape (examples,): classes counted from 0 (int64), or a regression's values (float64)."""


@dataclass(frozen=True)
class Data:
    """A loaded data set.

    Attributes:
        x: Every example that is not in the data's own test part. A table's may hold NaN
            where a cell is missing: `Splits` fills them by what the training part says.
        y: Their classes, 0 to classes - 1, or their values.
        x_test: The data's own test part, or None where it has none.
        y_test: Its classes or values, or None.
        classes: The classes' names, in the order of their numbers; empty where a number
            is predicted.
        digest: SHA-256 of the content, for the record.
        features: The columns' names, where a table has them.
        groups: Shape (examples,): examples of one number belong together and are never
            on both sides of a split; None where each stands alone.
        times: Shape (examples,): what comes later is larger; None where nothing does.
        notes: What its owner should know of it, in sentences.
    """

    x: Features
    y: Labels
    x_test: Features | None
    y_test: Labels | None
    classes: tuple[str, ...]
    digest: str
    features: tuple[str, ...] = ()
    groups: npt.NDArray[np.int64] | None = None
    times: npt.NDArray[np.float64] | None = None
    notes: tuple[str, ...] = ()

    @property
    def task(self) -> Task:
        """What is predicted."""
        return "classification" if self.classes else "regression"


@dataclass(frozen=True)
class Fold:
    """One replicate's data. The same replicate has the same fold at every level.

    Attributes:
        replicate: Its number.
        seed: The replicate's own seed; everything random in a fit follows from it.
        x: Training examples; no value is NaN.
        y: Their classes or values.
        x_score: The examples to be scored on: a validation split or the test.
        y_score: Their classes or values.
        classes: Number of classes; 0 where a number is predicted.
    """

    replicate: int
    seed: int
    x: Features
    y: Labels
    x_score: Features
    y_score: Labels
    classes: int

    @property
    def task(self) -> Task:
        """What is predicted."""
        return "classification" if self.classes else "regression"


class DataError(ValueError):
    """The data can't be used; the message says which file, what and what would be right."""


@dataclass(frozen=True)
class Request:
    """What a source is asked for.

    Attributes:
        path: The file or folder on this machine; None where the source needs none or
            the files were uploaded.
        files: Uploaded files by the names that they had at their owner's, relative to
            the folder ("cats/1.png"); empty where a path is given.
        name: What stands behind the colon where it is neither file nor folder; of a file
            that was fetched, the address by which its owner knows it.
        options: Every option of the catalog's entry that was given or has a default,
            each judged by it.
        task: What shall be predicted.
    """

    path: Path | None = None
    files: Mapping[str, Path] = field(default_factory=dict)
    name: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    task: Task = "classification"


class Source(Protocol):
    """Where data comes from; one file each, one registry."""

    def load(self, request: Request) -> Data:
        """Reads the data.

        Raises:
            DataError: It can't be read, or makes no sense.
        """
        ...
