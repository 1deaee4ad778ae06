"""Policies that plan without stopping rules: what a climb is measured against.

All of them tune with the same tuner, trials and replicates as the climb does, unless they
say otherwise.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
import optuna

from tuner.curve import Question
from tuner.record import (
    Conclusion,
    Packet,
    Phase,
    PlanStep,
    Setting,
    StepKind,
    make_setting,
    seed_of,
)
from tuner.returns import assess, winners_scores
from tuner.returns.designs import FIXED, SEQUENTIAL, Design
from tuner.search.record import SearchRecord
from tuner.search.selection import Selection
from tuner.search.simulation import studies
from tuner.search.simulation.judge import answer_of, worth
from tuner.search.simulation.run import Answer
from tuner.search.simulation.world import METRIC, WorldSpec
from tuner.search.trials import Trials

GRID_VALUES = 5
"""Values that a dense grid tries of every hyperparameter, spread evenly."""


class _Plan:
    """What these policies share: their steps, and a verdict at the end."""

    name = ""
    asks_margin = False
    design: Design = SEQUENTIAL

    def __init__(self, spec: WorldSpec, key: str) -> None:
        """Makes the policy of a search. Raises KeyError where the spec hasn't it."""
        self._spec = spec
        self._selection = Selection(spec, key)
        self._trials = Trials(spec, key)
        self._levels = spec.search(key).levels
        self._replicates = spec.measuring.max_replicates

    def answer(self, record: SearchRecord, question: Question) -> Answer:
        """Returns the verdict on all that was measured."""
        scores = winners_scores(question, record.claimed())
        found = assess(question, scores, self.design).verdict
        return Answer(answer_of(found, question), found.outcome)

    def _tune(self, record: SearchRecord, levels: Sequence[int]) -> PlanStep | None:
        """Returns the next trials of open levels; None where their budgets are used up."""
        trials = self._trials.next(record, [(level,) for level in levels])
        if not trials:
            return None
        return self._tuning(record, [(t.group[0], t.setting, t.split) for t in trials])

    def _try(self, record: SearchRecord, settings: Mapping[int, Sequence[Setting]]) -> PlanStep:
        return self._tuning(
            record, [(level, setting, 0) for level, some in settings.items() for setting in some]
        )

    def _tuning(
        self, record: SearchRecord, members: Sequence[tuple[int, Setting, int]]
    ) -> PlanStep:
        packets = [
            self._packet(record, i, Phase.TUNING, setting, level, split)
            for i, (level, setting, split) in enumerate(members)
        ]
        return self._step(record, StepKind.TUNE, f"try {len(packets)} candidates", packets)

    def _measure(self, record: SearchRecord, levels: Sequence[int]) -> PlanStep:
        """Returns the step that measures levels' winners on all replicates."""
        winners = {level: self._selection.winner(record, level) for level in levels}
        members = [
            (level, winner, replicate)
            for (level, winner), replicate in itertools.product(
                winners.items(), range(self._replicates)
            )
            if winner is not None
        ]
        packets = [
            self._packet(record, i, Phase.MEASURING, winner, level, replicate)
            for i, (level, winner, replicate) in enumerate(members)
        ]
        decision = f"measure {len(winners)} winners on {self._replicates} replicates"
        return self._step(record, StepKind.MEASURE, decision, packets)

    def _measured(self, record: SearchRecord) -> bool:
        return any(step.kind is StepKind.MEASURE for step in record.steps)

    def _conclude(self, record: SearchRecord) -> PlanStep:
        return self._step(record, StepKind.CONCLUDE, "all is measured")

    def _packet(
        self,
        record: SearchRecord,
        index: int,
        phase: Phase,
        setting: Setting,
        level: int,
        replicate: int,
    ) -> Packet:
        name = f"{record.search}:{len(record.steps) + 1}:{index}"
        return Packet(name, phase, (setting,), (level,), (replicate,))

    def _step(
        self, record: SearchRecord, kind: StepKind, decision: str, packets: Sequence[Packet] = ()
    ) -> PlanStep:
        conclusion = Conclusion.ANSWERED if kind is StepKind.CONCLUDE else None
        return PlanStep(
            record.search,
            len(record.steps) + 1,
            kind,
            decision,
            self.name,
            tuple(packets),
            conclusion=conclusion,
        )


class Sweep(_Plan):
    """The exhaustive sweep: every level tuned, every winner measured on all replicates."""

    name = "sweep/2"

    def next_step(self, record: SearchRecord) -> PlanStep | None:
        """Returns the next level's tuning, then the measuring of all, then the end."""
        if record.concluded:
            return None
        if self._measured(record):
            return self._conclude(record)
        return self._tune(record, self._levels) or self._measure(record, self._levels)


