"""Which level suffices: the one rule that the climb, the verdict and simulations share.

With score μ_k (higher better) at capacity c_k, U_k = μ_k − δ·log2(c_k) is what a
level is worth after paying the margin δ for each doubling. With a price p on what
levels cost, U_k = μ_k − p·cost_k: a larger level that costs less is then worth more
even where it gains nothing. Level k suffices where U_j < U_k for every measured
j > k; the answer is the smallest such k. A level that breaks a limit is none of these.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

from tuner.curve import Question
from tuner.returns import limits
from tuner.returns.pairs import Measured, Pair


@dataclass(frozen=True)
class Sufficiency:
    """The rule, asked of what is measured.

    Attributes:
        question: What is asked, with the levels that are barred.
        measured: The bounds of all pairs.
    """

    question: Question
    measured: Measured

    @functools.cached_property
    def levels(self) -> tuple[float, ...]:
        """The measured levels that may be chosen, rising."""
        return limits.judged(self.question, self.measured.levels)

    @functools.cached_property
    def declared(self) -> tuple[float, ...]:
        """The levels that may be chosen, measured or not, rising."""
        return limits.ladder(self.question, self.measured.levels)

    @property
    def pairs(self) -> tuple[Pair, ...]:
        """The pairs of levels that may be chosen, by smaller, then larger level."""
        return tuple(pair for k in self.levels for pair in self.above(k))

    def above(self, level: float) -> list[Pair]:
        """Returns a level's pairs with every larger measured level, the nearest first."""
        return [self.measured.pairs[level, j] for j in self.levels if j > level]

    def estimated(self) -> float | None:
        """Returns the level that suffices by the estimates; None where nothing is measured."""
        return next(
            (k for k in self.levels if all(p.comparison.estimate < 0 for p in self.above(k))), None
        )

    def bounded(self, level: float) -> bool:
        """Tells whether every larger measured level is shown to be worth less."""
        return all(p.comparison.high < 0 for p in self.above(level))

    def patient(self, level: float) -> bool:
        """Tells whether enough larger levels are measured to call a plateau."""
        return len(self.above(level)) >= self.wanted(level)

    def wanted(self, level: float) -> int:
        """Returns how many larger levels have to be measured to call a plateau."""
        return limits.larger_wanted(self.question, self.measured.levels, level)

    def plateaued(self) -> float | None:
        """Returns the smallest level that is shown to suffice, or None.

        "k does not suffice" is a union of hypotheses, one a larger level, and is
        rejected where all of them are: an intersection-union test, which needs no
        correction within k (Berger 1982). Over the K-1 levels that can plateau,
        alpha/(K-1) each keeps the chance of any false plateau at alpha.
        """
        return next((k for k in self.levels if self.patient(k) and self.bounded(k)), None)

    def declining(self, level: float) -> Pair | None:
        """Returns the pair with the largest measured level if that is shown to be worse.

        The hypothesis "k does not suffice, or the top is no worse" is again a union,
        rejected where both parts are, so alpha/(K-1) serves here too. It counts for
        one top: a search that goes on to measure larger levels after such a verdict
        asks anew, about another one.
        """
        above = self.above(level)
        return above[-1] if above and above[-1].gain_high < 0 else None

    def excluded(self, level: float) -> bool:
        """Tells whether a larger measured level is shown to be worth more.

        No correction over the larger levels is needed for RISING: it is wrong only
        if some k that suffices is excluded, which takes one of at most K-1 bounds at
        alpha/(K-1) to fail.
        """
        return any(p.comparison.low > 0 for p in self.above(level))

    def rising(self) -> bool:
        """Tells whether every level below the declared top is shown not to suffice.

        A level that isn't measured can't be. The top is the largest within the limits.
        """
        declared = self.declared
        return (
            len(declared) > 1
            and set(declared) == set(self.levels)
            and all(self.excluded(k) for k in declared[:-1])
        )

    def not_excluded(self) -> tuple[float, ...]:
        """Returns the measured levels that may still be the smallest sufficient one.

        Not those that a larger one is shown to be worth more than, and none above a
        level that is itself shown to suffice.
        """
        top = next((k for k in self.levels if self.bounded(k)), math.inf)
        return tuple(k for k in self.levels if k <= top and not self.excluded(k))

    def forgone(self, level: float) -> float:
        """Returns the most that stopping here may forgo: an upper bound on max_j μ_j − μ_k.

        Over measured j >= k, so at least 0. The best j is one of them and its bound
        holds, so the largest bound does, without a correction over j.
        """
        return max([0.0, *(p.gain_high for p in self.above(level))])

    def margin_supported(self, level: float) -> float | None:
        """Returns the margin above which every larger measured level is shown to be worth less.

        Exploratory: a margin that is chosen after looking has no error rate. None
        where too few larger levels are measured or one isn't bounded, and at a price:
        no margin per doubling has a say there.
        """
        if self.question.price or not self.patient(level):
            return None
        least = max([0.0, *(p.gain_high / p.doublings for p in self.above(level))])
        return least if math.isfinite(least) else None
