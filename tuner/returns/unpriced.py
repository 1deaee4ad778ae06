"""A look at levels of which a price can't tell yet what they are worth."""

from __future__ import annotations

from dataclasses import replace

from tuner.curve import Needed, Question, Verdict, VerdictOutcome
from tuner.returns import words
from tuner.returns.assessment import Assessment, assess_evidence
from tuner.returns.evidence import Evidence


def costless(question: Question, levels: tuple[float, ...]) -> tuple[float, ...]:
    """Returns the measured levels that can't be judged: at a price, those without a cost.

    None where fewer than two are measured, for there is nothing to judge.
    """
    return tuple(k for k in levels if not question.priced(k)) if len(levels) > 1 else ()


def assess_if_priced(question: Question, evidence: Evidence) -> Assessment:
    """Returns the assessment; scores and gains alone where a measured level has no cost.

    A policy fixes what levels cost before it decides, so this is for a record that is
    looked at before, or whose policy fixed none: it is INCONCLUSIVE, whatever the scores.

    Raises:
        ValueError: A level isn't declared.
    """
    unknown = costless(question, evidence.levels)
    if not unknown:
        return assess_evidence(question, evidence)
    # No score, interval or gain depends on what a level must gain.
    look = assess_evidence(replace(question, price=0.0), evidence)
    noun, verb = ("level", "has") if len(unknown) == 1 else ("levels", "have")
    reason = f"what {noun} {words.listed(unknown)} cost isn't known yet, and the answer is priced"
    missing = f"{noun} {words.listed(unknown)} {verb} no cost yet"
    return replace(
        look,
        comparisons=(),
        margin_supported=dict.fromkeys(look.levels),
        estimated_sufficient=None,
        verdict=Verdict(VerdictOutcome.INCONCLUSIVE, None, reason, look.levels, (missing,)),
        needed=Needed(reason=missing),
    )
