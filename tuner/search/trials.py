"""What is tried next: generations of settings, warm starts from neighbours, and races."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from tuner.record import Phase, Setting, seed_of
from tuner.search.record import SearchRecord
from tuner.search.selection import Group, Selection
from tuner.search.spec import SearchSpec, is_nested
from tuner.search.tuning import propose

KEPT = 1
"""Trials that a level keeps for the winner of the level above."""

FEWEST = 4
"""Trials below which a level keeps none."""


@dataclass(frozen=True)
class Trial:
    """A setting to try.

    Attributes:
        group: The levels that it is tried at.
        setting: The hyperparameters.
        split: The tuning split that it is scored on.
    """

    group: Group
    setting: Setting
    split: int = 0


class Trials:
    """The tuner of one search: every level gets the same number of trials.

    Levels are tuned in generations, several levels at once where several are open. A
    generation starts with what won at the neighbouring levels so far, below and above, and
    with the default; the sampler gives the rest. A level keeps one trial for what wins at
    the level above once that is tuned: what is found there may serve below, too, and a
    gain that rests on a setting nobody tried below is none of capacity. Before a level is
    measured more than others it spends that trial, for its winner must not change any more.

    In a race the better half of a level's settings goes on to the next tuning split, until
    the splits or the settings run out. Whoever is compared was trained to the end: nothing
    is raced across epochs.

    Levels that one fit scores share their settings. Where some are declared after the others
    were tuned, what was tried is tried there first, on the same splits.
    """

    def __init__(self, spec: SearchSpec, key: str) -> None:
        """Makes the tuner of a search. Raises KeyError where the spec hasn't it."""
        self._seed = spec.seed
        self._tuning = spec.tuning
        self._space = spec.search(key)
        self._levels = self._space.levels
        self._selection = Selection(spec, key)
        keeps = not is_nested(spec, key) and not spec.tuning.retune
        self._kept = KEPT if keeps and spec.tuning.trials >= FEWEST else 0

    def next(
        self,
        record: SearchRecord,
        groups: Sequence[Group],
        runs: Mapping[Group, int] | None = None,
        settled: Collection[Group] = (),
        closed: Collection[int] = (),
    ) -> list[Trial]:
        """Returns what to try next at open groups; nothing where their budgets are used up.

        Args:
            record: The search's record.
            groups: The groups that are open, rising.
            runs: Tuning runs that each is to have; one where omitted.
            settled: Groups that can't wait for the level above: they spend what they kept.
            closed: Levels that are done with. A group of such levels alone is tried no
                further; what won there still serves its neighbours.
        """
        if not self._selection.needed:
            return []
        going = {group for group in groups if not set(group) <= set(closed)}
        late = [t for group in groups if group in going for t in self._caught_up(record, group)]
        if late:
            return late
        trials = [
            Trial(group, setting, run)
            for i, group in enumerate(groups)
            if group in going
            for run in range(1 if runs is None else runs[group])
            for setting in self._generation(record, groups, i, run, group in settled)
        ]
        raced = (group for group in groups if group in going)
        return trials or [t for group in raced for t in self._race(record, group)]

    def _caught_up(self, record: SearchRecord, group: Group) -> list[Trial]:
        """Returns what was tried at some levels of a group and is missing at others."""
        there: dict[tuple[Setting, int], set[int]] = {}
        for level in group:
            for row in record.rows(Phase.TUNING, level):
                there.setdefault((row.setting, row.replicate), set()).add(level)
        return [
            Trial(tuple(level for level in group if level not in levels), setting, split)
            for (setting, split), levels in there.items()
            if len(levels) < len(group)
        ]

    def _budget(self, group: Group) -> int:
        """Returns the trials of a group before the level above is known."""
        return self._tuning.trials - (self._kept if group[-1] != self._levels[-1] else 0)

    def _generation(
        self, record: SearchRecord, groups: Sequence[Group], i: int, run: int, settled: bool
    ) -> list[Setting]:
        group = groups[i]
        tried = self._selection.tried(record, group, (run,))
        budget = self._tuning.trials if settled else self._budget(group)
        below, above = groups[i - 1 : i] if i else (), groups[i + 1 : i + 2]
        if len(tried) >= budget:
            known = all(
                len(self._selection.tried(record, g, (run,))) >= self._budget(g) for g in above
            )
            budget, below = (self._tuning.trials, ()) if above and known else (0, ())
        count = min(self._tuning.generation, budget - len(tried))
        if count <= 0:
            return []
        warm = [self._carried(record, other, group, run) for other in (*below, *above)]
        level = group[-1]
        step = len(record.steps) + 1
        return propose(
            self._space.ranges(level),
            tried=tried,
            first=[*(s for s in warm if s is not None), self._selection.default(level)],
            count=count,
            sampler=self._tuning.sampler,
            seed=seed_of(self._seed, record.search, level, run, step),
        )

    def _carried(
        self, record: SearchRecord, other: Group, group: Group, run: int
    ) -> Setting | None:
        """Returns what won at another group so far, a race included, as it suits this one."""
        won = self._selection.winner(record, other[-1], run)
        return None if won is None else self._space.carried(won, other[-1], group[-1])

    def _race(self, record: SearchRecord, group: Group) -> list[Trial]:
        """Returns what a race still owes: its first split on which anyone is missing."""
        field = [s for s, score in self._selection.tried(record, group) if score is not None]
        for split in range(1, self._tuning.race):
            splits = range(split)
            scored = [
                (score, i, setting)
                for i, (setting, score) in enumerate(self._selection.tried(record, group, splits))
                if score is not None and setting in field
            ]
            field = [setting for _, _, setting in sorted(scored)[: (len(scored) + 1) // 2]]
            if len(field) < 2:  # nobody would be there to compare the last one with
                return []
            there = {s for s, _ in self._selection.tried(record, group, (split,))}
            owed = [Trial(group, setting, split) for setting in field if setting not in there]
            if owed:
                return owed
        return []
