"""McNemar's test: do two single fits err on the same share of examples?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats


@dataclass(frozen=True)
class McNemar:
    """On how many test examples two fits are right, and whether they differ.

    Attributes:
        both: Examples on which both are right.
        only_first: On which only the first is right.
        only_second: On which only the second is right.
        neither: On which neither is right.
        p: Exact two-sided p-value of "both err equally often".
    """

    both: int
    only_first: int
    only_second: int
    neither: int
    p: float

    @property
    def difference(self) -> float:
        """Accuracy of the second less that of the first."""
        examples = self.both + self.only_first + self.only_second + self.neither
        return (self.only_second - self.only_first) / examples


def mcnemar(first: npt.ArrayLike, second: npt.ArrayLike) -> McNemar:
    """Compares two single fits on the same test examples, exactly.

    Where both err equally often, an example on which they disagree favours either
    with chance 1/2, so the count for the first is binomial (McNemar 1947, "Note on
    the sampling error of the difference between correlated proportions"; Dietterich
    1998, "Approximate statistical tests for comparing supervised classification
    learning algorithms", recommends it where each learner can be fitted only once).

    Assumes independent test examples, drawn once, on which nothing was chosen. It
    speaks of these two fits and knows nothing of other seeds or training sets, so it
    often tells apart two seeds of one learner. It tests "equal" and knows no margin:
    a large p-value doesn't show them equal, and with enough examples a difference
    that is worth nothing has a small one.

    Args:
        first: Whether the first fit is right, by example: bool, shape (m,).
        second: The same of the second.

    Raises:
        ValueError: They aren't rows of bool of the same length, at least one example.
    """
    rights = [np.asarray(first), np.asarray(second)]
    for name, right in zip(("first", "second"), rights, strict=True):
        if right.dtype != np.bool_ or right.ndim != 1 or right.size == 0:
            raise ValueError(
                f"{name} has the shape {right.shape} and type {right.dtype}; give a row of bool"
            )
    a, b = rights
    if a.size != b.size:
        raise ValueError(f"second has {b.size} examples and first has {a.size}")
    only_first, only_second = int((a & ~b).sum()), int((b & ~a).sum())
    disagree = only_first + only_second
    p = float(stats.binomtest(only_first, disagree).pvalue) if disagree else 1.0
    return McNemar(int((a & b).sum()), only_first, only_second, int((~a & ~b).sum()), p)
