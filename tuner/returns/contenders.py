"""From the record of a job to the comparison of its learners."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from tuner import catalog
from tuner.curve import LearnerComparison, Question
from tuner.record import Measurement
from tuner.returns.comparison import Entry, compare
from tuner.returns.evidence import Replicates
from tuner.returns.limits import within_limits
from tuner.returns.rows import completed_scores, distinct, measured_rows
from tuner.returns.unpriced import assess_if_priced
from tuner.returns.winners import has_score


def compare_record(
    questions: Sequence[Question],
    measurements: Iterable[Measurement],
    *,
    metric: str,
    margin: float,
    rope: bool = False,
) -> LearnerComparison | None:
    """Returns how the searches of a job compare, each at its own sufficient level.

    Where none is shown to suffice, that is the level that does by the estimates, and a
    note says so. A search whose levels have a price but no costs yet is left out, and so
    is one that has no level within the limits, with a note.
    Levels come from each search's own metric, the comparison from one that all are
    scored on: of every replicate that has it, whether it has the search's own or not.
    Costs are the mean over the replicates that are compared.

    Args:
        questions: What the searches ask, the baseline's among them; at a price, with
            costs.
        measurements: Rows of the job's record, in any order.
        metric: What they are compared on.
        margin: The least difference that matters, absolute.
        rope: Whether to add posterior chances of practical equivalence.

    Returns:
        The comparison; None where fewer than two searches have a finite score of the
        metric, or no replicate is shared by all of those.

    Raises:
        KeyError: No search asks for the metric, and the catalog has none such.
        ValueError: As `tuner.returns.curve` does.
    """
    # A condition turns no metric round.
    asked = {catalog.split_metric(q.metric)[0]: q.direction for q in questions}
    named, _ = catalog.split_metric(metric)
    direction = asked.get(named) or catalog.METRICS[named].direction
    rows = list(measurements)
    entries, broken = [], []
    for asks in questions:
        measuring = measured_rows(asks, distinct(asks, rows))
        question = within_limits(asks, measuring)
        scored = completed_scores(question, measuring)
        look = assess_if_priced(question, Replicates.of(question, scored))
        level = look.verdict.level or look.estimated_sufficient
        if level is None:
            if question.barred and not look.levels:
                how = "; ".join(dict.fromkeys(said for _, said in question.barred))
                broken.append(f"left out, for it breaks the limits: {question.search} ({how})")
            continue
        chosen = measuring[int(level)]
        # A replicate may have this metric and lack the search's own: an attack ran late.
        told = [row for row in chosen.rows if has_score(row, metric)]
        scores = {row.replicate: row.scores[metric] for row in told}
        fits = told or list(chosen.completed.values())
        costs = [row.standalone_device_seconds for row in fits]
        entries.append(
            Entry(
                question.search,
                level,
                look.verdict.level is not None or not question.axis,
                scores,
                sum(costs) / len(costs),
            )
        )
    alpha = min((q.alpha for q in questions), default=0.05)
    found = compare(
        entries, metric=metric, direction=direction, margin=margin, alpha=alpha, rope=rope
    )
    return found and replace(found, notes=(*found.notes, *sorted(broken)))
