"""Which learner is good enough, each at the level that suffices for it.

Differences are paired: replicate i is the same seed and split for every learner.
They are given these levels and hyperparameters: levels were chosen on the same
replicates, so what is best by a hair is flattered, and a margin is judged, not a win.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import special

from tuner.curve import Contender, Difference, Direction, LearnerComparison
from tuner.returns import words
from tuner.returns.asked import judge_question
from tuner.returns.bounds import ROUNDING, Floats, believed_spread
from tuner.returns.designs import SEQUENTIAL, Design
from tuner.returns.table import moments, smallest_step, unit_of
from tuner.returns.uncertainty import OfReplicates


@dataclass(frozen=True)
class Entry:
    """A learner that stands for comparison.

    Attributes:
        search: The search's key.
        level: The level that it is compared at.
        shown: Whether that level was shown to suffice; else it only seems to.
        scores: Replicate to finite score at that level.
        cost: Standalone cost of a fit; None where unknown.
    """

    search: str
    level: float
    shown: bool
    scores: Mapping[int, float]
    cost: float | None = None


def compare(
    entries: Sequence[Entry],
    *,
    metric: str,
    direction: Direction,
    margin: float,
    alpha: float = 0.05,
    design: Design = SEQUENTIAL,
    rope: bool = False,
) -> LearnerComparison | None:
    """Returns how the learners compare, on the replicates that all of them have.

    Two learners are told apart where the two-sided bounds of their paired difference,
    at alpha over the number of pairs (Bonferroni), leave out 0. A learner is *good
    enough* where the one-sided upper bounds of every other's lead over it, at
    alpha/(L-1), lie below the margin: "some other is better by the margin" is a union,
    rejected where all its parts are (Berger 1982), and of L such hypotheses at most
    L-1 are true. The cheapest of those is named.

    It assumes independent, near-Gaussian differences. It fails where replicates are
    splits of the same data, unless the design says so.

    Args:
        entries: The learners, in any order.
        metric: What they are judged on.
        direction: Which way is better.
        margin: The least difference that matters, absolute, in the metric's units.
        alpha: The share of such comparisons that may be wrong.
        design: How the number of replicates came about.
        rope: Whether to add, for every pair, the posterior chances that it differs by
            less than the margin, and that the better one leads by more (Benavoli et
            al. 2017, "Time for a change": a region of practical equivalence).

    Returns:
        The comparison; None where fewer than two learners have scores, or no replicate
        is shared by all of those.

    Raises:
        ValueError: A search is there twice, a score isn't finite, or another argument
            is wrong.
    """
    _judge(entries, direction, margin, alpha)
    unscored = sorted(e.search for e in entries if not e.scores)
    entries = sorted((e for e in entries if e.scores), key=lambda e: e.search)
    common = sorted(set.intersection(*(set(e.scores) for e in entries))) if entries else []
    if len(entries) < 2 or not common:
        return None
    sign = -1.0 if direction == "minimize" else 1.0
    table = np.array([[sign * e.scores[i] for i in common] for e in entries])
    order = sorted(range(len(entries)), key=lambda i: (-float(table[i].mean()), i))
    entries, table = [entries[i] for i in order], table[order]
    judge = _Pairs(table, margin, alpha, design)
    differences = tuple(
        judge.difference(entries, i, j, rope)
        for i, j in itertools.combinations(range(len(entries)), 2)
    )
    enough = [e for i, e in enumerate(entries) if judge.good_enough(i)]
    cheapest = min(enough, key=_price, default=None)
    found = LearnerComparison(
        metric=metric,
        margin=margin,
        contenders=tuple(
            # Adding nought turns -0.0, a perfect error score, into 0.0.
            Contender(e.search, e.level, e.shown, sign * float(row.mean()) + 0.0, e.cost)
            for e, row in zip(entries, table, strict=True)
        ),
        differences=differences,
        groups=_groups([e.search for e in entries], differences),
        good_enough=cheapest.search if cheapest else None,
        reason="",
        notes=_notes(entries, len(common), unscored),
    )
    return replace(found, reason=_reason(found, enough))


def _judge(entries: Sequence[Entry], direction: str, margin: float, alpha: float) -> None:
    judge_question(direction, margin, alpha)
    names = [e.search for e in entries]
    if len(set(names)) < len(names):
        raise ValueError(f"a search is there twice among {sorted(names)}; give each one level")
    for e in entries:
        for i, score in e.scores.items():
            if not math.isfinite(score):
                raise ValueError(f"{e.search}: replicate {i} scored {score}; leave it out")


class _Pairs:
    """The bounds of every pair of learners."""

    def __init__(self, table: Floats, margin: float, alpha: float, design: Design) -> None:
        """Takes scores (learners, replicates), higher better, the best learner first."""
        largest = float(np.abs(table).max())
        self._unit = unit_of(max(largest, margin))
        self._table = table / self._unit
        self._rounding = ROUNDING * max(largest, margin) / self._unit
        self._step = smallest_step(self._table, self._rounding)
        self._margin, self._alpha, self._design = margin, alpha, design

    def _lead(self, i: int, j: int) -> tuple[float, OfReplicates]:
        """Returns how much better i is than j, and how far that may be off."""
        counts, means, deviations = moments((self._table[i] - self._table[j])[None, :])
        n = int(counts[0])
        spread = believed_spread(n, float(deviations[0]), self._rounding, self._step)
        gain = float(means[0]) * self._unit
        return gain, OfReplicates(self._design, n, spread * self._unit)

    def good_enough(self, i: int) -> bool:
        """Tells whether no other learner leads i by the margin."""
        others = [j for j in range(len(self._table)) if j != i]
        level = self._alpha / len(others)
        for j in others:
            lead, uncertainty = self._lead(j, i)
            if not lead + uncertainty.half_width(level) < self._margin:
                return False
        return True

    def difference(self, entries: Sequence[Entry], i: int, j: int, rope: bool) -> Difference:
        """Returns the difference of two learners, the better one first."""
        lead, uncertainty = self._lead(i, j)
        pairs = math.comb(len(self._table), 2)
        width = uncertainty.half_width(self._alpha / (2 * pairs))
        found = Difference(
            entries[i].search,
            entries[j].search,
            uncertainty.n,
            lead,
            lead - width,
            lead + width,
        )
        if not rope or not uncertainty.known or uncertainty.n < 2:
            return found
        equal, better = self._posterior(lead, uncertainty)
        return replace(found, practically_equal=equal, practically_better=better)

    def _posterior(self, lead: float, uncertainty: OfReplicates) -> tuple[float, float]:
        """Returns the chances that the lead is within the margin, and beyond it."""
        error = uncertainty.spread * self._design.scale(uncertainty.n)
        if error == 0:
            within = abs(lead) < self._margin
            return float(within), float(lead > self._margin)
        degrees = uncertainty.n - 1
        below, above = (
            float(special.stdtr(degrees, (edge - lead) / error))
            for edge in (-self._margin, self._margin)
        )
        return above - below, 1 - above


def _price(entry: Entry) -> tuple[float, str]:
    return math.inf if entry.cost is None else entry.cost, entry.search


def _groups(names: Sequence[str], differences: Sequence[Difference]) -> tuple[tuple[str, ...], ...]:
    """Returns the largest sets of learners no two of which can be told apart, best first.

    They are the maximal cliques of the pairs that aren't apart, which a letter display
    would give a letter each (Piepho 2004).
    """
    alike: dict[str, set[str]] = {name: set() for name in names}
    for d in differences:
        if not d.apart:
            alike[d.better].add(d.worse)
            alike[d.worse].add(d.better)
    found: list[set[str]] = []

    def grow(clique: set[str], candidates: set[str], done: set[str]) -> None:
        """Bron and Kerbosch 1973, with a pivot."""
        if not candidates and not done:
            found.append(clique)
            return
        pivot = max(sorted(candidates | done), key=lambda v: len(alike[v] & candidates))
        for name in sorted(candidates - alike[pivot]):
            grow(clique | {name}, candidates & alike[name], done & alike[name])
            candidates = candidates - {name}
            done = done | {name}

    grow(set(), set(names), set())
    place = {name: i for i, name in enumerate(names)}
    ranked = [tuple(sorted(clique, key=place.__getitem__)) for clique in found]
    return tuple(sorted(ranked, key=lambda group: [place[name] for name in group]))


def _reason(found: LearnerComparison, enough: Sequence[Entry]) -> str:
    best = found.contenders[0]
    margin = f"{words.number(found.margin)} {found.metric}"
    score = f"{best.search} has the best mean, {words.number(best.score)} {found.metric}"
    if not enough:
        return f"{score}; none is shown to be within {margin} of the best"
    chosen = next(c for c in found.contenders if c.search == found.good_enough)
    if chosen.cost is None:
        which = "no cost is known, so it is the first of those by name"
    else:
        others = len(enough) - 1
        which = f"the cheapest of {others + 1} such" if others else "the only one that is"
    return (
        f"{score}; {chosen.search} at {chosen.level} is shown to be not worse than the best by "
        f"{margin} ({which})"
    )


def _notes(entries: Sequence[Entry], replicates: int, unscored: Sequence[str]) -> tuple[str, ...]:
    notes = [
        f"{e.search}: stands at {e.level}, which isn't shown to be enough"
        for e in entries
        if not e.shown
    ]
    if unscored:
        notes.append(f"left out, for want of scores: {', '.join(unscored)}")
    lacking = [e.search for e in entries if len(e.scores) > replicates]
    if lacking:
        notes.append(
            f"compared on the {words.count(replicates, 'replicate')} that all have; "
            f"{', '.join(lacking)} had more"
        )
    return tuple(notes)
