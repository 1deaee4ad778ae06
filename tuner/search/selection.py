"""Which candidate stands for a level: what was tried there, what is tried next, what won."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tuner.record import Outcome, Setting, seed_of
from tuner.search.record import SearchRecord
from tuner.search.spec import SearchSpec
from tuner.search.tuning import default_setting, is_fixed, propose
from tuner.spec import Fixed


class Selection:
    """Tuning of one search, read off its record.

    Levels come in groups: one by one, or, on a nested axis, all that one fit scores.
    """

    def __init__(self, spec: SearchSpec, key: str) -> None:
        """Makes the selection of a search. Raises KeyError where the spec hasn't it."""
        self._seed = spec.seed
        self._tuning = spec.tuning
        self._ranges = spec.search(key).ranges()
        question = spec.question(key)
        self._metric = question.metric
        self._sign = 1.0 if question.direction == "minimize" else -1.0

    @property
    def needed(self) -> bool:
        """Whether there is anything to choose."""
        return self._tuning.trials > 1 and not is_fixed(self._ranges)

    @property
    def tuned(self) -> frozenset[str]:
        """The hyperparameters that aren't fixed."""
        return frozenset(n for n, r in self._ranges.items() if not isinstance(r, Fixed))

    def next_generation(
        self, record: SearchRecord, group: tuple[int, ...], below: Sequence[tuple[int, ...]]
    ) -> list[Setting]:
        """Returns the settings to try next at a group; none where its budget is used up.

        The first are the winner of the nearest level below and the default; both
        count in the budget, which is the same at every level.

        Args:
            record: The search's record.
            group: The levels to tune.
            below: The groups below, rising.
        """
        tried = self.tried(record, group)
        count = min(self._tuning.generation, self._tuning.trials - len(tried))
        if not self.needed or count <= 0:
            return []
        return propose(
            self._ranges,
            tried=tried,
            first=[*self._warm_starts(record, below), default_setting(self._ranges)],
            count=count,
            sampler=self._tuning.sampler,
            seed=seed_of(self._seed, record.search, group[-1], len(record.steps) + 1),
        )

    def tried(
        self, record: SearchRecord, group: tuple[int, ...]
    ) -> list[tuple[Setting, float | None]]:
        """Returns the settings tried at a group with their scores, lower better.

        A nested group's score is the mean over its levels, for it has one
        sampler and all of its levels count alike. None stands for a failure.
        """
        by_level = [record.tuned(level) for level in group]
        tried: list[tuple[Setting, float | None]] = []
        for setting in by_level[0]:
            rows = [level[setting] for level in by_level]
            if all(row.outcome is Outcome.COMPLETED for row in rows):
                total = sum(self._sign * row.scores[self._metric] for row in rows)
                tried.append((setting, total / len(rows)))
            else:
                tried.append((setting, None))
        return tried

    def winner(self, record: SearchRecord, level: int) -> Setting | None:
        """Returns the best setting tried at a level, the earliest of equals; None if all failed."""
        if not self.needed:
            return default_setting(self._ranges)
        scored = [
            (self._sign * row.scores[self._metric], order, setting)
            for order, (setting, row) in enumerate(record.tuned(level).items())
            if row.outcome is Outcome.COMPLETED
        ]
        return min(scored, key=lambda s: s[:2])[2] if scored else None

    def _warm_starts(
        self, record: SearchRecord, below: Sequence[tuple[int, ...]]
    ) -> Iterable[Setting]:
        for group in reversed(below):
            winner = self.winner(record, group[-1])
            if winner is not None:
                return [winner]
        return []