class FixedSweep(Sweep):
    """The same, read with the narrower bounds of a number of replicates fixed beforehand."""

    name = "sweep-fixed/2"
    design = FIXED


class Bisection(_Plan):
    """Bisection over levels, as if U rose to one peak: it always answers.

    The middle level and the one above it are tuned and measured; where the estimates
    say that the step up is worth its margin, the search goes on above, else below.
    """

    name = "bisection/2"
    asks_margin = True

    def __init__(self, spec: WorldSpec, key: str) -> None:
        """Makes the policy of a search. Raises KeyError where the spec hasn't it."""
        super().__init__(spec, key)
        self._question = spec.question(key)

    def next_step(self, record: SearchRecord) -> PlanStep | None:
        """Returns what the middle of what is left needs."""
        if record.concluded:
            return None
        low, high = self._narrow(record, self._question)
        if low == high:
            return self._conclude(record)
        middle = (low + high) // 2
        levels = self._levels[middle : middle + 2]
        opened = sorted({*record.levels(Phase.TUNING), *levels})
        step = self._tune(record, opened)
        if step is not None:
            return step
        return self._measure(record, [k for k in opened if not self._selection.measured(record, k)])

    def answer(self, record: SearchRecord, question: Question) -> Answer:
        """Returns the level that it narrowed down to."""
        return Answer(self._levels[self._narrow(record, question)[0]])

    def _narrow(self, record: SearchRecord, question: Question) -> tuple[int, int]:
        """Returns the first and last place on the ladder that may still be the answer."""
        scores = self._selection.scores(record)
        means = {int(k): float(np.mean(list(row.values()))) for k, row in scores.items()}
        true = worth(question, means)
        low, high = 0, len(self._levels) - 1
        while low < high:
            middle = (low + high) // 2
            here, above = self._levels[middle : middle + 2]
            if here not in true or above not in true:
                break
            low, high = (middle + 1, high) if true[above] >= true[here] else (low, middle)
        return low, high


class Grid(_Plan):
    """A dense grid in place of a tuner: every level, every combination of spread values."""

    name = "grid/1"

    def next_step(self, record: SearchRecord) -> PlanStep | None:
        """Returns the whole grid, then the measuring of all winners, then the end."""
        if record.concluded:
            return None
        if self._measured(record):
            return self._conclude(record)
        if record.steps:
            return self._measure(record, self._levels)
        settings = self._grid()
        return self._try(record, dict.fromkeys(self._levels, settings))

    def _grid(self) -> list[Setting]:
        grid = self._spec.world.grid
        places = [
            np.unique(np.linspace(0, len(values) - 1, GRID_VALUES).round().astype(int)).tolist()
            for values in grid.values()
        ]
        return [tuple(zip(grid, some, strict=True)) for some in itertools.product(*places)]


class OptunaLevels(_Plan):
    """Optuna's TPE as it comes on each level, fixed replicates, and `tuner analyze`.

    As somebody would do it today: no warm starts, one trial after another.
    """

    name = "optuna-levels/1"
    design = FIXED

    def __init__(self, spec: WorldSpec, key: str) -> None:
        """Makes the policy of a search. Raises KeyError where the spec hasn't it."""
        super().__init__(spec, key)
        self._space = studies.places({name: len(v) for name, v in spec.world.grid.items()})
        self._studies = {
            level: studies.new_study(studies.tpe, seed_of(spec.seed, "optuna", level))
            for level in self._levels
        }
        self._open: dict[int, optuna.trial.Trial] = {}

    def next_step(self, record: SearchRecord) -> PlanStep | None:
        """Returns a trial of every level, until all are done, then the measuring."""
        if record.concluded:
            return None
        if self._measured(record):
            return self._conclude(record)
        self._tell(record)
        if len(record.steps) == self._spec.tuning.trials:
            return self._measure(record, self._levels)
        self._open = {level: study.ask(self._space) for level, study in self._studies.items()}
        asked = {level: [make_setting(trial.params)] for level, trial in self._open.items()}
        return self._try(record, asked)

    def _tell(self, record: SearchRecord) -> None:
        for level, trial in self._open.items():
            asked = make_setting(trial.params)
            rows = record.rows(Phase.TUNING, level)
            row = next(row for row in reversed(rows) if row.setting == asked)
            self._studies[level].tell(trial, row.scores[METRIC])
        self._open = {}
