"""Curves whose truth is known, and the judge of what a verdict says of them.

Anyone can check a rule of stopping of their own: `tally` draws curves of a case,
asks the rule, and counts how often it was right, wrong, wasteful or silent.

    from tuner.testing.truths import CASES, tally

    print(tally(CASES["just the margin"], my_rule))

Everything is counted in margins, so a gain of 1 per doubling is just worth having.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from tuner.curve import Question, Verdict, VerdictOutcome
from tuner.testing.noise import (
    FALLING,
    PAIRED,
    RISING,
    Floats,
    Noise,
    heavy_tailed,
    skewed,
)

TIE = 1e-9
"""Margins by which two levels have to differ; less is rounding, and a tie in truth."""


class Judgement(StrEnum):
    """What a verdict turns out to be once the truth is known.

    RIGHT: It holds, and no smaller measured level than the one it names suffices.
    WASTEFUL: It holds, but a smaller measured level suffices.
    WRONG: It doesn't hold.
    UNMEASURED: It holds of the measured levels, and not of a larger one that wasn't
        measured: of those a verdict says nothing.
    ABSTAINED: It is INCONCLUSIVE.
    """

    RIGHT = "RIGHT"
    WASTEFUL = "WASTEFUL"
    WRONG = "WRONG"
    UNMEASURED = "UNMEASURED"
    ABSTAINED = "ABSTAINED"


@dataclass(frozen=True)
class Truth:
    """The true mean score of every level of a ladder.

    Attributes:
        levels: The ladder, rising; a level is its own capacity.
        means: In margins; higher is better.
    """

    levels: tuple[float, ...]
    means: tuple[float, ...]

    @classmethod
    def of_gains(cls, *gains: float, levels: Sequence[float] = ()) -> Truth:
        """Takes what every step gains per doubling, in margins; levels 1, 2, 4, ... if omitted."""
        ladder = tuple(levels) or tuple(2.0**i for i in range(len(gains) + 1))
        doublings = np.diff(np.log2(ladder))
        means = np.concatenate([[0.0], np.cumsum(np.asarray(gains) * doublings)])
        return cls(ladder, tuple(means.tolist()))

    def worth(self, level: float) -> float:
        """Returns U: what a level is worth after paying a margin for each doubling."""
        return self.mean(level) - float(np.log2(level))

    def mean(self, level: float) -> float:
        """Returns a level's mean. Raises ValueError where it isn't on the ladder."""
        return self.means[self.levels.index(level)]

    def refuted(self, level: float, by: Collection[float]) -> bool:
        """Tells whether one of these levels is larger and worth no less: U_j >= U_k."""
        worth = self.worth(level)
        return any(self.worth(j) >= worth - TIE for j in by if j > level)

    def sufficient(self, measured: Collection[float] | None = None) -> float:
        """Returns the smallest of the measured levels (all, if omitted) that suffices."""
        levels = sorted(self.levels if measured is None else measured)
        return next(k for k in levels if not self.refuted(k, levels))

    def judge(self, verdict: Verdict, measured: Collection[float] | None = None) -> Judgement:
        """Returns what a verdict is worth.

        WRONG is PLATEAUED(k) where a larger measured level j has U_j >= U_k, DECLINING
        where that holds or the largest measured level is no worse than k, RISING where
        a level below the ladder's top suffices.

        Args:
            verdict: The verdict.
            measured: The levels that it speaks of; the whole ladder if omitted.

        Raises:
            ValueError: It names a level that wasn't measured, or no level where it must.
        """
        if verdict.outcome is VerdictOutcome.INCONCLUSIVE:
            return Judgement.ABSTAINED
        if verdict.outcome is VerdictOutcome.RISING:
            return Judgement.RIGHT if self.sufficient() == self.levels[-1] else Judgement.WRONG
        seen = self.levels if measured is None else measured
        k = verdict.level
        if k is None or k not in seen:
            raise ValueError(f"{verdict.outcome} at {k}, which is not a measured level")
        no_worse = self.mean(max(seen)) >= self.mean(k) - TIE
        if self.refuted(k, seen) or (verdict.outcome is VerdictOutcome.DECLINING and no_worse):
            return Judgement.WRONG
        if self.refuted(k, self.levels):
            return Judgement.UNMEASURED
        return Judgement.RIGHT if k == self.sufficient(seen) else Judgement.WASTEFUL


@dataclass(frozen=True)
class Case:
    """A truth, how it is seen, and what is asked of it.

    Attributes:
        name: What it is called.
        truth: What is so.
        noise: How replicates scatter around it.
        patience: Larger levels that must be measured before one can plateau.
    """

    name: str
    truth: Truth
    noise: Noise = field(default_factory=Noise)
    patience: int = 2

    @property
    def question(self) -> Question:
        """Asks which level suffices, with a margin of 1: scores are in margins."""
        return Question(
            search=self.name,
            learner="",
            axis="level",
            levels=self.truth.levels,
            metric="margins",
            direction="maximize",
            margin=1.0,
            patience=self.patience,
        )

    def curves(self, count: int, replicates: int = 20, seed: int = 0) -> Iterator[Floats]:
        """Yields scores (levels, replicates) of so many curves, in margins.

        The same for the same seed, and no other than those of a larger count.
        """
        rng = np.random.default_rng([seed, zlib.crc32(self.name.encode())])
        means = np.asarray(self.truth.means)[:, None]
        for _ in range(count):
            yield means + self.noise.draw(rng, len(means), replicates)


Rule = Callable[[Question, Floats], Verdict]
"""From a question and scores (levels, replicates) to the verdict at which a search stops. It
may look at the replicates in their order, as a search would."""


def tally(
    case: Case, rule: Rule, curves: int = 1000, replicates: int = 20, seed: int = 0
) -> dict[Judgement, int]:
    """Returns how often a rule of stopping was what, over so many curves of a case.

    Args:
        case: The truth and its noise.
        rule: What is put to the test.
        curves: How many.
        replicates: What the rule is given of every level.
        seed: Of the noise.
    """
    counts = dict.fromkeys(Judgement, 0)
    for scores in case.curves(curves, replicates, seed):
        counts[case.truth.judge(rule(case.question, scores))] += 1
    return counts


SIX = {
    "no gain": Truth.of_gains(0, 0, 0, 0, 0),
    "half a margin": Truth.of_gains(0.5, 0.5, 0.5, 0.5, 0.5),
    "0.8 of a margin": Truth.of_gains(0.8, 0.8, 0.8, 0.8, 0.8),
    "just the margin": Truth.of_gains(1, 1, 1, 1, 1),
    "1.2 margins": Truth.of_gains(1.2, 1.2, 1.2, 1.2, 1.2),
    "rising": Truth.of_gains(3, 3, 3, 3, 3),
    "plateau early": Truth.of_gains(4, 0, 0, 0, 0),
    "plateau late": Truth.of_gains(4, 3, 3, 0, 0),
    "plateau on the margin": Truth.of_gains(4, 1, 0, 0, 0),
    "step at the third doubling": Truth.of_gains(0, 0, 5, 0, 0),
    "dip before a rise": Truth.of_gains(-2, 6, 3, 3, 3),
    "decline": Truth.of_gains(3, 0, -1, -1, -1),
    "slow decline": Truth.of_gains(2, -0.1, -0.1, -0.1, -0.1),
    "0.8 of a margin, uneven ladder": Truth.of_gains(
        0.8, 0.8, 0.8, 0.8, 0.8, levels=(1.0, 3.0, 4.0, 16.0, 24.0, 100.0)
    ),
}
"""Truths of six levels."""

FEW = {
    "two levels, no gain": Truth.of_gains(0),
    "two levels, 0.8 of a margin": Truth.of_gains(0.8),
    "two levels, just the margin": Truth.of_gains(1),
    "two levels, 1.2 margins": Truth.of_gains(1.2),
    "three levels, no gain": Truth.of_gains(0, 0),
    "three levels, just the margin": Truth.of_gains(1, 1),
    "three levels, plateau": Truth.of_gains(2, 0),
}
"""Truths of two and three levels, asked with a patience of 1."""

UNEVEN = ("no gain", "just the margin", "1.2 margins", "plateau early")
"""Truths of six levels that are seen through noise that falls with the level, too."""

OTHERWISE = {
    "skewed": (Noise(shape=skewed), Noise(shape=skewed)),
    "skewed, falling": (Noise(FALLING, skewed), Noise((PAIRED * 2**0.5, 0.0), skewed)),
    "skewed, rising": (Noise(RISING, skewed), Noise((0.0, PAIRED * 2**0.5), skewed)),
    "heavy-tailed": (Noise(shape=heavy_tailed), Noise(shape=heavy_tailed)),
    "correlated .1": (Noise(correlation=0.1), Noise(correlation=0.1)),
    "correlated .3": (Noise(correlation=0.3), Noise(correlation=0.3)),
}
"""Noise that the bounds don't assume: of six levels, and of two. Where it falls or rises, all of
the two levels' is the smaller one's, or the larger one's."""


def _cases() -> Iterator[Case]:
    for name, truth in SIX.items():
        yield Case(name, truth)
    for name in UNEVEN:
        yield Case(f"{name}, noise falling", SIX[name], Noise(FALLING))
    for name, truth in FEW.items():
        yield Case(name, truth, patience=1)
    two = "two levels, just the margin"
    for shape, (of_six, of_two) in OTHERWISE.items():
        for name in ("no gain", "just the margin"):
            yield Case(f"{name}, {shape}", SIX[name], of_six)
        yield Case(f"{two}, {shape}", FEW[two], of_two, patience=1)


CASES: Mapping[str, Case] = {case.name: case for case in _cases()}
"""Every case by its name, the Gaussian ones first. Those whose `noise.gaussian` holds are what
the bounds promise to be right about; the others show what becomes of them elsewhere."""
