"""What more replicates may still show: the chances that decide where they are spent.

The predictive chance that a bound will clear zero once all replicates that a spec allows
are there, were the spread to stay what it is (stochastic curtailment: Lan, Simon and
Halperin 1982; its predictive form: Spiegelhalter, Freedman and Blackburn 1986). Nothing
that is concluded rests on it: it only says where to go on, and where that is futile. The
bounds hold whenever a search ends.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean, stdev

from scipy import special

from tuner.curve import Question
from tuner.record import Comparison
from tuner.returns import Assessment, pair_level
from tuner.returns.bounds import ROUNDING
from tuner.returns.designs import SEQUENTIAL

HOPE = 0.1
"""Chance below which it is futile to go on."""

TIE = 0.25
"""Share of a margin by which a smaller level may look better without being preferred."""

UNKNOWN = 0.5
"""The chance of what too few replicates say anything about."""

_EVEN = 1e-9
"""Keeps costs in the balance where all chances are alike."""

Scores = Mapping[float, Mapping[int, float]]


@dataclass(frozen=True)
class Prospect:
    """What may come of a pair of levels.

    Attributes:
        now: Its bounds as they are.
        bounded: Chance that the larger level will be shown to be worth less.
        excluded: Chance that the larger level will be shown to be worth more.
    """

    now: Comparison
    bounded: float
    excluded: float


class Outlook:
    """What may come of a search, from what is measured and what may still be."""

    def __init__(
        self, question: Question, scores: Scores, look: Assessment, left: Mapping[float, int]
    ) -> None:
        """Reckons every pair's chances.

        Args:
            question: What is asked.
            scores: Level to replicate to score, of what completed.
            look: What they say now.
            left: By level, the replicates that may still be added.
        """
        self._question = question
        self._levels = look.levels
        self._pairs: dict[tuple[float, float], Prospect] = {}
        for now in look.comparisons:
            pair = now.smaller, now.larger
            # What both were measured on grows while either may still catch up.
            more = max(left[level] for level in pair)
            self._pairs[pair] = _prospect(
                question, now, scores[now.smaller], scores[now.larger], more
            )

    def above(self, level: float) -> list[Prospect]:
        """Returns a level's pairs with every larger measured one, the nearest first."""
        return [self._pairs[level, j] for j in self._levels if j > level]

    def candidate(self) -> float | None:
        """Returns the smallest level that may yet be shown to suffice; None where none may.

        A level that is estimated to be worth less than a smaller one is none, unless they
        tie: to show that it suffices says little where noise hides that less would do.
        The largest measured level has nothing above it to be shown against. It is one only
        where every smaller level may be shown to fall short: noise that hides what is below
        would hide what is above, too.
        """
        for level in self._levels[:-1]:
            if min(p.bounded for p in self.above(level)) >= HOPE:
                return level if self._overshoot(level) <= self._question.margin * TIE else None
        return self._levels[-1] if self.may_rise() else None

    def _overshoot(self, level: float) -> float:
        """Returns by how much a smaller level is estimated to be worth more, at most."""
        return max(
            (-self._pairs[k, level].now.estimate for k in self._levels if k < level), default=0.0
        )

    def may_rise(self) -> bool:
        """Tells whether every level below the largest measured one may be shown to fall short."""
        return all(self._may_fall_short(level) for level in self._levels[:-1])

    def _may_fall_short(self, level: float) -> bool:
        return max(p.excluded for p in self.above(level)) >= HOPE

    def undecided(self, level: float) -> list[int]:
        """Returns the pair of levels whose replicates decide most on whether a level suffices.

        All of its pairs must be shown, so the one that is likeliest to fail for its cost
        comes first: if it does, the others were never needed. A fit's cost is taken as
        proportional to its level, which is known beforehand, on every machine alike.
        """
        undecided = [p for p in self.above(level) if p.now.high >= 0]
        if not undecided:
            return []
        first = max(
            undecided,
            key=lambda p: (1 - p.bounded + _EVEN) / (p.now.smaller + p.now.larger),
        )
        return [int(level), int(first.now.larger)]

    def rivals(self) -> list[int]:
        """Returns the levels whose replicates may show that every one but the top falls short.

        Each that isn't excluded, with the larger one that is likeliest to exclude it.
        """
        found: set[int] = set()
        for level in self._levels[:-1]:
            pairs = self.above(level)
            if all(p.now.low <= 0 for p in pairs):
                best = max(pairs, key=lambda p: (p.excluded, p.now.estimate))
                found |= {int(level), int(best.now.larger)}
        return sorted(found)


def _prospect(
    question: Question,
    now: Comparison,
    smaller: Mapping[int, float],
    larger: Mapping[int, float],
    more: int,
) -> Prospect:
    if now.high < 0:
        return Prospect(now, 1.0, 0.0)
    if now.low > 0:
        return Prospect(now, 0.0, 1.0)
    if not more:
        return Prospect(now, 0.0, 0.0)
    sign = -1.0 if question.direction == "minimize" else 1.0
    gains = [sign * (larger[i] - smaller[i]) for i in smaller.keys() & larger.keys()]
    n = len(gains)
    spread = stdev(gains) if n > 1 else 0.0
    # Equal differences, but for rounding, say nothing of the noise.
    if spread <= ROUNDING * max(map(abs, (*smaller.values(), *larger.values()))):
        return Prospect(now, UNKNOWN, UNKNOWN)
    worth = fmean(gains) - question.toll(now.smaller, now.larger)
    most = n + more
    width = SEQUENTIAL.multiplier(most, pair_level(question)) * SEQUENTIAL.scale(most)
    # The final mean lies around today's by what the replicates to come bring.
    unit = spread * math.sqrt(1 / n - 1 / most)
    return Prospect(
        now,
        float(special.stdtr(n - 1, (-width * spread - worth) / unit)),
        float(special.stdtr(n - 1, (worth - width * spread) / unit)),
    )
