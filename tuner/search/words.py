"""The policy's decisions as plain sentences, for the log, the record and the report."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from tuner.curve import Question, Verdict
from tuner.record import Setting
from tuner.returns import Assessment
from tuner.search.record import SearchRecord


def _at(question: Question, levels: Sequence[float]) -> str:
    if not question.axis:
        return question.learner
    if len(levels) == 1:
        return f"{question.axis} {levels[0]}"
    return f"{question.axis} {', '.join(map(str, levels))}"


def setting(values: Setting, names: Collection[str]) -> str:
    """Returns the named hyperparameters of a setting as "name value" pairs."""
    return ", ".join(
        f"{n} {v:g}" if isinstance(v, float) else f"{n} {v}" for n, v in values if n in names
    )


def tune(question: Question, levels: Sequence[int], count: int, tried: int) -> str:
    """Says that settings are tried."""
    so_far = f" after {tried}" if tried else ""
    return f"{_at(question, levels)}: try {count} settings{so_far}"


def measure(
    question: Question,
    winners: Mapping[int, Setting | None],
    tuned: Collection[str],
    replicates: int,
) -> str:
    """Says that winners are measured for the first time, by what was tuned of them."""
    levels = [level for level, winner in winners.items() if winner is not None]
    distinct = {winner for winner in winners.values() if winner is not None}
    what = (
        setting(next(iter(distinct)), tuned) if len(distinct) == 1 else f"{len(distinct)} winners"
    )
    return f"{_at(question, levels)}: measure {what or 'it'} on {replicates} replicates"


def _hangs_on(look: Assessment, metric: str) -> str:
    """Says where the answer hangs: the gain of the level that looks sufficient."""
    sufficient = look.estimated_sufficient
    pairs = [c for c in look.comparisons if c.smaller == sufficient]
    if not pairs:
        return ""
    worst = max(pairs, key=lambda c: c.high)
    return (
        f"{sufficient} seems enough; {worst.larger} is worth {worst.estimate:+.4f} {metric} "
        f"over it beyond the margin, at most {worst.high:+.4f}"
    )


def add(question: Question, look: Assessment, wanted: Mapping[int, int]) -> str:
    """Says that replicates are added, and why."""
    goal = max(wanted.values())
    why = _hangs_on(look, question.metric) or "no level is shown to be enough or too little"
    named = look.verdict.level
    smaller = [level for level in sorted(wanted) if named is not None and level < named]
    if look.settled and smaller:
        why = f"{named} is enough, and {' or '.join(map(str, smaller))} may be, too"
    return f"{_at(question, sorted(wanted))}: go on to {goal} replicates, for {why}"


def up(question: Question, look: Assessment | None, then: str) -> str:
    """Says that the next level is climbed, and why."""
    if look is None or not look.gains:
        return then
    level, gain = max(look.gains.items())
    return (
        f"{_at(question, [level])} gains {gain.estimate:+.4f} {question.metric} over the level "
        f"below [{gain.low:+.4f}, {gain.high:+.4f}]; go up. {then}"
    )


def verdict(found: Verdict) -> str:
    """Says what the search ends with."""
    level = f" at {found.level}" if found.level is not None else ""
    return f"{found.outcome}{level}: {found.reason}"


def baseline(question: Question, scores: Mapping[float, Mapping[int, float]]) -> str:
    """Says what a learner without an axis scored."""
    values = [value for row in scores.values() for value in row.values()]
    mean = sum(values) / len(values)
    return f"{question.learner}: {mean:.4f} {question.metric} on {len(values)} replicates"


def nothing_completed(record: SearchRecord) -> str:
    """Says that no fit completed, with the first reason that a fit gave."""
    rows = list(record.claimed())
    reasons = [f"{row.outcome}: {row.error}" if row.error else row.outcome for row in rows]
    return f"none of {len(rows)} fits completed; the first: {reasons[0] if reasons else 'none ran'}"
