"""How much hangs on tuning: a level's second best candidate beside its winner."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace

from tuner.curve import Question
from tuner.record import Measurement, Phase
from tuner.returns import words
from tuner.returns.rows import LevelRows, completed_scores, measured_rows


def hangs_on_tuning(
    question: Question, rows: Iterable[Measurement], measuring: Mapping[int, LevelRows]
) -> list[str]:
    """Returns a note for each level whose runner-up is more than half a margin off its winner.

    Intervals are given the hyperparameters that tuning chose. Where the second best
    ones score much the same, that says little; where they don't, another tuning run
    could have moved the level, and a verdict with it, by as much. Descriptive: the
    mean paired difference has no bound here, and decides nothing.

    Args:
        question: What is asked; the margin is meant per doubling elsewhere, and as a
            plain difference here.
        rows: The search's rows, of any phase.
        measuring: Its winners' rows, by level.
    """
    # A runner-up is measured like a winner, so its rows are read like a winner's.
    seconds = measured_rows(
        question, [replace(row, phase=Phase.MEASURING) for row in rows if _is_runner_up(row)]
    )
    winners, others = (completed_scores(question, of) for of in (measuring, seconds))
    notes = []
    for level in sorted(seconds):
        winner, other = winners.get(level, {}), others[level]
        common = sorted(winner.keys() & other.keys())
        failed = len(winner.keys() & seconds[level].failed.keys())
        if common:
            gap = math.fsum(other[i] - winner[i] for i in common) / len(common)
            if abs(gap) > question.margin / 2:
                notes.append(f"level {level}: {_far(question, gap, len(common), failed)}")
        elif failed:
            notes.append(
                f"level {level}: the claim hangs on tuning: the second best hyperparameters "
                f"failed on {_all(failed)} that the best ones completed"
            )
    return notes


def _is_runner_up(row: Measurement) -> bool:
    return row.phase is Phase.RUNNER_UP


def _far(question: Question, gap: float, replicates: int, failed: int) -> str:
    better = (gap < 0) == (question.direction == "minimize")
    lesson = (
        "tuning may have chosen the wrong ones"
        if better
        else "a tuning run that missed the best ones would have moved this level by as much"
    )
    broken = f" (they failed on {failed} more)" if failed else ""
    return (
        f"the claim hangs on tuning: the second best hyperparameters are "
        f"{words.number(abs(gap))} {question.metric} {'better' if better else 'worse'} than the "
        f"best ones on {_same(replicates)}{broken}, over half the margin of "
        f"{words.number(question.margin)}; {lesson}"
    )


def _same(replicates: int) -> str:
    return f"the same {words.count(replicates, 'replicate')}"


def _all(failed: int) -> str:
    return "the one replicate" if failed == 1 else f"all {failed} replicates"
