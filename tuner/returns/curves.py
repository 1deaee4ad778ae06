"""From the record of one search to its curve."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np

from tuner.curve import Curve, Question, SearchState
from tuner.record import Measurement, Outcome, Phase, Setting
from tuner.returns import words
from tuner.returns.borne import borne
from tuner.returns.composition import Facts, Pricing, compose
from tuner.returns.evidence import Replicates
from tuner.returns.failures import verdict_depends
from tuner.returns.limits import limit_notes, needs_of, within_limits
from tuner.returns.rows import LevelRows, completed_scores, distinct, measured_rows
from tuner.returns.runner_up import hangs_on_tuning
from tuner.returns.sensitivity import sensitivity
from tuner.returns.unpriced import assess_if_priced, costless

PRICING = Pricing("device-seconds", 3600.0)


def curve(
    question: Question,
    measurements: Iterable[Measurement],
    state: SearchState = SearchState.PENDING,
    state_reason: str = "",
    billed: Mapping[int, float] | None = None,
    sequence: int = 0,
) -> Curve:
    """Returns the curve of a search: scores, bounds, gains and costs, and the verdict.

    Scores come from measuring rows only. Tuning rows count in the bill, so a
    level that is tuned but not measured yet has a row with no score. The order of
    rows makes no difference to any digit, and exact repeats none at all. What the
    verdict hangs on is looked for once the search has ended. At a price, levels
    without a cost make the curve INCONCLUSIVE. Levels whose models break a limit are shown
    and not judged.

    Args:
        question: What the search asks; at a price, with the costs that its policy fixed.
        measurements: Rows of the record; those of other searches are passed over.
        state: Where the search stands.
        state_reason: Why it stands there.
        billed: Device-seconds spent by level, where they are known from elsewhere;
            else they are summed over the rows, tuning included.
        sequence: The last event of the record that the rows come from.

    Raises:
        ValueError: A level isn't declared, or two rows of one id differ.
    """
    rows = distinct(question, measurements)
    measuring = measured_rows(question, rows)
    question = within_limits(question, measuring)
    if billed is None:
        spent: dict[int, list[float]] = {}
        for row in rows:
            spent.setdefault(row.level, []).append(row.billed_device_seconds)
        billed = {level: math.fsum(parts) for level, parts in spent.items()}
    failed = {i for chosen in measuring.values() for i in chosen.failed}
    scores = completed_scores(question, measuring)
    evidence = Replicates.of(question, scores, also=failed)
    look = assess_if_priced(question, evidence)
    notes = limit_notes(question, measuring) + _notes(rows, measuring)
    notes += failure_notes(question, measuring)
    notes += borne(question, measuring)
    if question.axis and not costless(question, evidence.levels):
        marks = [[i in measuring[int(k)].failed for i in evidence.numbers] for k in evidence.levels]
        notes += verdict_depends(question, evidence, np.array(marks, dtype=bool), look.verdict)
        if state not in (SearchState.PENDING, SearchState.RUNNING):
            notes += sensitivity(question, evidence, look.verdict)
    notes += hangs_on_tuning(question, rows, measuring)
    beside = beside_training(rows)
    facts: dict[float, Facts] = {
        level: facts_of(measuring.get(level), billed.get(level, 0.0), beside.get(level, 0.0))
        for level in set(measuring) | set(billed)
    }
    return replace(
        compose(question, evidence, look, facts, PRICING, notes=notes),
        state=state,
        state_reason=state_reason,
        sequence=sequence,
    )


def facts_of(rows: LevelRows | None, billed: float, beside: float = 0.0) -> Facts:
    """Returns what is known of a level beside its scores.

    Args:
        rows: Its measuring rows; None where it isn't measured.
        billed: All that was spent at it.
        beside: What of that went to conditions and footprints.
    """
    if rows is None:
        return Facts(billed=billed, beside=beside)
    done = list(rows.completed.values())
    known = Facts(
        failed=len(rows.failed),
        billed=billed,
        beside=beside,
        setting=rows.setting,
        needs=needs_of(rows.rows),
    )
    if not done:
        return known
    return replace(
        known,
        cost=math.fsum(m.standalone_device_seconds for m in done) / len(done),
        parameters=round(math.fsum(m.parameters for m in done) / len(done)),
    )


def beside_training(rows: Iterable[Measurement]) -> dict[int, float]:
    """Returns by level what went to conditions and footprints, tuning included."""
    spent: dict[int, list[float]] = {}
    for row in rows:
        spent.setdefault(row.level, []).append(row.robustness_device_seconds)
    return {level: math.fsum(parts) for level, parts in spent.items()}


def _notes(rows: Iterable[Measurement], measuring: Mapping[int, LevelRows]) -> list[str]:
    """Says where several settings were measured."""
    notes = []
    settings: dict[int, set[Setting]] = {}
    for row in rows:
        if row.phase is Phase.MEASURING:
            settings.setdefault(row.level, set()).add(row.setting)
    shown = {
        level: {m.setting for m in (*chosen.completed.values(), *chosen.failed.values())}
        for level, chosen in measuring.items()
    }
    if any(len(some) > 1 for some in shown.values()):
        notes.append(
            "replicates were tuned anew, each for itself: what is said of a level is said of it as "
            "tuned, and not of one setting"
        )
    for level in sorted(measuring):
        chosen = measuring[level]
        if settings[level] != shown[level]:
            notes.append(
                f"level {level}: {len(settings[level])} settings were measured; the curve shows "
                f"the winner's {len(chosen.completed) + len(chosen.failed)} replicates"
            )
    return notes


def failure_notes(question: Question, measuring: Mapping[int, LevelRows]) -> list[str]:
    """Says at which levels replicates failed, and how."""
    return [
        f"level {level}: {_failed(question, measuring[level])}"
        for level in sorted(measuring)
        if measuring[level].failed
    ]


def _failed(question: Question, rows: LevelRows) -> str:
    """Says how many replicates failed and how."""
    kinds = Counter(
        "without a finite " + question.metric if m.outcome is Outcome.COMPLETED else m.outcome.value
        for m in rows.failed.values()
    )
    how = ", ".join(f"{n} {kind}" for kind, n in sorted(kinds.items()))
    return words.failures(len(rows.failed), len(rows.completed), how)
