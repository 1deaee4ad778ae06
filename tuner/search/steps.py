"""Plan steps: a decision with its packets, what it was taken on, and whether it can be afforded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from tuner.record import Conclusion, Phase, PlanStep, StepKind
from tuner.returns import Assessment, has_score
from tuner.returns.limits import barred_of, limited
from tuner.search import words
from tuner.search.packing import Work, pack
from tuner.search.record import SearchRecord
from tuner.search.selection import Group, Selection
from tuner.search.spec import SearchSpec, is_nested


@dataclass(frozen=True)
class View:
    """What a decision is taken on.

    Attributes:
        record: The plan and the measurements.
        groups: The groups that are open, rising.
        look: What the bounds say; None where nothing is measured.
        barred: Levels that break a limit, rising, with how.
    """

    record: SearchRecord
    groups: Sequence[Group]
    look: Assessment | None = None
    barred: tuple[tuple[int, str], ...] = ()

    @property
    def closed(self) -> frozenset[int]:
        """The levels that are done with, for they break a limit."""
        return frozenset(level for level, _ in self.barred)

    @property
    def opened(self) -> list[int]:
        """The levels that are open, rising."""
        return [level for group in self.groups for level in group]


class Steps:
    """Makes the steps of one search."""

    def __init__(self, spec: SearchSpec, key: str, policy: str) -> None:
        """Makes the maker. Raises KeyError where the spec hasn't the search."""
        self._policy = policy
        self._question = spec.question(key)
        self._selection = Selection(spec, key)
        self._sample = spec.measuring.min_replicates
        self._fuse = spec.resources.fuse
        self._trials = spec.budget.trials
        learner = spec.search(key).known
        self._fused = learner.fused if learner else ()
        self._nested = is_nested(spec, key)

    def make(
        self,
        view: View,
        kind: StepKind,
        decision: str,
        phase: Phase = Phase.MEASURING,
        work: Iterable[Work] = (),
        conclusion: Conclusion | None = None,
    ) -> PlanStep:
        """Returns the next step, with all that it was decided on."""
        record, look = view.record, view.look
        number = len(record.steps) + 1
        return PlanStep(
            search=record.search,
            number=number,
            kind=kind,
            decision=decision,
            policy=self._policy,
            packets=tuple(pack(record.search, number, phase, work, self._fuse, self._fused)),
            look=record.look(look.comparisons if look else ()) if record.steps else None,
            conclusion=conclusion,
            costs=self.costs(record),
            barred=view.barred,
        )

    def stop(self, record: SearchRecord, conclusion: Conclusion, decision: str) -> PlanStep:
        """Returns the step that ends a search from outside, measurements outstanding or not.

        What levels cost, and which of them break a limit, is fixed by what is final; while
        anything is outstanding, it stays what the last decision was taken on.
        """
        try:
            costs, barred = self.costs(record), self.barred(record)
        except KeyError:
            costs, barred = record.steps[-1].costs, record.steps[-1].barred
        return PlanStep(
            record.search,
            len(record.steps) + 1,
            StepKind.CONCLUDE,
            decision,
            self._policy,
            conclusion=conclusion,
            costs=costs,
            barred=barred,
        )

    def affordable(self, record: SearchRecord, step: PlanStep) -> PlanStep:
        """Returns the step, or the end of the search where it takes too many candidates.

        The budget of trials counts candidates by what decisions claim, so unlike a bill or
        a clock it ends every run of a job at the same step.
        """
        if self._trials is None or not step.packets:
            return step
        before = self._candidates(record.steps)
        after = before | self._candidates([step])
        if len(after) <= self._trials:
            return step
        decision = words.spent(self._trials, len(after - before), step.decision)
        look = record.look(step.look.comparisons if step.look else ()) if record.steps else None
        return replace(
            step,
            kind=StepKind.CONCLUDE,
            decision=decision,
            packets=(),
            look=look,
            conclusion=Conclusion.BUDGET,
        )

    def costs(self, record: SearchRecord) -> tuple[tuple[int, float], ...]:
        """Returns what levels cost alone, in device-seconds, where a price asks for it.

        The mean of a level's first replicates, or the first that completed where all of
        those failed: what comes later changes nothing, so an estimate stays what it was
        when it was first used.
        """
        if not self._question.price:
            return ()
        found = []
        for level in record.levels(Phase.MEASURING):
            rows = self._selection.measured(record, level)
            done = [row for row in rows if has_score(row, self._question.metric)]
            first = [row for row in done if row.replicate < self._sample] or done[:1]
            if first:
                found.append((level, fmean(row.standalone_device_seconds for row in first)))
        return tuple(found)

    def barred(self, record: SearchRecord) -> tuple[tuple[int, str], ...]:
        """Returns the levels that break a limit by all that is measured, rising, with how.

        As a curve of the same rows has them, so that the search and its curve judge the
        same levels. A level that is out is measured no further, so it stays out.

        Raises:
            KeyError: A measurement that was claimed isn't final yet.
        """
        if not limited(self._question):
            return ()
        levels = record.levels(Phase.MEASURING)
        rows = {level: self._selection.measured(record, level) for level in levels}
        return barred_of(self._question, rows)

    def _candidates(self, steps: Iterable[PlanStep]) -> set[object]:
        """Returns what steps try: a setting with its level, or with all that one fit scores."""
        return {
            setting if self._nested else (setting, level)
            for step in steps
            for packet in step.packets
            for setting in packet.settings
            for level in packet.levels
        }
