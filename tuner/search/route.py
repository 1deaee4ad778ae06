"""The way up: which levels are visited at once, and which only if the answer is near them.

No level is visited from the limits' ceiling on, above which all would break one.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Sequence

from tuner.curve import Question

DOUBLING = 1 - 1e-9


def landmarks(question: Question) -> tuple[int, ...]:
    """Returns the levels that are climbed: at least a doubling apart, and the top.

    Levels that are closer are told apart at a high price, for between them a plateau
    loses only a part of the margin. They wait until the answer is near.
    """
    found: list[int] = []
    for level in question.levels:
        if not found or question.doublings(found[-1], level) >= DOUBLING:
            found.append(int(level))
    top = int(question.levels[-1])
    return tuple(found if found[-1] == top else [*found, top])


def between(
    question: Question, opened: Collection[int], answer: int, top: float = math.inf
) -> int | None:
    """Returns the level to try between an answer and the open level below it.

    The middle one of those below `top` that were passed over; None where none was. None is
    open below the smallest one, unless smaller ones were declared later.
    """
    below = max((level for level in opened if level < answer), default=0)
    return _middle(question, below, min(answer, top))


def beyond(
    question: Question, opened: Collection[int], level: int, top: float = math.inf
) -> int | None:
    """Returns the level to try above one that has too few larger levels.

    The middle one of those below `top` that were passed over nearest to it; None where
    none was.
    """
    gaps = [gap for gap in itertools.pairwise(sorted(opened)) if gap[0] >= level]
    found = (_middle(question, low, min(high, top)) for low, high in gaps)
    return next((k for k in found if k is not None), None)


def missing(question: Question, opened: Collection[int], top: float = math.inf) -> int | None:
    """Returns the level to try where every level counts, the largest ones first.

    The middle one of those below `top` that were passed over; None where none was.
    """
    gaps = reversed([*itertools.pairwise([0, *sorted(opened)])])
    found = (_middle(question, low, min(high, top)) for low, high in gaps)
    return next((k for k in found if k is not None), None)


def _middle(question: Question, below: int, above: float) -> int | None:
    passed: Sequence[int] = [int(k) for k in question.levels if below < k < above]
    return passed[(len(passed) - 1) // 2] if passed else None
