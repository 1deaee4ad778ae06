"""Which candidate stands for a level: what was tried there, what won, what it scored."""

from __future__ import annotations

from collections.abc import Sequence

from tuner.record import Measurement, Phase, Setting
from tuner.returns import has_score, standings
from tuner.search.record import SearchRecord
from tuner.search.spec import SearchSpec
from tuner.search.tuning import default_setting, is_fixed
from tuner.spec import Fixed

Group = tuple[int, ...]
"""Levels that one fit scores: one, or, on a nested axis, all of them."""


class Selection:
    """Tuning of one search, read off its record.

    A level's candidates are tried on a tuning split, number 0. With `retune` every
    replicate has a tuning run of its own, on the split of its number, and a winner of its
    own; else every replicate measures the level's one winner.
    """

    def __init__(self, spec: SearchSpec, key: str) -> None:
        """Makes the selection of a search. Raises KeyError where the spec hasn't it."""
        self._space = spec.search(key)
        self._question = spec.question(key)
        self._sign = 1.0 if self._question.direction == "minimize" else -1.0
        self.needed = spec.tuning.trials > 1 and not is_fixed(self._space.ranges())
        self.retuned = spec.tuning.retune and self.needed

    @property
    def tuned(self) -> frozenset[str]:
        """The hyperparameters that aren't fixed."""
        ranges = self._space.ranges()
        return frozenset(n for n, r in ranges.items() if not isinstance(r, Fixed))

    def default(self, level: int) -> Setting:
        """Returns what is taken at a level without trying."""
        return default_setting(self._space.ranges(level))

    def tried(
        self, record: SearchRecord, group: Group, splits: Sequence[int] = (0,)
    ) -> list[tuple[Setting, float | None]]:
        """Returns the settings tried at a group, in the order of their claims, with their scores.

        Lower is better. None stands for a failure. The score is the mean over the group's
        levels, for it has one sampler and all of its levels count alike, and over the
        splits; settings that weren't tried on all of these are left out.
        """
        by_setting: dict[Setting, list[Measurement]] = {}
        for level in group:
            for row in record.rows(Phase.TUNING, level):
                if row.replicate in splits:
                    by_setting.setdefault(row.setting, []).append(row)
        whole = len(group) * len(splits)
        return [(s, self._mean(rows)) for s, rows in by_setting.items() if len(rows) == whole]

    def _mean(self, rows: Sequence[Measurement]) -> float | None:
        metric = self._question.metric
        if not all(has_score(row, metric) for row in rows):
            return None
        return sum(self._sign * row.scores[metric] for row in rows) / len(rows)

    def winner(self, record: SearchRecord, level: int, replicate: int = 0) -> Setting | None:
        """Returns the setting that a replicate measures at a level; None if all failed."""
        if not self.needed:
            return self.default(level)
        return next(iter(self._standings(record, level, replicate)), None)

    def runner_up(self, record: SearchRecord, level: int) -> Setting | None:
        """Returns the second best setting at a level; None where nothing else completed.

        With `retune` there is none: each replicate has its own winner, and how far they
        scatter is in the curve's intervals already.
        """
        if not self.needed or self.retuned:
            return None
        return next(iter(self._standings(record, level, 0)[1:]), None)

    def _standings(self, record: SearchRecord, level: int, replicate: int) -> list[Setting]:
        rows = record.rows(Phase.TUNING, level)
        if self.retuned:
            rows = [row for row in rows if row.replicate == replicate]
        return standings(rows, self._question.metric, self._question.direction)

    def measured(self, record: SearchRecord, level: int) -> list[Measurement]:
        """Returns the measuring rows, failed ones included, of what stands for a level."""
        rows = record.rows(Phase.MEASURING, level)
        if not self.needed or not rows:
            return list(rows)
        if self.retuned:
            return [r for r in rows if r.setting == self.winner(record, level, r.replicate)]
        winner = self.winner(record, level)
        return [row for row in rows if row.setting == winner]

    def scores(self, record: SearchRecord) -> dict[float, dict[int, float]]:
        """Returns the completed scores of what stands for each level: level, replicate, score."""
        found: dict[float, dict[int, float]] = {}
        for level in record.levels(Phase.MEASURING):
            for row in self.measured(record, level):
                if has_score(row, self._question.metric):
                    score = row.scores[self._question.metric]
                    found.setdefault(level, {})[row.replicate] = score
        return found
