"""How learners compare, each at the level that suffices."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Contender:
    """One learner of a comparison, at one level.

    Attributes:
        search: The search's key.
        level: The level that it is compared at; 1 where it has no axis.
        shown: Whether that level was shown to suffice; else it only seems to.
        score: Mean score over the common replicates, in the metric's units.
        cost: Standalone cost of a fit; None where unknown.
    """

    search: str
    level: float
    shown: bool
    score: float
    cost: float | None = None


@dataclass(frozen=True)
class Difference:
    """How much better one learner is than another, on the same replicates.

    Attributes:
        better: The search with the better mean.
        worse: The other.
        replicates: Pairs that it rests on.
        estimate: Mean paired difference, at least 0, in the metric's units.
        low: Lower bound; all differences lie within theirs with chance 1 - alpha.
        high: Upper bound.
        practically_equal: Posterior chance that they differ by less than the margin
            (region of practical equivalence); None where it wasn't asked for.
        practically_better: Posterior chance that the better one is so by more than
            the margin.
    """

    better: str
    worse: str
    replicates: int
    estimate: float
    low: float
    high: float
    practically_equal: float | None = None
    practically_better: float | None = None

    @property
    def apart(self) -> bool:
        """Whether the two can be told apart."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True)
class LearnerComparison:
    """Learners compared on the same replicates, each at its own sufficient level.

    Attributes:
        metric: What they are judged on.
        margin: The least difference that matters, absolute.
        contenders: The best mean first.
        differences: Of all pairs, in the contenders' order.
        groups: Searches that can't be told apart, largest sets first by rank; one
            search may be in several.
        good_enough: The cheapest search shown to be not worse than the best by more
            than the margin; None where none is shown to be.
        reason: What it says, in a sentence.
        notes: What a reader should know.
    """

    metric: str
    margin: float
    contenders: tuple[Contender, ...]
    differences: tuple[Difference, ...]
    groups: tuple[tuple[str, ...], ...]
    good_enough: str | None
    reason: str
    notes: tuple[str, ...] = ()
