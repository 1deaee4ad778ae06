"""What a spot test found: of every family, whether it is worth a search of its own, and why.

Who leads whom is said by `tuner.returns.compare_record` alone, by bounds that all hold
together. A family that is short of replicates is left out of it: it would take them from the
others, for families are compared on those that all of them have.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from tuner.curve import Curve, CurveLevel, Difference, LearnerComparison, SearchState
from tuner.record import Measurement, Outcome, Phase
from tuner.report import naming
from tuner.returns import compare_record, has_score
from tuner.spec import JobSpec


class Decision(StrEnum):
    """Whether a family is worth a search of its own."""

    WORTH = "worth"
    UNKNOWN = "unknown"
    NOT_WORTH = "not_worth"
    UNABLE = "unable"


@dataclass(frozen=True)
class Family:
    """One family of a spot test.

    Attributes:
        search: Its search's key.
        learner: The learner.
        decision: Whether it is worth a search of its own.
        curve: What was measured of it.
        level: The one that it is compared or shown at; None where nothing has a score.
        best: Whether it has the best mean of those that were compared.
        behind: The best one's lead over it; None where it is the best or wasn't compared.
        failures: By outcome, how many of its replicates failed, over all levels.
        error: Why the first of them did.
        baseline: Whether it runs beside those that were asked for.
    """

    search: str
    learner: str
    decision: Decision
    curve: Curve
    level: CurveLevel | None = None
    best: bool = False
    behind: Difference | None = None
    failures: Mapping[Outcome, int] | None = None
    error: str = ""
    baseline: bool = False

    @property
    def replicates(self) -> int:
        """How many replicates its best known level has."""
        return max((row.replicates for row in self.curve.levels), default=0)


@dataclass(frozen=True)
class Findings:
    """What a spot test found.

    Attributes:
        spec: The job's.
        families: First those worth a search, the best mean first, then what can't be told,
            what isn't worth it, and what can't learn from the data.
        comparison: How those compare that have all their replicates; None where no two do.
    """

    spec: JobSpec
    families: tuple[Family, ...]
    comparison: LearnerComparison | None

    def decided(self, decision: Decision) -> tuple[Family, ...]:
        """Returns the families of which it was decided so."""
        return tuple(family for family in self.families if family.decision is decision)

    @property
    def problem(self) -> str:
        """What is wrong with the data as a whole; empty where any family could be measured."""
        reasons = {family.curve.state_reason for family in self.families}
        unable = all(family.decision is Decision.UNABLE for family in self.families)
        return reasons.pop() if unable and len(reasons) == 1 else ""


def find(
    spec: JobSpec, curves: Mapping[str, Curve], measurements: Iterable[Measurement]
) -> Findings:
    """Returns what a spot test found.

    Args:
        spec: The job's.
        curves: By search, its curve.
        measurements: The job's record, in any order.
    """
    rows = [m for m in measurements if m.phase is Phase.MEASURING]
    whole = _whole_levels(spec, rows)
    comparison = compare_record(
        [spec.question(key) for key in dict.fromkeys(key for key, _ in whole)],
        [row for row in rows if (row.search, row.level) in whole],
        metric=spec.metric,
        margin=spec.margin,
    )
    found = [
        _family(spec, curves[search.key], [r for r in rows if r.search == search.key], comparison)
        for search in spec.all_searches()
        if search.key in curves
    ]
    ranked = [c.search for c in comparison.contenders] if comparison else []
    order, last = list(Decision), len(ranked)
    found.sort(
        key=lambda f: (
            order.index(f.decision),
            ranked.index(f.search) if f.search in ranked else last,
        )
    )
    return Findings(spec, tuple(found), comparison)


def _whole_levels(spec: JobSpec, rows: Sequence[Measurement]) -> set[tuple[str, int]]:
    """Returns the searches and levels on which every replicate has a score."""
    done: dict[tuple[str, int], set[int]] = {}
    for row in rows:
        if has_score(row, spec.question(row.search).metric):
            done.setdefault((row.search, row.level), set()).add(row.replicate)
    return {at for at, some in done.items() if len(some) >= spec.measuring.max_replicates}


def _family(
    spec: JobSpec,
    curve: Curve,
    rows: Sequence[Measurement],
    comparison: LearnerComparison | None,
) -> Family:
    failed = [row for row in rows if row.outcome is not Outcome.COMPLETED]
    failures = {
        outcome: sum(row.outcome is outcome for row in failed)
        for outcome in Outcome
        if any(row.outcome is outcome for row in failed)
    }
    contender = next(
        (c for c in comparison.contenders if c.search == curve.search) if comparison else iter(()),
        None,
    )
    level, best, behind = naming.best(curve), False, None
    if contender is not None and comparison is not None:
        level = curve.at(contender.level)
        best = comparison.contenders[0] is contender
        behind = None if best else _lead(comparison, curve.search)
    return Family(
        search=curve.search,
        learner=curve.learner,
        decision=_decision(curve, bool(rows), best, behind, spec.margin),
        curve=curve,
        level=level,
        best=best,
        behind=behind,
        failures=failures,
        error=next((row.error for row in failed if row.error), ""),
        baseline=curve.baseline,
    )


def _lead(comparison: LearnerComparison, search: str) -> Difference:
    """Returns by how much the best mean leads another."""
    best = comparison.contenders[0].search
    return next(d for d in comparison.differences if (d.better, d.worse) == (best, search))


def _decision(
    curve: Curve, measured: bool, best: bool, behind: Difference | None, margin: float
) -> Decision:
    """Decides by bounds, which all hold together; where there are none, nothing is decided."""
    if best:
        return Decision.WORTH
    if behind is None:
        refused = curve.state is SearchState.FAILED and not measured
        return Decision.UNABLE if refused else Decision.UNKNOWN
    if not math.isfinite(behind.low):
        return Decision.UNKNOWN
    if behind.low >= margin:
        return Decision.NOT_WORTH
    # As good within the margin, or not to be told from the best.
    if behind.high < margin or behind.low <= 0:
        return Decision.WORTH
    return Decision.UNKNOWN
