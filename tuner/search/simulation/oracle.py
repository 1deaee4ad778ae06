"""What a climb would cost that knew the answer and only had to show it."""

from __future__ import annotations

from collections.abc import Mapping

from tuner.curve import Question
from tuner.record import Phase
from tuner.search.record import SearchRecord
from tuner.search.simulation.judge import worth


def sufficient(question: Question, means: Mapping[int, float]) -> int:
    """Returns the smallest level that suffices in truth: every larger one is worth less.

    Args:
        question: The margin and the ladder.
        means: True means of all of the ladder's levels.
    """
    true = worth(question, means)
    return next(k for k in true if all(true[j] < true[k] for j in true if j > k))


def least_seconds(
    question: Question, means: Mapping[int, float], sweep: SearchRecord, replicates: int
) -> float:
    """Returns the device-seconds below which no climb can end.

    It climbs to the level that suffices and `patience` levels beyond it, tunes each of
    them as the sweep did, and measures each winner on the fewest replicates allowed.
    How many replicates the noise asks for isn't in it.

    Args:
        question: What was asked.
        means: True means of all of the ladder's levels.
        sweep: The record of an exhaustive sweep, from which the costs are taken.
        replicates: The fewest that a level gets.
    """
    ladder = sorted(means)
    last = ladder.index(sufficient(question, means)) + question.patience
    needed = set(ladder[: last + 1])
    return sum(
        row.billed_device_seconds
        for row in sweep.claimed()
        if row.level in needed and (row.phase is Phase.TUNING or row.replicate < replicates)
    )
