"""Missing cells: filled by the medians of what is trained on, and of nothing else."""

from __future__ import annotations

import numpy as np

from tuner.datasets.base import Data, Features


class Filling:
    """Fills a fold's missing cells.

    Which columns have any is looked up once; a table without them is returned as it is.
    """

    def __init__(self, data: Data) -> None:
        """Finds the columns with missing cells, in the data's own test too."""
        columns: set[int] = set()
        for x in (data.x, data.x_test):
            if x is not None and x.ndim == 2:
                columns |= set(np.flatnonzero(np.isnan(x).any(axis=0)).tolist())
        self._columns = sorted(columns)

    def fill(self, x: Features, x_score: Features) -> tuple[Features, Features]:
        """Returns both parts without NaN.

        Args:
            x: What is trained on, which may be changed. The median of a column's cells that
                are there fills the others; 0 where none is there.
            x_score: What is scored on, which is copied before it is changed.
        """
        if not self._columns:
            return x, x_score
        medians = np.array([*self.medians(x).values()], dtype=np.float32)
        cells, score = x[:, self._columns], x_score[:, self._columns]
        x_score = x_score.copy()
        x[:, self._columns] = np.where(np.isnan(cells), medians, cells)
        x_score[:, self._columns] = np.where(np.isnan(score), medians, score)
        return x, x_score

    def medians(self, x: Features) -> dict[int, float]:
        """Returns what fills each column that has missing cells, by the column's place."""
        return {column: median(x[:, column]) for column in self._columns}


def median(column: Features) -> float:
    """Returns what fills a column's missing cells: the median of the others, or 0 without any."""
    there = column[~np.isnan(column)]
    return float(np.median(there)) if len(there) else 0.0
