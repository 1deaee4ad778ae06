"""The policy's decisions as plain sentences, for the log, the record and the report."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence

from tuner.curve import Question, Verdict, VerdictOutcome
from tuner.record import Measurement, Outcome, Phase, PlanStep, Setting
from tuner.returns import Assessment, has_score
from tuner.search.packing import Work
from tuner.search.record import SearchRecord
from tuner.search.trials import Trial


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


def tune(question: Question, trials: Sequence[Trial]) -> str:
    """Says that settings are tried."""
    levels = sorted({level for trial in trials for level in trial.group})
    splits = sorted({trial.split for trial in trials})
    noun = "split" if len(splits) == 1 else "splits"
    on = f" on {noun} {', '.join(map(str, splits))}" if splits != [0] else ""
    return f"{_at(question, levels)}: try {len(trials)} settings{on}"


def measure(question: Question, work: Sequence[Work], tuned: Collection[str]) -> str:
    """Says that winners are measured, by what was tuned of them."""
    levels = sorted({level for w in work for level in w.levels})
    distinct = {w.setting for w in work}
    what = setting(work[0].setting, tuned) if len(distinct) == 1 else f"{len(distinct)} winners"
    replicates = len({w.replicate for w in work})
    return f"{_at(question, levels)}: measure {what or 'it'} on {replicates} replicates"


def runner_up(question: Question, work: Sequence[Work], tuned: Collection[str]) -> str:
    """Says that the second best of a level is measured."""
    second = setting(work[0].setting, tuned)
    return (
        f"{_at(question, work[0].levels)}: measure the runner-up, {second}, on {len(work)} "
        "replicates, to see how much hangs on tuning"
    )


def spent(budget: int, more: int, then: str) -> str:
    """Says that the budget of trials ends the search."""
    return f"the budget of {budget} trials is spent: the next step needs {more} more ({then})"


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
    named, smallest = look.verdict.level, min(wanted)
    if named is not None and smallest < named:
        why = f"{named} is enough, and {smallest} may be, too"
    return f"{_at(question, sorted(wanted))}: go on to {goal} replicates, for {why}"


Opening = Callable[[Question, Assessment | None, Sequence[int], str], str]
"""Says why levels are opened: the question, the look, the levels, what is done first."""


def up(question: Question, look: Assessment | None, levels: Sequence[int], then: str) -> str:
    """Says that the next level is climbed, and why."""
    if look is None or not look.gains:
        return then
    level, gain = max(look.gains.items())
    # The first few replicates bound nothing.
    bounds = f" [{gain.low:+.4f}, {gain.high:+.4f}]" if math.isfinite(gain.high) else ""
    return (
        f"{_at(question, [level])} gains {gain.estimate:+.4f} {question.metric} over the level "
        f"below{bounds}; go up. {then}"
    )


def between(question: Question, look: Assessment | None, levels: Sequence[int], then: str) -> str:
    """Says that a level below the answer that was passed over is tried."""
    return f"{_at(question, levels)} was passed over and may be enough; go back. {then}"


def beyond(question: Question, look: Assessment | None, levels: Sequence[int], then: str) -> str:
    """Says that a level that was passed over is tried, for want of larger ones."""
    return (
        f"{_at(question, levels)} was passed over, and patience asks for more larger levels; "
        f"go back. {then}"
    )


def missing(question: Question, look: Assessment | None, levels: Sequence[int], then: str) -> str:
    """Says that a level that was passed over is tried, for returns rise only past it, too."""
    return (
        f"{_at(question, levels)} was passed over, and every measured level below the largest "
        f"falls short; go back. {then}"
    )


def verdict(found: Verdict, futile: bool = False) -> str:
    """Says what the search ends with, and whether more replicates would hardly help."""
    level = f" at {found.level}" if found.level is not None else ""
    said = f"{found.outcome}{level}: {found.reason}"
    if found.outcome is VerdictOutcome.INCONCLUSIVE and futile:
        return f"{said}; the replicates that are left would hardly tell, so none is spent on it"
    return said


def baseline(question: Question, scores: Mapping[float, Mapping[int, float]]) -> str:
    """Says what a learner without an axis scored."""
    values = [value for row in scores.values() for value in row.values()]
    mean = sum(values) / len(values)
    return f"{question.learner}: {mean:.4f} {question.metric} on {len(values)} replicates"


def barred(question: Question, record: SearchRecord, step: PlanStep, top: float) -> str:
    """Says which levels turn out to break a limit, and which aren't tried because of it.

    To be put behind a decision: when a level is first found to, and once more at the end.

    Args:
        question: What is asked.
        record: The plan and the measurements before the step.
        step: The step, with the levels that break a limit.
        top: The level from which on nothing is tried for the limits; inf without one.
    """
    known = {level for level, _ in record.steps[-1].barred} if record.steps else set()
    news = [f"{level} ({how})" for level, how in step.barred if level not in known]
    if not news and step.conclusion is None:
        return ""
    if not question.axis:
        return "".join(f"; it breaks a limit: {how}" for _, how in step.barred)
    said = f"; limits are broken at {', '.join(news)}" if news else ""
    tried = {*record.levels(Phase.TUNING), *record.levels(Phase.MEASURING)}
    untried = [str(k) for k in question.levels if k > top and k not in tried]
    if untried:
        verb = "isn't" if len(untried) == 1 else "aren't"
        said += f"; {', '.join(untried)} {verb} tried: {top} breaks a limit already"
    return said


def nothing_completed(question: Question, record: SearchRecord) -> str:
    """Says that no level could be measured, with the first reason that a fit gave."""
    rows = list(record.claimed())
    failed = [row for row in rows if not has_score(row, question.metric)]
    if not failed:
        return "no fit ran"
    said = f"none of {len(rows)} fits completed"
    if len(failed) < len(rows):
        said = f"no level could be measured: {len(failed)} of {len(rows)} fits failed"
    return f"{said}; the first: {_failure(failed[0])}"


def _failure(row: Measurement) -> str:
    if row.outcome is Outcome.COMPLETED:
        return f"{row.outcome}, without a finite score"
    return f"{row.outcome}: {row.error}" if row.error else row.outcome
