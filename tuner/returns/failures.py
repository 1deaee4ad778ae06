"""Whether a verdict depends on how failed replicates are counted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from tuner.curve import Question, Verdict
from tuner.returns import words
from tuner.returns.assessment import assess_evidence
from tuner.returns.bounds import Floats
from tuner.returns.evidence import Replicates
from tuner.returns.limits import judged


def verdict_depends(
    question: Question, evidence: Replicates, failed: npt.NDArray[np.bool_], verdict: Verdict
) -> list[str]:
    """Returns a note for each extreme way to count failures that changes the verdict.

    Failed replicates have no score, so they are left out of means and pairs. That
    flatters a level whose hard replicates are those that fail. The verdict is
    therefore taken again with the worst, and with the best, score seen anywhere in
    their place: the same in all, and, where that changes nothing, the other one at a
    single level, which is the worst case for its pairs. Levels where every replicate
    failed stay out, and so do levels that are barred.

    Args:
        question: What is asked, with the levels that are barred.
        evidence: The scores of what completed.
        failed: (levels, replicates) of the evidence: true where one failed.
        verdict: The verdict without them.
    """
    among = judged(question, evidence.levels)
    there = np.array([level in among for level in evidence.levels], dtype=bool)
    failed = failed & there[:, None]
    total = int(failed.sum())
    if not total:
        return []
    seen = evidence.values[there]
    low, high = float(np.nanmin(seen)), float(np.nanmax(seen))
    best, worst = (low, high) if question.direction == "minimize" else (high, low)

    def depends(fill: Floats, how: str) -> list[str]:
        filled = replace(evidence, values=np.where(failed, fill, evidence.values))
        other = assess_evidence(question, filled).verdict
        if other.answer == verdict.answer:
            return []
        failures = words.count(total, "failed replicate")
        return [
            f"the verdict depends on the {failures}: with the {how} it would be "
            f"{words.answer(other)}"
        ]

    shape = len(evidence.levels), 1
    notes = [
        *depends(np.full(shape, worst), "worst score seen in their place"),
        *depends(np.full(shape, best), "best score seen in their place"),
    ]
    failing = np.flatnonzero(failed.any(axis=1)).tolist()
    if notes or len(failing) < 2:
        return notes
    for i in failing:
        for own, others, how in (
            (worst, best, "worst score seen at level {} and the best elsewhere"),
            (best, worst, "best score seen at level {} and the worst elsewhere"),
        ):
            fill = np.full(shape, others)
            fill[i] = own
            if notes := depends(fill, how.format(evidence.levels[i])):
                return notes
    return []
