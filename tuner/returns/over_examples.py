"""The curve of a search whose verdict has to survive other test examples, too."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from tuner.curve import Curve, Question, SearchState
from tuner.record import Measurement
from tuner.returns import words
from tuner.returns.borne import borne
from tuner.returns.composition import compose
from tuner.returns.curves import PRICING, beside_training, curve, facts_of, failure_notes
from tuner.returns.designs import SEQUENTIAL
from tuner.returns.examples import Examples, clustered
from tuner.returns.limits import judged, limit_notes, within_limits
from tuner.returns.rows import LevelRows, distinct, measured_rows
from tuner.returns.sensitivity import sensitivity
from tuner.returns.unpriced import assess_if_priced, costless

Floats = npt.NDArray[np.float64]


def curve_over_examples(
    question: Question,
    measurements: Iterable[Measurement],
    values: Mapping[str, Floats],
    *,
    groups: npt.NDArray[np.generic] | None = None,
    state: SearchState = SearchState.PENDING,
    state_reason: str = "",
    billed: Mapping[int, float] | None = None,
    sequence: int = 0,
) -> Curve:
    """Returns the curve of a search over replicates crossed with test examples.

    Levels are compared on the replicates that completed at every measured level: the
    crossed variance needs a whole table. Replicates count as added after looks. Levels that
    break a limit are shown as `curve` shows them, with bounds over replicates alone.

    Args:
        question: What the search asks; at a price, with costs.
        measurements: Rows of the record, scored by the question's metric.
        values: By measurement id, the metric of each example, or of each group of a
            jackknife: shape (units,), the same units for all. Their mean is the score.
        groups: What each example belongs to, where they come in clusters; None for the
            groups of a jackknife, which stand for themselves.
        state: Where the search stands.
        state_reason: Why it stands there.
        billed: Device-seconds spent by level.
        sequence: The last event of the record that the rows come from.

    Raises:
        ValueError: No replicate completed at every measured level; a level isn't
            declared; or groups don't fit.
        KeyError: A completed row has no values.
    """
    rows = distinct(question, measurements)
    measuring = measured_rows(question, rows)
    question = within_limits(question, measuring)
    # A search adds no replicates where a limit is broken: they would be missing elsewhere, too.
    kept = judged(question, sorted(measuring))
    done = {int(k): measuring[int(k)] for k in kept if measuring[int(k)].completed}
    common = _common(done)
    table = np.array(
        [[values[rows.completed[i].id] for i in common] for rows in done.values()],
        dtype=np.float64,
    )
    size = 1.0
    if groups is not None:
        size = table.shape[2]
        table = clustered(table, groups)
        size /= table.shape[2]
    evidence = Examples(tuple(map(float, done)), table, SEQUENTIAL, size, tuple(common))
    look = assess_if_priced(question, evidence)
    notes = [_said(evidence), *limit_notes(question, measuring), *_left_out(done, common)]
    notes += failure_notes(question, measuring) + borne(question, measuring)
    ended = state not in (SearchState.PENDING, SearchState.RUNNING)
    if question.axis and ended and not costless(question, evidence.levels):
        notes += sensitivity(question, evidence, look.verdict)
    spent, beside = billed or {}, beside_training(rows)
    facts = {
        float(level): facts_of(measuring.get(level), spent.get(level, 0.0), beside.get(level, 0.0))
        for level in set(measuring) | set(spent)
    }
    found = compose(question, evidence, look, facts, PRICING, notes=notes)
    if question.barred:
        found = _with_barred(found, curve(question, rows, billed=billed))
    return replace(found, state=state, state_reason=state_reason, sequence=sequence)


def _with_barred(found: Curve, plain: Curve) -> Curve:
    """Returns the curve with its barred levels as they are over replicates alone."""
    return replace(
        found,
        levels=tuple(plain.at(row.level) if row.barred else row for row in found.levels),
        unmeasured=plain.unmeasured,
    )


def _common(done: Mapping[int, LevelRows]) -> list[int]:
    shared = [set(rows.completed) for rows in done.values()]
    common = sorted(set.intersection(*shared)) if shared else []
    if not common:
        raise ValueError("no replicate completed at every measured level")
    return common


def _said(evidence: Examples) -> str:
    replicates, units = evidence.values.shape[1:]
    return (
        "the verdict is over other test examples as well as other seeds: "
        f"{words.count(replicates, 'replicate')} crossed with {units:,} examples or groups of them"
    )


def _left_out(done: Mapping[int, LevelRows], common: list[int]) -> list[str]:
    """Says which replicates don't count because not every level has them."""
    some = {i for rows in done.values() for i in rows.completed} - set(common)
    if not some:
        return []
    return [
        f"{words.count(len(some), 'replicate')} that not every measured level completed "
        f"{'is' if len(some) == 1 else 'are'} left out: examples are crossed with replicates"
    ]
