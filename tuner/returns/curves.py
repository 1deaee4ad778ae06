"""From the record of one search to its curve."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from tuner.curve import Curve, CurveLevel, Question, SearchState
from tuner.record import Measurement, Outcome, Phase, Setting
from tuner.returns import words
from tuner.returns.assessment import Assessment, assess
from tuner.returns.failures import verdict_depends

ANALYSIS_VERSION = "1"
"""Changes whenever the same record could give another curve or verdict."""


@dataclass(frozen=True)
class LevelRows:
    """The measuring rows of one level and one setting.

    Attributes:
        setting: The setting that was measured.
        completed: By replicate.
        failed: By replicate: did not complete, or completed without a finite score.
    """

    setting: Setting
    completed: Mapping[int, Measurement]
    failed: Mapping[int, Measurement]


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
    rows makes no difference to any digit, and exact repeats none at all.

    Args:
        question: What the search asks.
        measurements: Rows of the record; those of other searches are passed over.
        state: Where the search stands.
        state_reason: Why it stands there.
        billed: Device-seconds spent by level, where they are known from elsewhere;
            else they are summed over the rows, tuning included.
        sequence: The last event of the record that the rows come from.

    Raises:
        ValueError: A level isn't declared, or two rows of one id differ.
    """
    rows = _distinct(question, measurements)
    measuring = _measured_rows(question, rows)
    if billed is None:
        spent: dict[int, list[float]] = {}
        for row in rows:
            spent.setdefault(row.level, []).append(row.billed_device_seconds)
        billed = {level: math.fsum(parts) for level, parts in spent.items()}
    scores = {
        level: {i: row.scores[question.metric] for i, row in chosen.completed.items()}
        for level, chosen in measuring.items()
    }
    look = assess(question, scores)
    levels = sorted(set(measuring) | set(billed))
    return Curve(
        search=question.search,
        learner=question.learner,
        axis=question.axis,
        metric=question.metric,
        direction=question.direction,
        margin=question.margin,
        levels=tuple(
            _level(level, measuring.get(level), look, billed.get(level, 0.0)) for level in levels
        ),
        verdict=look.verdict if question.axis else None,
        comparisons=look.comparisons,
        notes=_notes(question, rows, measuring, scores, look),
        unmeasured=tuple(level for level in question.levels if level not in look.levels),
        baseline=question.baseline,
        state=state,
        state_reason=state_reason,
        sequence=sequence,
        analysis_version=ANALYSIS_VERSION,
    )


def _distinct(question: Question, measurements: Iterable[Measurement]) -> list[Measurement]:
    """Returns the search's rows, one an id, in an order that doesn't depend on theirs."""
    by_id: dict[str, Measurement] = {}
    for row in measurements:
        if row.search != question.search:
            continue
        if row.level not in question.levels:
            raise ValueError(
                f"measurement {row.id}: level {row.level} of {row.search!r} is not on the "
                f"declared ladder {question.levels}"
            )
        other = by_id.setdefault(row.id, row)
        if not other.same_result(row):
            raise ValueError(f"measurement {row.id} is there twice with different results")
        by_id[row.id] = min(other, row, key=_cost)
    return sorted(by_id.values(), key=lambda row: row.id)


def _cost(row: Measurement) -> tuple[float, float, int]:
    return row.billed_device_seconds, row.standalone_device_seconds, row.parameters


def _measured_rows(question: Question, rows: Iterable[Measurement]) -> dict[int, LevelRows]:
    """Returns each level's measuring rows, of the setting that was measured most."""
    by_level: dict[int, dict[Setting, list[Measurement]]] = {}
    for row in rows:
        if row.phase is Phase.MEASURING:
            by_level.setdefault(row.level, {}).setdefault(row.setting, []).append(row)
    chosen = {}
    for level, by_setting in by_level.items():
        setting = min(by_setting, key=lambda s: (-len(by_setting[s]), repr(s)))
        completed: dict[int, Measurement] = {}
        failed: dict[int, Measurement] = {}
        for row in by_setting[setting]:
            if row.replicate in completed or row.replicate in failed:
                raise ValueError(
                    f"measurement {row.id}: replicate {row.replicate} of level {level} is there "
                    "twice under different ids; give the rows of one job"
                )
            (completed if _has_score(row, question.metric) else failed)[row.replicate] = row
        chosen[level] = LevelRows(setting, completed, failed)
    return chosen


def _has_score(row: Measurement, metric: str) -> bool:
    return row.outcome is Outcome.COMPLETED and math.isfinite(row.scores.get(metric, math.nan))


def _level(level: int, rows: LevelRows | None, look: Assessment, billed: float) -> CurveLevel:
    row = CurveLevel(level, 0, 0, billed_device_seconds=billed)
    if rows is None:
        return row
    row = replace(row, failed=len(rows.failed), setting=rows.setting)
    if not rows.completed:
        return row
    done = list(rows.completed.values())
    low, high = look.intervals[level]
    return replace(
        row,
        replicates=len(done),
        score=look.means[level],
        low=low,
        high=high,
        gain=look.gains.get(level),
        margin_supported=look.margin_supported[level],
        standalone_device_seconds=math.fsum(m.standalone_device_seconds for m in done) / len(done),
        parameters=round(math.fsum(m.parameters for m in done) / len(done)),
    )


def _notes(
    question: Question,
    rows: Iterable[Measurement],
    measuring: Mapping[int, LevelRows],
    scores: Mapping[int, Mapping[int, float]],
    look: Assessment,
) -> tuple[str, ...]:
    notes = list(look.notes)
    settings: dict[int, set[Setting]] = {}
    for row in rows:
        if row.phase is Phase.MEASURING:
            settings.setdefault(row.level, set()).add(row.setting)
    for level in sorted(measuring):
        chosen = measuring[level]
        if len(settings[level]) > 1:
            notes.append(
                f"level {level}: {len(settings[level])} settings were measured; the curve shows "
                f"the one with most replicates ({len(chosen.completed) + len(chosen.failed)})"
            )
        if chosen.failed:
            notes.append(f"level {level}: {_failed(question, chosen)}")
    failed = {level: set(chosen.failed) for level, chosen in measuring.items()}
    if question.axis:
        notes += verdict_depends(question, scores, failed, look.verdict)
    return tuple(notes)


def _failed(question: Question, rows: LevelRows) -> str:
    """Says how many replicates failed and how."""
    kinds = Counter(
        "without a finite " + question.metric if m.outcome is Outcome.COMPLETED else m.outcome.value
        for m in rows.failed.values()
    )
    how = ", ".join(f"{n} {kind}" for kind, n in sorted(kinds.items()))
    total = len(rows.completed) + len(rows.failed)
    if not rows.completed:
        return f"all {words.count(total, 'replicate')} failed ({how}); the verdict leaves it out"
    return f"{len(rows.failed)} of {total} replicates failed ({how}) and are not in its mean"
