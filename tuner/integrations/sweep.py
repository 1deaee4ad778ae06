"""A sweep that somebody else runs, read as it goes: has it answered the question?"""

from __future__ import annotations

import logging
import math
from typing import Any

from tuner.curve import Curve, Question, Verdict, VerdictOutcome
from tuner.returns import Assessment, DataError, analyze, assess

logger = logging.getLogger(__name__)

COST = "seconds"
"""The column of what a run takes."""


class Answering:
    """What ends a sweep shows what it has read of it."""

    _sweep: Sweep

    @property
    def stopped(self) -> bool:
        """Whether the trials have answered."""
        return self._sweep.answered

    @property
    def verdict(self) -> Verdict:
        """What the trials say: what it was stopped with, or what there is so far."""
        return self._sweep.verdict

    @property
    def curve(self) -> Curve:
        """The curve of the trials.

        Raises:
            tuner.returns.DataError: No trial has ended, or one replicate of a level has
                two scores.
        """
        return self._sweep.curve()


class Sweep:
    """Runs by level and replicate, and whether they answer the question yet.

    The bounds are anytime-valid, so they may be looked at after every run. What ends
    after they have answered isn't read: the verdict is the one it was stopped with.
    """

    def __init__(self, question: Question, replicate: str, min_replicates: int) -> None:
        """Makes an empty sweep.

        Args:
            question: What is asked.
            replicate: What tells runs of a level apart and pairs them over levels.
            min_replicates: Runs of every level up to the sufficient one before it answers.

        Raises:
            ValueError: Two columns have one name, or min_replicates is below 2.
        """
        names = [question.axis, replicate, question.metric, COST]
        if len(set(names)) < len(names):
            raise ValueError(f"two of {', '.join(map(repr, names))} are the same; rename one")
        if min_replicates < 2:
            raise ValueError(f"min_replicates is {min_replicates}; two are the fewest that vary")
        self.question = question
        self._replicate = replicate
        self._min = min_replicates
        self._runs: dict[tuple[float, str], tuple[float, float]] = {}
        self._look: Assessment | None = None
        self._clash = ""
        self.answered = False

    def add(self, level: Any, replicate: Any, score: float, seconds: float = math.nan) -> None:
        """Adds a run, once: its failure gives way to a score, and nothing else to anything.

        Args:
            level: Its level.
            replicate: Its replicate: a number or a name.
            score: In the metric's units; NaN where it failed.
            seconds: How long it took; NaN where unknown.

        Raises:
            ValueError: The level isn't on the ladder.
        """
        if self.answered:
            return
        at, score = self._level(level), float(score) if math.isfinite(score) else math.nan
        key = (at, str(replicate))
        known = self._runs.get(key, (math.nan, math.nan))[0]
        if math.isnan(known):
            self._runs[key] = (score, seconds)
        elif not (math.isnan(score) or score == known or self._clash):
            self._clash = (
                f"{self.question.axis} {at}, {self._replicate} {replicate} was run twice, with "
                f"{known:g} and {score:g}: keep to one setting a level, for the best of several "
                "flatters it"
            )
            logger.warning("%s", self._clash)
        self._look = None
        self.answered = self._answers()

    def _level(self, level: Any) -> float:
        for known in self.question.levels:
            if not isinstance(level, str) and level == known:
                return known
        raise ValueError(
            f"{self.question.axis} {level!r} is not on the ladder {list(self.question.levels)}"
        )

    def look(self) -> Assessment:
        """Returns the bounds and the verdict of what has run."""
        if self._look is None:
            # Numbered by name, so that no digit depends on the order of arrival.
            numbers = {name: i for i, name in enumerate(sorted({r for _, r in self._runs}))}
            scores: dict[float, dict[int, float]] = {}
            for (level, name), (score, _) in self._runs.items():
                if not math.isnan(score):
                    scores.setdefault(level, {})[numbers[name]] = score
            self._look = assess(self.question, scores)
        return self._look

    def _answers(self) -> bool:
        """Tells whether the verdict is settled and no smaller level was left out of it.

        A sweep that begins with the large levels has a plateau among them at once;
        what was asked is which level of the ladder is the first to suffice.
        """
        look = self.look()
        if self._clash or not look.settled:
            return False
        level = math.inf if look.verdict.level is None else look.verdict.level
        runs = [at for at, _ in self._runs]
        return all(runs.count(k) >= self._min for k in self.question.levels if k <= level)

    @property
    def verdict(self) -> Verdict:
        """What the runs say; nothing where one replicate of a level has two scores."""
        if self._clash:
            inconclusive = VerdictOutcome.INCONCLUSIVE
            return Verdict(inconclusive, None, self._clash, missing=(self._clash,))
        return self.look().verdict

    def curve(self) -> Curve:
        """Returns the curve of the runs.

        Raises:
            tuner.returns.DataError: Nothing has run, or one replicate of a level has two scores.
        """
        question = self.question
        if self._clash:
            raise DataError(question.metric, self._clash)
        runs = sorted(self._runs.items())
        columns = {
            COST: [seconds for _, (_, seconds) in runs],
            question.axis: [level for (level, _), _ in runs],
            self._replicate: [name for (_, name), _ in runs],
            question.metric: [score for _, (score, _) in runs],
        }
        return analyze(
            columns,
            level=question.axis,
            score=question.metric,
            direction=question.direction,
            margin=question.margin,
            replicate=self._replicate,
            cost=COST,
            design="sequential",
            ladder=question.levels,
            alpha=question.alpha,
            patience=question.patience,
        )
