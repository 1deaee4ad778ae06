"""What came of the condition that a curve is under, in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from tuner import catalog
from tuner.curve import Question
from tuner.record import Outcome, Stress
from tuner.returns.rows import LevelRows


def borne(question: Question, measuring: Mapping[int, LevelRows]) -> list[str]:
    """Returns what has to be known of scores under a condition, level by level.

    Why replicates have none, and what those who measured them noted: that gradients are
    masked, say, so that a model only seems to be robust. Of several alike one is told.

    Args:
        question: What is asked; without a condition, nothing is to be said.
        measuring: The winners' rows, by level.
    """
    _, condition = catalog.split_metric(question.metric)
    notes = []
    for level in sorted(measuring):
        rows = {**measuring[level].completed, **measuring[level].failed}
        told = [s for i in sorted(rows) for s in rows[i].stresses if s.condition == condition]
        at = f"level {level} under {condition}"
        failed = [stress for stress in told if stress.outcome is not Outcome.COMPLETED]
        for outcome, some in _by_outcome(failed).items():
            why = _commonest(stress.error for stress in some)
            notes.append(f"{at}: {_of(some, told)} {outcome.value}" + (f": {why}" if why else ""))
        noted = [stress for stress in told if stress.note]
        if noted:
            said = _commonest(stress.note for stress in noted)
            notes.append(f"{at}, {_of(noted, told)}: {said}")
    return notes


def _by_outcome(stresses: Iterable[Stress]) -> dict[Outcome, list[Stress]]:
    found: dict[Outcome, list[Stress]] = {}
    for stress in stresses:
        found.setdefault(stress.outcome, []).append(stress)
    return dict(sorted(found.items()))


def _of(some: Sequence[Stress], told: Sequence[Stress]) -> str:
    return f"{len(some)} of {len(told)} replicates"


def _commonest(texts: Iterable[str]) -> str:
    """Returns what is said most often, the first of equals; "" where nothing is said."""
    return next((text for text, _ in Counter(filter(None, texts)).most_common(1)), "")
