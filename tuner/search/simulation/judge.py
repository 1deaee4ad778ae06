"""Whether an answer is right, once the truth is known, and how sure a share of them is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from scipy.stats import binomtest

from tuner.curve import Question, Verdict, VerdictOutcome


class Mark(StrEnum):
    """What an answer is worth."""

    RIGHT = "right"
    WRONG = "wrong"
    ABSTAINED = "abstained"


def answer_of(verdict: Verdict, question: Question) -> float | None:
    """Returns the level that a verdict recommends; None where it is INCONCLUSIVE.

    The ladder's top where returns still rise there.
    """
    if verdict.outcome is VerdictOutcome.INCONCLUSIVE:
        return None
    return question.levels[-1] if verdict.level is None else verdict.level


def worth(question: Question, means: Mapping[int, float]) -> dict[int, float]:
    """Returns U by level: the mean less what it must gain over the lowest level.

    Args:
        question: The margin, or the price with costs, and the ladder. Higher means must
            be better.
        means: True means of all of the ladder's levels.
    """
    lowest = question.levels[0]
    return {level: mean - question.toll(lowest, level) for level, mean in means.items()}


def judge(question: Question, means: Mapping[int, float], level: float | None) -> Mark:
    """Returns what an answer is worth.

    It is right where its level is worth at least as much as the best of the whole
    ladder less half a margin, measured or not.

    Args:
        question: What was asked.
        means: True means of all of the ladder's levels.
        level: The answer; None where there is none.
    """
    if level is None:
        return Mark.ABSTAINED
    true = worth(question, means)
    best = max(true.values())
    # Rounding makes no answer wrong.
    enough = best - question.margin / 2 - 1e-12 * max(1.0, abs(best))
    return Mark.RIGHT if true[int(level)] >= enough else Mark.WRONG


@dataclass(frozen=True)
class Share:
    """A share of runs.

    Attributes:
        count: Runs of the kind.
        runs: All runs.
    """

    count: int
    runs: int

    @property
    def estimate(self) -> float:
        """The share."""
        return self.count / self.runs

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's interval (1927), at 95 %."""
        found = binomtest(self.count, self.runs).proportion_ci(0.95, method="wilson")
        return float(found.low), float(found.high)
