"""What the residuals of a forest's trees come down to: two numbers, and their spread.

With r_t = p_t − y, tree t's probabilities less the truth over m test examples,
a forest of T trees has the residual (r_1 + … + r_T)/T. Over forests of T
exchangeable trees its expected Brier score is a + b/T, where

    a = mean of ⟨r_s, r_t⟩/m over pairs s ≠ t = (‖Σr_t‖² − Σ‖r_t‖²) / (B(B−1)m)
    b = mean of ‖r_t‖²/m − a, which is never negative

are estimated without bias by the pairs of the B trees of one fit. The spread
comes from leaving out one tree at a time. That changes both in closed form from
‖r_t‖² and ⟨r_t, Σr_s⟩, so it costs one product a tree and no refit (Arvesen 1969,
"Jackknifing U-statistics").
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

SAME = 1e-9
"""Relative difference up to which a tree's residuals in the second pass are those of the first."""

SYMMETRY = 1e-6
"""Asymmetry of a Gram matrix, over its largest entry, that passes for rounding."""


@dataclass(frozen=True, eq=False)
class TreeMoments:
    """All that a forest's expected Brier scores and their spread depend on.

    Assumes that the trees are exchangeable, as bagged ones are and boosted ones are
    not. The spread is that over trees alone: the training set and the test examples
    are given, and it says nothing of others. It is too narrow where so few trees are
    there, or so few differ from the rest, that their products are strongly skewed.

    Attributes:
        norms: ‖r_t‖²/m by tree, shape (B,).
        products: ⟨r_t, Σr_s⟩/m by tree, shape (B,).
        examples: m.
    """

    norms: Floats
    products: Floats
    examples: int

    @classmethod
    def from_gram(cls, gram: npt.ArrayLike, examples: int) -> TreeMoments:
        """Returns the moments from the inner products of all pairs of trees.

        Args:
            gram: ⟨r_s, r_t⟩, summed over examples and classes, shape (B, B).
            examples: m, the number of examples that they are summed over.

        Raises:
            ValueError: gram is not a symmetric matrix of finite numbers of at least
                two trees, has a negative square, or examples is not positive.
        """
        g = np.asarray(gram, dtype=np.float64)
        if g.ndim != 2 or g.shape[0] != g.shape[1] or len(g) < 2:
            raise ValueError(f"gram has the shape {g.shape}; give a square of at least two trees")
        if not np.isfinite(g).all():
            raise ValueError("gram has entries that are not finite")
        if np.abs(g - g.T).max() > SYMMETRY * np.abs(g).max():
            raise ValueError("gram is not symmetric; entry (s, t) is the product of trees s and t")
        if (np.diagonal(g) < 0).any():
            raise ValueError("gram has a negative square on its diagonal")
        if examples < 1:
            raise ValueError(f"examples is {examples}; give how many the products are summed over")
        return cls(np.diagonal(g) / examples, g.sum(axis=1) / examples, examples)

    @property
    def trees(self) -> int:
        """B, the number of trees."""
        return len(self.norms)

    @property
    def a(self) -> float:
        """The expected Brier score of infinitely many trees."""
        return self._estimates()[0]

    @property
    def b(self) -> float:
        """What one tree is worse than infinitely many."""
        return self._estimates()[1]

    def brier_at(self, trees: int) -> float:
        """Returns the expected Brier score of a forest of that many trees, also above B."""
        a, b = self._estimates()
        return a + b / trees

    def left_out(self) -> tuple[Floats, Floats]:
        """Returns a and b without each tree, shapes (B,). Needs three trees."""
        squared_sum = self.products.sum() - 2 * self.products + self.norms
        return _a_and_b(self.norms.sum() - self.norms, squared_sum, self.trees - 1)

    def standard_error(self, of_a: float, of_b: float) -> float:
        """Returns the jackknife standard error of of_a·a + of_b·b.

        The Brier score at T trees is a + b/T, a gain is a multiple of b, and the
        limit is a, so each is jackknifed itself.

        Returns:
            The standard error in Brier units; inf with two trees, which leave none out.
        """
        if self.trees < 3:
            return math.inf
        a, b = self.left_out()
        values = of_a * a + of_b * b
        return math.sqrt((self.trees - 1) * float(np.mean(np.square(values - values.mean()))))

    def _estimates(self) -> tuple[float, float]:
        a, b = _a_and_b(self.norms.sum(), self.products.sum(), self.trees)
        # Equal trees have b = 0, which rounding must not turn into a gain of fewer.
        return float(a), max(float(b), 0.0)


