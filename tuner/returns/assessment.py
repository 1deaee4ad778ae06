"""An assessment: every bound of one search at one look, and the verdict."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field

from tuner.curve import Gain, Needed, Question, Verdict, VerdictOutcome
from tuner.record import Comparison
from tuner.returns import words
from tuner.returns.designs import SEQUENTIAL, Design
from tuner.returns.evidence import Evidence, Replicates
from tuner.returns.missing import needed
from tuner.returns.pairs import gain_level
from tuner.returns.sufficiency import Sufficiency
from tuner.returns.verdict import judge


@dataclass(frozen=True)
class Assessment:
    """What a look at the evidence says. Its bounds are as good as the evidence's design.

    Attributes:
        levels: The measured levels that are judged, rising: all but those that are barred.
        comparisons: U_larger - U_smaller for all pairs of those levels, by
            smaller, then larger level. One-sided at alpha/(K-1) for K declared levels.
        gains: By level, over the judged level below; positive is better. Their
            bounds are two-sided at alpha/(K-1), so that all hold together with chance
            1 - alpha: wider than the one-sided ones that a verdict rests on. The first
            judged level has none.
        means: Mean score by measured level, in the metric's own units.
        errors: Standard error of those means; inf where unknown.
        replicates: Replicates that they are over.
        intervals: Bounds of those means, two-sided at alpha/K, so that all hold
            together with chance 1 - alpha. Infinite where too few replicates bound them.
        forgone: By level, an upper bound on what stopping there forgoes against the
            best larger one that is judged.
        margin_supported: By level, the margin above which it would be shown to
            suffice (exploratory); None where no margin would do, and at a price.
        estimated_sufficient: The smallest judged level that suffices by the
            estimates alone; None where there is none.
        verdict: What the bounds say.
        needed: What would likely settle it, where it is inconclusive.
        notes: What a reader of the bounds should know.
    """

    levels: tuple[float, ...]
    comparisons: tuple[Comparison, ...]
    gains: Mapping[float, Gain]
    means: Mapping[float, float]
    errors: Mapping[float, float]
    replicates: Mapping[float, int]
    intervals: Mapping[float, tuple[float, float]]
    forgone: Mapping[float, float]
    margin_supported: Mapping[float, float | None]
    estimated_sufficient: float | None
    verdict: Verdict
    needed: Needed = field(default_factory=Needed)
    notes: tuple[str, ...] = ()

    @property
    def settled(self) -> bool:
        """Whether there is a verdict that more replicates aren't likely to better.

        A larger level is often shown to suffice before the smallest one that does:
        in simulations of six levels with no gain at all, the first verdict names
        the smallest in two searches of five, the first settled one in all. A search
        that has replicates left does well to go on until this holds; the bounds
        hold however long it does.
        """
        verdict = self.verdict
        if verdict.outcome is VerdictOutcome.INCONCLUSIVE:
            return False
        return verdict.level is None or verdict.level == self.estimated_sufficient

    def compare(self, smaller: float, larger: float) -> Comparison | None:
        """Returns the bounds of two levels, or None where they aren't both measured."""
        return next(
            (c for c in self.comparisons if c.smaller == smaller and c.larger == larger), None
        )


def assess(
    question: Question, scores: Mapping[float, Mapping[int, float]], design: Design = SEQUENTIAL
) -> Assessment:
    """Returns the bounds and the verdict of one look at scores by level and replicate.

    Pure, and the same whatever the order of levels and replicates.

    Args:
        question: What is asked, with the levels that break a limit. Direction decides
            what a gain is.
        scores: Level to replicate to score in the metric's units, completed
            replicates only. Levels without any are not measured.
        design: How the number of replicates came about.

    Raises:
        ValueError: A score isn't finite, or a level isn't declared, or has no cost where
            there is a price.
    """
    return assess_evidence(question, Replicates.of(question, scores, design))


def assess_evidence(question: Question, evidence: Evidence) -> Assessment:
    """Returns the bounds and the verdict of one look at any evidence. Raises as `assess` does."""
    measured = evidence.measure(question)
    rule = Sufficiency(question, measured)
    verdict = judge(rule)
    levels = rule.levels
    gains = {}
    for below, level in itertools.pairwise(levels):
        pair = measured.pairs[below, level]
        width = pair.uncertainty.half_width(gain_level(question))
        gains[level] = Gain(
            below, level, pair.gain, pair.gain - width, pair.gain + width, pair.doublings
        )
    return Assessment(
        levels=levels,
        comparisons=tuple(pair.comparison for pair in rule.pairs),
        gains=gains,
        means={level: row.mean for level, row in measured.means.items()},
        errors={level: row.error for level, row in measured.means.items()},
        replicates={level: row.replicates for level, row in measured.means.items()},
        intervals={level: (row.low, row.high) for level, row in measured.means.items()},
        forgone={level: rule.forgone(level) for level in levels},
        margin_supported={level: rule.margin_supported(level) for level in levels},
        estimated_sufficient=rule.estimated(),
        verdict=verdict,
        needed=needed(rule, verdict),
        notes=_notes(rule),
    )


def _notes(rule: Sufficiency) -> tuple[str, ...]:
    """Says where bounds rest on equal differences."""
    question, measured = rule.question, rule.measured
    equal = [pair.comparison for pair in rule.pairs if pair.equal]
    if not equal:
        return ()
    pairs = ", ".join(f"{c.smaller} and {c.larger}" for c in equal)
    what = "example" if measured.fits else "replicate"
    if measured.step > 0:
        how = (
            f"their bounds reckon as if one {what} had been off by the smallest step seen, "
            f"{words.number(measured.step)} {question.metric}"
        )
    else:
        how = "no replicate differs from another at any level, so nothing is known of the noise"
    return (f"levels {pairs} differ by the same amount in every {what}: {how}",)
