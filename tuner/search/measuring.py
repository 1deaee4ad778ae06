"""Which replicates are measured next, of what stands for a level and of the second best."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from tuner.record import Phase, PlanStep, Setting, StepKind
from tuner.search import words
from tuner.search.packing import Work
from tuner.search.record import SearchRecord
from tuner.search.selection import Group, Selection
from tuner.search.spec import SearchSpec, is_nested
from tuner.search.steps import Steps, View
from tuner.search.trials import Trials


class Measuring:
    """Tunes and measures open levels as far as is asked.

    With `retune`, a replicate is a tuning run of its own before it is measured.
    """

    def __init__(self, spec: SearchSpec, key: str, steps: Steps) -> None:
        """Makes it of a search. Raises KeyError where the spec hasn't it."""
        self._question = spec.question(key)
        self._measuring = spec.measuring
        self._selection = Selection(spec, key)
        self._trials = Trials(spec, key)
        self._nested = is_nested(spec, key)
        self._steps = steps

    def prepare(self, view: View) -> PlanStep | None:
        """Returns what open groups still need before anything can be decided."""
        runs = {group: self._runs(view.record, group) for group in view.groups}
        return self._tune(view, runs) or self._first(view, runs)

    def _runs(self, record: SearchRecord, group: Group) -> int:
        """Returns the tuning runs that a group was promised: one, or one a replicate."""
        if not self._selection.retuned:
            return 1
        begun = [row.replicate for row in record.rows(Phase.TUNING, group[0])]
        return max(self._measuring.min_replicates, 1 + max(begun, default=0))

    def _tune(
        self, view: View, runs: Mapping[Group, int], settled: Collection[Group] = ()
    ) -> PlanStep | None:
        trials = self._trials.next(view.record, view.groups, runs, settled, view.closed)
        if not trials:
            return None
        work = [Work(trial.setting, trial.group, trial.split) for trial in trials]
        decision = words.tune(self._question, trials)
        return self._steps.make(view, StepKind.TUNE, decision, Phase.TUNING, work)

    def _first(self, view: View, runs: Mapping[Group, int]) -> PlanStep | None:
        least = self._measuring.min_replicates
        # A tuning run that was begun is for a replicate that was asked for.
        wanted = {
            level: max(least, n)
            for group, n in runs.items()
            for level in group
            if level not in view.closed
        }
        work = self._work(view.record, wanted)
        if not work:
            return None
        decision = words.measure(self._question, work, self._selection.tuned)
        return self._steps.make(view, StepKind.MEASURE, decision, Phase.MEASURING, work)

    def _work(self, record: SearchRecord, wanted: Mapping[int, int]) -> list[Work]:
        """Returns what brings levels to a number of replicates.

        One fit of a winner on a replicate serves all the levels of a nested axis that it won.
        """
        levels: dict[tuple[int, Setting, int | None], list[int]] = {}
        for level in sorted(wanted):
            have = {row.replicate for row in self._selection.measured(record, level)}
            for replicate in range(wanted[level]):
                winner = self._selection.winner(record, level, replicate)
                if winner is not None and replicate not in have:
                    alone = None if self._nested else level
                    levels.setdefault((replicate, winner, alone), []).append(level)
        work = [Work(winner, tuple(some), i) for (i, winner, _), some in levels.items()]
        # All levels get their first replicate before any gets its second.
        return sorted(work, key=lambda w: w.replicate)

    def left(self, record: SearchRecord, levels: Sequence[float]) -> dict[float, int]:
        """Returns the replicates that levels may still get."""
        most = self._measuring.max_replicates
        return {k: most - self._had(record, int(k)) for k in levels}

    def _had(self, record: SearchRecord, level: int) -> int:
        """Returns the replicates that a level was given, failed ones included."""
        if self._selection.retuned:  # one whose tuning run failed has no row
            return self._runs(record, (level,))
        return len(self._selection.measured(record, level))

    def add(self, view: View, levels: Sequence[int]) -> PlanStep | None:
        """Returns the step that adds replicates to these levels; None if they have them all."""
        assert view.look is not None  # nothing is added before anything is measured
        most = self._measuring.max_replicates
        have = {level: self._had(view.record, level) for level in levels}
        short = [n for n in have.values() if n < most]
        if not short:
            return None
        # The least measured first: pairs need the same replicates on both sides.
        goal = min(min(short) + self._measuring.batch, most)
        wanted = {level: max(goal, n) for level, n in have.items()}
        groups = [group for group in view.groups if set(group) & set(levels)]
        runs = {group: self._runs(view.record, group) for group in view.groups}
        if self._selection.retuned:
            for group in groups:
                runs[group] = max([runs[group], *(wanted[k] for k in group if k in wanted)])
        step = self._tune(view, runs, groups)
        if step is not None:
            return step
        decision = words.add(self._question, view.look, wanted)
        work = self._work(view.record, wanted)
        return self._steps.make(view, StepKind.MEASURE, decision, Phase.MEASURING, work)

    def runner_up(self, view: View, level: int) -> PlanStep | None:
        """Returns the step that measures the second best candidate of a level; None if it was."""
        setting = self._selection.runner_up(view.record, level)
        if setting is None or view.record.rows(Phase.RUNNER_UP, level):
            return None
        replicates = range(self._measuring.min_replicates)
        work = [Work(setting, (level,), replicate) for replicate in replicates]
        decision = words.runner_up(self._question, work, self._selection.tuned)
        return self._steps.make(view, StepKind.MEASURE, decision, Phase.RUNNER_UP, work)
