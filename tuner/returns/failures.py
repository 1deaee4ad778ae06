"""Whether a verdict depends on how failed replicates are counted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from tuner.curve import Question, Verdict
from tuner.returns import words
from tuner.returns.assessment import assess_evidence
from tuner.returns.evidence import Replicates


def verdict_depends(
    question: Question, evidence: Replicates, failed: npt.NDArray[np.bool_], verdict: Verdict
) -> list[str]:
    """Returns a note for each extreme way to count failures that changes the verdict.

    Failed replicates have no score, so they are left out of means and pairs. That
    flatters a level whose hard replicates are those that fail. The verdict is
    therefore taken again with the worst, and with the best, score seen anywhere
    in their place. Levels where every replicate failed stay out.

    Args:
        question: What is asked.
        evidence: The scores of what completed.
        failed: (levels, replicates) of the evidence: true where one failed.
        verdict: The verdict without them.
    """
    total = int(failed.sum())
    if not total:
        return []
    low, high = float(np.nanmin(evidence.values)), float(np.nanmax(evidence.values))
    best, worst = (low, high) if question.direction == "minimize" else (high, low)
    notes = []
    for name, value in (("worst", worst), ("best", best)):
        filled = replace(evidence, values=np.where(failed, value, evidence.values))
        other = assess_evidence(question, filled).verdict
        if other.answer != verdict.answer:
            notes.append(
                f"the verdict depends on the {words.count(total, 'failed replicate')}: with the "
                f"{name} score seen in their place it would be {words.answer(other)}"
            )
    return notes
