"""Whether a verdict depends on how failed replicates are counted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tuner.curve import Question, Verdict
from tuner.returns import words
from tuner.returns.assessment import assess


def verdict_depends(
    question: Question,
    scores: Mapping[int, Mapping[int, float]],
    failed: Mapping[int, Iterable[int]],
    verdict: Verdict,
) -> list[str]:
    """Returns a note for each extreme way to count failures that changes the verdict.

    Failed replicates have no score, so they are left out of means and pairs. That
    flatters a level whose hard replicates are those that fail. The verdict is
    therefore taken again with the worst, and with the best, score seen anywhere
    in their place. Levels where every replicate failed stay out.

    Args:
        question: What is asked.
        scores: Level to replicate to finite score of what completed.
        failed: Level to its replicates that failed.
        verdict: The verdict without them.
    """
    lost = {level: sorted(failed.get(level, ())) for level, row in scores.items() if row}
    total = sum(map(len, lost.values()))
    if not total:
        return []
    seen = [score for row in scores.values() for score in row.values()]
    worst, best = max(seen), min(seen)
    if question.direction == "maximize":
        worst, best = best, worst
    notes = []
    for name, value in (("worst", worst), ("best", best)):
        filled = {
            level: {**scores[level], **dict.fromkeys(replicates, value)}
            for level, replicates in lost.items()
        }
        other = assess(question, filled).verdict
        if (other.outcome, other.level) != (verdict.outcome, verdict.level):
            at = f" at {other.level}" if other.level is not None else ""
            notes.append(
                f"the verdict depends on the {words.count(total, 'failed replicate')}: with the "
                f"{name} score seen in their place it would be {other.outcome.value}{at}"
            )
    return notes
