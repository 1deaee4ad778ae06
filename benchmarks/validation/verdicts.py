"""Verdicts, and the intervals beside them, on curves whose truth is known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from benchmarks.validation.rows import Figure, Row, Share, covered, rare
from tuner.curve import Verdict, VerdictOutcome
from tuner.returns.assessment import Assessment, assess_evidence
from tuner.returns.designs import FIXED, SEQUENTIAL, Design
from tuner.returns.evidence import Replicates
from tuner.testing.noise import Floats
from tuner.testing.truths import Case, Judgement, Truth

LOOKS = range(4, 21)
"""A search looks after every replicate from the fourth to the twentieth."""

FIXED_NUMBERS = (5, 10, 20)
POWER_REPLICATES = 10
POWER = 0.95


def look(case: Case, scores: Floats, n: int, design: Design = SEQUENTIAL) -> Assessment:
    """Assesses the first n replicates."""
    levels, numbers = case.truth.levels, tuple(range(n))
    return assess_evidence(case.question, Replicates(levels, numbers, scores[:, :n], design))


def sequential(case: Case, curves: int, seed: int) -> list[Row]:
    """Returns a row for stopping at the first verdict, and one for going on until it is settled."""
    stops: dict[str, list[tuple[Verdict, int]]] = {"first verdict": [], "settled": []}
    missed = Counter[str]()
    for scores in case.curves(curves, LOOKS[-1], seed):
        looks = {n: look(case, scores, n) for n in LOOKS}
        for name, found in stops.items():
            n = next((n for n, each in looks.items() if _stops(each, name)), LOOKS[-1])
            found.append((looks[n].verdict, n))
        missed += _missed(case.truth, looks.values())
    rows = []
    for name, found in stops.items():
        figures = _judged(case, [verdict for verdict, _ in found])
        # Both stop on the same looks, whose intervals are counted once.
        if name == "first verdict":
            figures |= _coverage(case, missed, curves)
        figures["replicates"] = f"{np.mean([n for _, n in found]):.1f}"
        rows.append(Row("Verdicts, looked at from 4 to 20 replicates", case.name, name, figures))
    return rows


def fixed(case: Case, curves: int, seed: int) -> list[Row]:
    """Returns a row for every number of replicates that was set beforehand."""
    tables = list(case.curves(curves, max(FIXED_NUMBERS), seed))
    rows = []
    for n in FIXED_NUMBERS:
        looks = [look(case, scores, n, FIXED) for scores in tables]
        missed = sum((_missed(case.truth, [each]) for each in looks), Counter[str]())
        figures = _judged(case, [each.verdict for each in looks])
        figures |= _coverage(case, missed, curves)
        rows.append(
            Row("Verdicts, with the number set beforehand", case.name, f"{n} replicates", figures)
        )
    return rows


def power(case: Case, curves: int, seed: int) -> list[Row]:
    """Returns how many pairs of levels without any gain are decided by ten replicates.

    A pair is decided once the upper bound of U_larger - U_smaller is below 0.
    """
    decided = dict.fromkeys(("by ten", "at ten", "neighbours by ten"), 0)
    pairs = neighbours = 0
    for scores in case.curves(curves, POWER_REPLICATES, seed):
        looks = [look(case, scores, n) for n in range(LOOKS[0], POWER_REPLICATES + 1)]
        highs = np.array([[c.high for c in each.comparisons] for each in looks])
        near = np.array([c.larger == 2 * c.smaller for c in looks[-1].comparisons])
        by_ten = np.any(highs < 0, axis=0)
        pairs += by_ten.size
        neighbours += int(near.sum())
        decided["by ten"] += int(by_ten.sum())
        decided["at ten"] += int((highs[-1] < 0).sum())
        decided["neighbours by ten"] += int(by_ten[near].sum())
    figures: dict[str, Figure] = {
        "decided by 10": Share(decided["by ten"], pairs, least=int(np.ceil(POWER * pairs))),
        "at 10": Share(decided["at ten"], pairs),
        "neighbours by 10": Share(decided["neighbours by ten"], neighbours),
    }
    return [Row("Power: pairs of levels without any gain", case.name, "sequential", figures)]


def _stops(found: Assessment, at: str) -> bool:
    if at == "settled":
        return found.settled
    return found.verdict.outcome is not VerdictOutcome.INCONCLUSIVE


def _judged(case: Case, verdicts: Sequence[Verdict]) -> dict[str, Figure]:
    counts = Counter(case.truth.judge(verdict) for verdict in verdicts)
    n = len(verdicts)
    return {
        "wrong": rare(counts[Judgement.WRONG], n, gated=case.noise.gaussian),
        "wasteful": Share(counts[Judgement.WASTEFUL], n),
        "abstained": Share(counts[Judgement.ABSTAINED], n),
        "right": Share(counts[Judgement.RIGHT], n),
    }


def _coverage(case: Case, missed: Counter[str], curves: int) -> dict[str, Figure]:
    return {
        name: covered(curves - missed[name], curves, gated=case.noise.gaussian)
        for name in ("gains covered", "means covered")
    }


def _missed(truth: Truth, looks: Iterable[Assessment]) -> Counter[str]:
    """Counts 1 where any of the looks' intervals misses the truth."""
    missed = Counter[str]()
    for found in looks:
        if any(
            not gain.low <= truth.mean(gain.level) - truth.mean(gain.below) <= gain.high
            for gain in found.gains.values()
        ):
            missed["gains covered"] = 1
        if any(not low <= truth.mean(k) <= high for k, (low, high) in found.intervals.items()):
            missed["means covered"] = 1
    return missed
