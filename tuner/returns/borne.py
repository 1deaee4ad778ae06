"""What came of the condition that a curve is under, in words."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping

from tuner import catalog
from tuner.curve import Question
from tuner.record import Outcome, Stress
from tuner.returns.rows import LevelRows


def borne(question: Question, measuring: Mapping[int, LevelRows]) -> list[str]:
    """Returns what has to be known of scores under a condition, level by level.

    Why replicates have none, and what those who measured them noted: that gradients are
    masked, say, so that a model only seems to be robust. Of several that differ in numbers
    alone one is told, the first by replicate.

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
        for why, n in _told_once(_why(stress) for stress in failed):
            notes.append(f"{at}: {n} of {len(told)} replicates {why}")
        for said, n in _told_once(stress.note for stress in told if stress.note):
            notes.append(f"{at}, {n} of {len(told)} replicates: {said}")
    return notes


def _why(stress: Stress) -> str:
    return f"{stress.outcome.value}: {stress.error}" if stress.error else stress.outcome.value


def _told_once(said: Iterable[str]) -> list[tuple[str, int]]:
    """Returns texts, and how often each is said; those that differ in numbers alone are one."""
    first: dict[str, str] = {}
    count: Counter[str] = Counter()
    for text in said:
        same = re.sub(r"[\d.]+", "#", text)
        first.setdefault(same, text)
        count[same] += 1
    return [(first[same], n) for same, n in count.items()]
