"""The rows of one search: distinct, and its measuring rows by level."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tuner.curve import Question
from tuner.record import Measurement, Outcome, Phase, Setting


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


def distinct(question: Question, measurements: Iterable[Measurement]) -> list[Measurement]:
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


def measured_rows(question: Question, rows: Iterable[Measurement]) -> dict[int, LevelRows]:
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


def completed_scores(
    question: Question, measuring: Mapping[int, LevelRows]
) -> dict[float, dict[int, float]]:
    """Returns level to replicate to score, of what completed."""
    return {
        level: {i: row.scores[question.metric] for i, row in chosen.completed.items()}
        for level, chosen in measuring.items()
    }
