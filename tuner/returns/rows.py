"""The rows of one search: distinct, and its measuring rows by level."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tuner.curve import Question
from tuner.record import Measurement, Phase, Setting
from tuner.returns.winners import has_score, standings


@dataclass(frozen=True)
class LevelRows:
    """The measuring rows of one level.

    Attributes:
        setting: The setting that was measured; the most frequent one where each
            replicate was tuned anew.
        completed: By replicate.
        failed: By replicate: did not complete, or completed without a finite score.
    """

    setting: Setting
    completed: Mapping[int, Measurement]
    failed: Mapping[int, Measurement]

    @property
    def rows(self) -> tuple[Measurement, ...]:
        """All of them, by replicate."""
        both = {**self.completed, **self.failed}
        return tuple(both[i] for i in sorted(both))


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
        if other is not row:
            by_id[row.id] = min(other, row, key=_cost)
    return sorted(by_id.values(), key=lambda row: row.id)


def _cost(row: Measurement) -> tuple[float, float, int, str]:
    # What clocks tell beside it is no part of the result either; any order of it will do.
    told = repr((row.footprint, row.stresses))
    return row.billed_device_seconds, row.standalone_device_seconds, row.parameters, told


def measured_rows(question: Question, rows: Iterable[Measurement]) -> dict[int, LevelRows]:
    """Returns each level's measuring rows, of the candidate that stands for the level.

    Where a replicate was measured with several settings, a later trial took the place of
    the winner: the rows of the setting that tuning ranks first count. Where every
    replicate has one, all rows count: each may have been tuned anew.
    """
    tuning: dict[int, list[Measurement]] = {}
    measuring: dict[int, list[Measurement]] = {}
    for row in rows:
        if row.phase is Phase.TUNING:
            tuning.setdefault(row.level, []).append(row)
        elif row.phase is Phase.MEASURING:
            measuring.setdefault(row.level, []).append(row)
    return {
        level: _of_level(question, some, tuning.get(level, ())) for level, some in measuring.items()
    }


def _of_level(
    question: Question, rows: Sequence[Measurement], tuning: Iterable[Measurement]
) -> LevelRows:
    count = Counter(row.setting for row in rows)
    setting = min(count, key=lambda s: (-count[s], repr(s)))
    if len({row.replicate for row in rows}) < len({(r.replicate, r.setting) for r in rows}):
        ranked = standings(tuning, question.metric, question.direction)
        setting = next((s for s in ranked[:1] if s in count), setting)
        rows = [row for row in rows if row.setting == setting]
    completed: dict[int, Measurement] = {}
    failed: dict[int, Measurement] = {}
    for row in rows:
        if row.replicate in completed or row.replicate in failed:
            raise ValueError(
                f"measurement {row.id}: replicate {row.replicate} of level {row.level} is there "
                "twice under different ids; give the rows of one job"
            )
        (completed if has_score(row, question.metric) else failed)[row.replicate] = row
    return LevelRows(setting, completed, failed)


def completed_scores(
    question: Question, measuring: Mapping[int, LevelRows]
) -> dict[float, dict[int, float]]:
    """Returns level to replicate to score, of what completed."""
    return {
        level: {i: row.scores[question.metric] for i, row in chosen.completed.items()}
        for level, chosen in measuring.items()
    }


def winners_scores(
    question: Question, rows: Iterable[Measurement]
) -> dict[float, dict[int, float]]:
    """Returns level to replicate to score of what stands for each level.

    Args:
        question: What is asked.
        rows: Distinct rows of its search, tuning rows included. Raises as `measured_rows`.
    """
    return completed_scores(question, measured_rows(question, rows))