class TreeResiduals:
    """Takes the residuals of one tree at a time, for callers that can't hold all.

    It holds one array of their shape. One pass through `add` gives `estimates`.
    The jackknife moreover needs each tree's product with the sum of *all* trees,
    which is known only when the last one has come: a second pass hands the same
    residuals to `revisit`, in the same order, and `moments` has everything. Where
    there can be no second pass there is no jackknife from here; who can hold B × B
    products instead has `TreeMoments.from_gram`.
    """

    def __init__(self) -> None:
        self._sum: Floats | None = None
        self._norms: list[float] = []
        self._products: list[float] = []

    @property
    def trees(self) -> int:
        """Trees taken so far."""
        return len(self._norms)

    def add(self, residuals: npt.NDArray[Any]) -> None:
        """Takes the next tree.

        Args:
            residuals: p_t − y, shape (m,) or (m, C), the same for every tree.

        Raises:
            ValueError: They aren't finite or of another shape, or the second pass has begun.
        """
        r = self._checked(residuals)
        if self._products:
            raise ValueError("residuals: no tree can be added once the second pass has begun")
        if self._sum is None:
            self._sum = np.zeros_like(r)
        self._sum += r
        self._norms.append(_dot(r, r))

    def revisit(self, residuals: npt.NDArray[Any]) -> None:
        """Takes the next tree once more, in the order of the first pass.

        Raises:
            ValueError: These are not the residuals that the first pass had in this place.
        """
        r = self._checked(residuals)
        place = len(self._products)
        if place == self.trees or self._sum is None:
            raise ValueError(f"residuals: the first pass had {self.trees} trees and no more")
        if not math.isclose(_dot(r, r), self._norms[place], rel_tol=SAME):
            raise ValueError(f"residuals: tree {place} is not the one of the first pass")
        self._products.append(_dot(r, self._sum))

    def estimates(self) -> tuple[float, float]:
        """Returns a and b, from one pass. Raises ValueError below two trees."""
        if self._sum is None or self.trees < 2:
            raise ValueError(f"residuals of {self.trees} trees were added; two at least are needed")
        norms, m = np.asarray(self._norms), len(self._sum)
        a, b = _a_and_b(norms.sum() / m, np.float64(_dot(self._sum, self._sum) / m), self.trees)
        return float(a), max(float(b), 0.0)

    def moments(self) -> TreeMoments:
        """Returns what the jackknife needs. Raises ValueError unless both passes are complete."""
        if self._sum is None or self.trees < 2 or len(self._products) != self.trees:
            raise ValueError(
                f"residuals: {self.trees} trees were added and {len(self._products)} revisited; "
                "two at least are needed, each in both passes"
            )
        m = len(self._sum)
        return TreeMoments(np.asarray(self._norms) / m, np.asarray(self._products) / m, m)

    def _checked(self, residuals: npt.NDArray[Any]) -> Floats:
        r = np.asarray(residuals, dtype=np.float64)
        if r.ndim not in (1, 2) or r.size == 0:
            raise ValueError(
                f"residuals have the shape {r.shape}; give (examples, classes) or less"
            )
        if self._sum is not None and r.shape != self._sum.shape:
            raise ValueError(f"residuals have the shape {r.shape} after {self._sum.shape}")
        if not np.isfinite(r).all():
            raise ValueError("residuals are not all finite")
        return r


def _dot(x: Floats, y: Floats) -> float:
    """Returns ⟨x, y⟩, without BLAS: its last digits depend on the number of threads."""
    return float(np.sum(x * y))


def _a_and_b(norms: Any, squared_sum: Any, trees: int) -> tuple[Any, Any]:
    """Returns a and b from Σ‖r_t‖²/m and ‖Σr_t‖²/m, numbers or arrays alike."""
    a = (squared_sum - norms) / (trees * (trees - 1))
    b = (norms - squared_sum / trees) / (trees - 1)
    return a, b
