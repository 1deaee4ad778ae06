"""Searches ranked: which can't be told apart, what each costs, what conditions leave of it."""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tuner import catalog
from tuner.curve import Contender, Curve, CurveLevel, LearnerComparison
from tuner.report.plain import finite, whole

if TYPE_CHECKING:
    from tuner.client.result import Result

_LETTERS = string.ascii_lowercase + string.ascii_uppercase


@dataclass(frozen=True)
class Rank:
    """One search of a ranking, at the level that it is compared at.

    Attributes:
        letters: Its groups; two searches that share one can't be told apart (Piepho 2004).
        search: The search's key.
        learner: The learner; empty where that isn't known.
        level: The level; None where it has no axis.
        shown: Whether the level was shown to suffice; else it only seems to.
        score: Mean over all of its replicates, like its bounds; without them, over those that
            all searches share.
        low: Lower bound of its mean over all of its replicates; None where it is judged on
            another metric than searches are compared on.
        high: Upper bound.
        cost: Standalone cost of a fit; None where unknown.
        ratio: The cost over that of the cheapest; None where either is unknown.
        good_enough: Whether it is the cheapest shown to be not worse than the best by more
            than the margin.
        under: Its score under each condition at the same level; None where there is none.
    """

    letters: str
    search: str
    learner: str
    level: float | None
    shown: bool
    score: float
    low: float | None
    high: float | None
    cost: float | None
    ratio: float | None
    good_enough: bool
    under: Mapping[str, float | None]


@dataclass(frozen=True)
class Ranking:
    """The searches of a job, the best first.

    Attributes:
        metric: What they are compared on.
        margin: The least difference that matters.
        conditions: What else they were measured under, in the spec's order; "clean" among
            it where they are compared under a condition.
        ranks: The best mean first.
        left_out: Searches that have no place, for want of scores.
    """

    metric: str
    margin: float
    conditions: tuple[str, ...]
    ranks: tuple[Rank, ...]
    left_out: tuple[str, ...] = ()

    @property
    def best(self) -> tuple[Rank, ...]:
        """The one with the best mean, and those that can't be told apart from it."""
        first = set(self.ranks[0].letters)
        return tuple(rank for rank in self.ranks if first & set(rank.letters))

    @property
    def good_enough(self) -> Rank | None:
        """The cheapest that is good enough; None where none is shown to be."""
        return next((rank for rank in self.ranks if rank.good_enough), None)


def rank(result: Result) -> Ranking | None:
    """Returns the ranking of a result; None where no two of its searches can be compared."""
    comparison = result.comparison
    if comparison is None:
        return None
    # What they are compared under stands in the score's own column.
    judged = catalog.split_metric(comparison.metric)[1] or catalog.CLEAN
    conditions = tuple(name for name in result.robustness if name != judged)
    costs = [c.cost for c in comparison.contenders if c.cost]
    cheapest = min(costs, default=None)
    ranks = tuple(
        _rank(result, comparison, contender, cheapest, conditions)
        for contender in comparison.contenders
    )
    placed = {contender.search for contender in comparison.contenders}
    left_out = [s.key for s in result.job.spec.all_searches() if s.key not in placed]
    return Ranking(comparison.metric, comparison.margin, conditions, ranks, tuple(left_out))


def _rank(
    result: Result,
    comparison: LearnerComparison,
    contender: Contender,
    cheapest: float | None,
    conditions: Sequence[str],
) -> Rank:
    curve = result.curves.get(contender.search)
    row = _row(curve, contender.level)
    same = curve is not None and curve.metric == comparison.metric
    low, high = (row.low, row.high) if row is not None and same else (None, None)
    # Of all its replicates, as its own table has it, where the interval is of those, too.
    own = row.score if row is not None and same else None
    cost = contender.cost
    return Rank(
        letters=letters(comparison, contender.search),
        search=contender.search,
        learner=curve.learner if curve is not None else "",
        level=contender.level if curve is None or curve.axis else None,
        shown=contender.shown,
        score=contender.score if own is None else own,
        low=low,
        high=high,
        cost=cost,
        ratio=cost / cheapest if cost and cheapest else None,
        good_enough=contender.search == comparison.good_enough,
        under={name: _under(result, comparison.metric, contender, name) for name in conditions},
    )


def letters(comparison: LearnerComparison, search: str) -> str:
    """Returns the letters of the groups that a search is in."""
    return "".join(
        _LETTERS[place] if place < len(_LETTERS) else f"({place + 1})"
        for place, group in enumerate(comparison.groups)
        if search in group
    )


def _under(result: Result, metric: str, contender: Contender, condition: str) -> float | None:
    """Returns a contender's score under a condition, at the level that it is compared at."""
    own, _ = catalog.split_metric(metric)
    curve = result.robustness[condition].get(contender.search)
    row = _row(curve, contender.level)
    if curve is not None and row is not None and catalog.split_metric(curve.metric)[0] == own:
        return row.score
    # Judged on another metric; where it is compared at the same level, that is known, too.
    compared = result.comparisons_under.get(condition)
    for other in compared.contenders if compared is not None else ():
        if (other.search, other.level) == (contender.search, contender.level):
            return other.score
    return None


def _row(curve: Curve | None, level: float) -> CurveLevel | None:
    rows = curve.levels if curve is not None else ()
    return next((row for row in rows if row.level == level), None)


def ranking_to_dict(ranking: Ranking | None) -> dict[str, Any] | None:
    """Returns the ranking as one object that JSON can hold; None where there is none."""
    if ranking is None:
        return None
    return {
        "metric": ranking.metric,
        "margin": ranking.margin,
        "conditions": list(ranking.conditions),
        "ranks": [
            {
                "letters": rank.letters,
                "search": rank.search,
                "learner": rank.learner,
                "level": None if rank.level is None else whole(rank.level),
                "shown": rank.shown,
                "score": finite(rank.score),
                "low": finite(rank.low),
                "high": finite(rank.high),
                "cost_device_seconds": finite(rank.cost),
                "cost_ratio": finite(rank.ratio),
                "good_enough": rank.good_enough,
                "under": {name: finite(score) for name, score in rank.under.items()},
            }
            for rank in ranking.ranks
        ],
        "left_out": list(ranking.left_out),
    }
