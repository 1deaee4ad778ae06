"""What a spot test found, in sentences."""

from __future__ import annotations

import math

from tuner.curve import Curve, CurveLevel, Difference, Gain
from tuner.jobs import DatasetFacts
from tuner.record import Outcome
from tuner.report import naming
from tuner.spec import JobSpec
from tuner.spot.findings import Decision, Family, Findings

HEADINGS = {
    Decision.WORTH: "Worth a real search",
    Decision.UNKNOWN: "Can't be told",
    Decision.NOT_WORTH: "Not worth it here",
    Decision.UNABLE: "Can't learn from this data",
}

_FAILED = {
    Outcome.DIVERGED: "diverged",
    Outcome.TIMED_OUT: "cut off",
    Outcome.CRASHED: "broke",
    Outcome.OUT_OF_MEMORY: "ran out of memory",
}

_ERROR_LENGTH = 160


def name(family: Family) -> str:
    """Returns what a family is called."""
    return f"{family.learner} (baseline)" if family.baseline else family.learner


def score(family: Family) -> str:
    """Returns its score with its bounds and where it was had; a dash where there is none."""
    row = family.level
    if row is None or row.score is None:
        return "–"
    axis = family.curve.axis
    at = f" at {axis} {naming.level(row.level)}" if axis else ""
    return f"{naming.number(row.score)} {naming.interval(row.low, row.high)}{at}"


def why(family: Family, spec: JobSpec) -> str:
    """Returns the reason of what was decided of a family."""
    if family.best:
        return "has the best mean"
    if family.behind is not None:
        return _behind(family.behind, spec.margin)
    if family.decision is Decision.UNABLE:
        return _refusal(family)
    return _unfinished(family, spec)


def _refusal(family: Family) -> str:
    """Returns why a learner refused the data: the sentence that says it."""
    reason = family.curve.state_reason
    reason = reason.removeprefix(f"{family.learner} can't learn from this data: ")
    return reason.removeprefix(f"{family.learner} ").partition(". ")[0]


def _behind(lead: Difference, margin: float) -> str:
    least, most = naming.number(lead.low), naming.number(lead.high)
    bounds = f"{naming.number(lead.estimate)} {naming.interval(lead.low, lead.high)} behind it"
    if not math.isfinite(lead.low):
        return f"too few replicates to tell it from the best; {bounds}"
    if lead.low >= margin:
        return f"at least {least} worse than the best: {bounds}"
    if lead.high < margin:
        return f"at most {most} worse than the best: {bounds}"
    if lead.low <= 0:
        return f"can't be told from the best: {bounds}"
    return f"worse than the best, but maybe by less than the margin of {margin:g}: {bounds}"


def _unfinished(family: Family, spec: JobSpec) -> str:
    """Says why a family has no level with all its replicates, or nothing to be compared with."""
    wanted = spec.measuring.max_replicates
    failed = family.failures or {}
    if family.replicates >= wanted:
        return "no other family was measured in full, so there is nothing to compare it with"
    if failed:
        most = spec.resources.packet_timeout_seconds
        said = ", ".join(f"{count} {_FAILED[outcome]}" for outcome, count in failed.items())
        said = f"fits failed: {said}"
        if set(failed) == {Outcome.TIMED_OUT}:
            return f"too slow for a spot test: {said} after {naming.seconds(most)}"
        return f"{said} ({_short(family.error)})" if family.error else said
    if not family.replicates:
        return "ran out of time before any of it was measured"
    return f"ran out of time: {family.replicates} of {wanted} replicates were measured"


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _ERROR_LENGTH else f"{line[:_ERROR_LENGTH]}..."


def capacity(curve: Curve) -> str:
    """Returns what capacity along the axis seemed to give; empty where that isn't known."""
    said = [_gain(gain) for gain in curve.gains if math.isfinite(gain.estimate)]
    lost = [row for row in curve.levels if row.score is None and row.failed]
    said += [f"{naming.level(row.level)} had no score" for row in lost]
    return f"{curve.axis}: {'; '.join(said)}" if curve.axis and said else ""


