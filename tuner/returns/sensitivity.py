"""What a verdict hangs on: it is taken again with something left out or changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tuner.curve import Question, Verdict, VerdictOutcome
from tuner.returns import words
from tuner.returns.assessment import assess_evidence
from tuner.returns.evidence import Evidence
from tuner.returns.limits import judged

MOST_REPLICATES = 100
"""Above this, no single replicate can turn a verdict, and taking each out costs too much."""


def sensitivity(
    question: Question,
    evidence: Evidence,
    verdict: Verdict,
    names: Sequence[str] = (),
    noun: str = "replicate",
) -> list[str]:
    """Returns a note for whatever flips the verdict.

    It is taken again with the largest judged level left out, with each replicate left
    out, and with the margin, or the price, halved and doubled. Exploratory: a verdict that
    survives isn't truer for it, and one that doesn't isn't wrong; the reader should know.

    Args:
        question: What is asked, with the levels that are barred.
        evidence: What was measured.
        verdict: What it says.
        names: What replicates are called; their numbers where omitted.
        noun: What comes before a name.
    """
    return [
        *_without_top(question, evidence, verdict),
        *_without_each(question, evidence, verdict, names, noun),
        *_other_margins(question, evidence, verdict),
    ]


def _without_top(question: Question, evidence: Evidence, verdict: Verdict) -> list[str]:
    levels = judged(question, evidence.levels)
    if len(levels) < 3:
        return []
    top = levels[-1]
    keep = [i for i, level in enumerate(question.levels) if level != top]
    shorter = replace(
        question,
        levels=tuple(question.levels[i] for i in keep),
        capacities=tuple(question.capacities[i] for i in keep) if question.capacities else (),
    )
    other = assess_evidence(shorter, evidence.without_level(top)).verdict
    if other.answer == verdict.answer or _impatient(question, evidence, verdict, other):
        return []
    return [f"without level {top} the verdict would be {words.answer(other)}"]


def _impatient(question: Question, evidence: Evidence, verdict: Verdict, other: Verdict) -> bool:
    """Tells whether a verdict is open without the top for want of levels alone.

    A search that stops as soon as patience lets it has just so many above its answer.
    """
    if verdict.level is None or other.outcome is not VerdictOutcome.INCONCLUSIVE:
        return False
    above = sum(level > verdict.level for level in judged(question, evidence.levels))
    return above - 1 < question.patience


def _without_each(
    question: Question, evidence: Evidence, verdict: Verdict, names: Sequence[str], noun: str
) -> list[str]:
    replicates = evidence.replicates
    if not 2 < len(replicates) <= MOST_REPLICATES:
        return []
    turned: dict[str, list[str]] = {}
    for replicate in replicates:
        other = assess_evidence(question, evidence.without_replicate(replicate)).verdict
        if other.answer != verdict.answer:
            turned.setdefault(words.answer(other), []).append(
                names[replicate] if names else str(replicate)
            )
    return [
        f"without {_any_of(which, len(replicates), noun)} the verdict would be {answer}"
        for answer, which in sorted(turned.items())
    ]


def _any_of(which: Sequence[str], total: int, noun: str) -> str:
    *rest, last = which
    if not rest:
        return f"{noun} {last}"
    if len(rest) + 1 == total:
        return f"any one of the {total} replicates"
    if len(rest) < 4:
        return f"{noun} {', '.join(rest)} or {last}"
    return f"any one of {len(rest) + 1} of the {total} replicates"


def _other_margins(question: Question, evidence: Evidence, verdict: Verdict) -> list[str]:
    notes = []
    for how, factor in (("half", 0.5), ("twice", 2.0)):
        asked = replace(question, margin=factor * question.margin, price=factor * question.price)
        other = assess_evidence(asked, evidence).verdict
        if (question.price or question.margin) and other.answer != verdict.answer:
            bar = words.bar(question)
            notes.append(f"at {how} the {bar} the verdict would be {words.answer(other)}")
    return notes
