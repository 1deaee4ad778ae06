"""How learners compare, over the wire."""

from __future__ import annotations

from tuner.curve import Contender, Difference, LearnerComparison
from tuner.v1 import returns_pb2 as pb
from tuner.wire.steps import present


def comparison_to_wire(comparison: LearnerComparison) -> pb.LearnerComparison:
    """Returns the comparison as a message."""
    return pb.LearnerComparison(
        metric=comparison.metric,
        margin=comparison.margin,
        contenders=[
            pb.Contender(
                search=c.search, level=int(c.level), shown=c.shown, score=c.score, cost=c.cost
            )
            for c in comparison.contenders
        ],
        differences=[
            pb.Difference(
                better=d.better,
                worse=d.worse,
                replicates=d.replicates,
                estimate=d.estimate,
                low=d.low,
                high=d.high,
                practically_equal=d.practically_equal,
                practically_better=d.practically_better,
            )
            for d in comparison.differences
        ],
        groups=[pb.SearchGroup(searches=group) for group in comparison.groups],
        good_enough=comparison.good_enough or "",
        reason=comparison.reason,
        notes=comparison.notes,
    )


def comparison_from_wire(message: pb.LearnerComparison) -> LearnerComparison:
    """Returns the comparison."""
    return LearnerComparison(
        metric=message.metric,
        margin=message.margin,
        contenders=tuple(
            Contender(c.search, c.level, c.shown, c.score, **present(c, ("cost",)))
            for c in message.contenders
        ),
        differences=tuple(
            Difference(
                d.better,
                d.worse,
                d.replicates,
                d.estimate,
                d.low,
                d.high,
                **present(d, ("practically_equal", "practically_better")),
            )
            for d in message.differences
        ),
        groups=tuple(tuple(group.searches) for group in message.groups),
        good_enough=message.good_enough or None,
        reason=message.reason,
        notes=tuple(message.notes),
    )