def _gain(gain: Gain) -> str:
    low, high = naming.level(gain.below), naming.level(gain.level)
    size = f"{naming.number(abs(gain.estimate))}"
    bounds = naming.interval(gain.low, gain.high, plus=True)
    if gain.low > 0:
        return f"{high} is better than {low} by {size} {bounds}"
    if gain.high < 0:
        return f"{high} is worse than {low} by {size} {bounds}"
    if not math.isfinite(gain.high - gain.low):
        return f"{high} has too few replicates to be told from {low}"
    gained = naming.number(gain.estimate, plus=True)
    return f"{high} can't be told from {low}, {gained} {bounds}"


def footprint(row: CurveLevel | None) -> str:
    """Returns how long a prediction takes and how large the model is, where that is known."""
    if row is None:
        return ""
    said = []
    if row.latency_ms is not None:
        said.append(f"{naming.rounded(row.latency_ms)} ms a prediction")
    if row.model_bytes is not None:
        said.append(naming.size(row.model_bytes))
    return ", ".join(said)


def headline(findings: Findings) -> str:
    """Returns what was found, in a sentence."""
    worth = findings.decided(Decision.WORTH)
    if findings.problem:
        return f"Nothing was measured: {findings.problem}."
    if not worth:
        return "No two families were measured in full: nothing can be told of any."
    names = [family.learner for family in worth]
    best = f"The best mean is that of {names[0]}"
    if _undecided(findings):
        return f"{best}; no family can be told from it, so each may be worth a real search."
    listed = f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]
    return f"Worth a real search: {listed}. {best}."


def _undecided(findings: Findings) -> bool:
    """Tells whether bounds leave all of several families where they were."""
    compared = findings.comparison
    worth = len(findings.decided(Decision.WORTH))
    return compared is not None and 2 < worth == len(compared.contenders)


def conditions(findings: Findings, facts: DatasetFacts | None) -> str:
    """Returns what the families were measured on, in a sentence."""
    spec = findings.spec
    how = f"{spec.measuring.max_replicates} replicates a level, at default settings, untuned"
    metric = f"{spec.metric}, margin {spec.margin:g}"
    if facts is None:
        return f"Measured by {metric}; {how}."
    outside = facts.examples - facts.test_examples
    used = min(outside, spec.split.train_limit or outside)
    return (
        f"Measured by {metric}, on {facts.test_examples:,} test examples; each fit learnt from "
        f"{round(spec.split.train_fraction * used):,} of {outside:,} others; {how}."
    )


def remarks(findings: Findings, facts: DatasetFacts | None) -> list[str]:
    """Returns what somebody should know before they act on it."""
    spec, said = findings.spec, []
    worth = findings.decided(Decision.WORTH)
    compared = findings.comparison
    if _undecided(findings):
        said.append(
            "More examples, above all in the test, would tell families apart; a longer search "
            "alone may not."
        )
    cheap = [family.learner for family in worth if family.curve.baseline or _cheap(family)]
    if cheap:
        said.append(
            f"{cheap[0]}, which takes next to no time, is among the best: look at the data "
            "before you look for more capacity."
        )
    if compared is not None and compared.good_enough:
        enough = next(f for f in findings.families if f.search == compared.good_enough)
        said.append(
            f"{enough.learner} is the cheapest that is shown to be within {spec.margin:g} "
            "of the best."
        )
    limit = spec.split.train_limit
    if facts is not None and limit and limit < facts.examples - facts.test_examples:
        said.append(
            "There are more examples than were learnt from: with all of them, families that "
            "need many may overtake."
        )
    return said


def _cheap(family: Family) -> bool:
    """Tells whether a family has no capacity to search."""
    return not family.curve.axis
