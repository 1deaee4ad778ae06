"""The climb: levels from cheap to dear until the returns say enough.

At every level the other hyperparameters are tuned, then fresh replicates
measure the winner. After every step the sufficiency rule of `tuner.returns`
looks at all that is measured; where it doesn't conclude, replicates are added
where the answer hangs, or the next level is climbed.

On a nested axis one fit scores all levels, so there is nothing to climb: all
levels are tuned and measured together, and only replicates are added.
"""

from __future__ import annotations

from collections.abc import Sequence

from tuner import catalog
from tuner.curve import VerdictOutcome
from tuner.record import (
    Conclusion,
    Packet,
    Phase,
    PlanStep,
    Setting,
    StepKind,
)
from tuner.returns import Assessment, assess
from tuner.search import undecided, words
from tuner.search.record import SearchRecord
from tuner.search.selection import Selection
from tuner.search.spec import SearchSpec

TUNING_REPLICATE = 0
"""The split that every candidate is tuned on."""


class Climb:
    """The policy of one search. Its answer follows from the record alone."""

    name = "climb/2"

    def __init__(self, spec: SearchSpec, key: str) -> None:
        """Makes the policy of a search. Raises KeyError where the spec hasn't it."""
        self._spec = spec
        self._question = spec.question(key)
        self._selection = Selection(spec, key)
        learner = catalog.LEARNERS.get(self._question.learner)
        axis = learner.axis(self._question.axis) if learner else None
        self._nested = axis is not None and axis.nested

    def next_step(self, record: SearchRecord) -> PlanStep | None:
        """Returns the next decision; None where the search has concluded.

        Raises:
            KeyError: A measurement that was claimed isn't final yet.
        """
        if record.concluded:
            return None
        groups = self._groups()
        touched = 0
        while touched < len(groups) and self._begun(record, groups[touched]):
            touched += 1
        if touched:
            step = self._finish_group(record, groups[touched - 1], groups[:touched])
            if step is not None:
                return step
        return self._decide(record, groups, touched)

    def conclude(self, record: SearchRecord, conclusion: Conclusion, decision: str) -> PlanStep:
        """Returns the step that ends the search for a reason from outside, such as a budget.

        Unlike a decision it may come while measurements are outstanding.
        """
        return PlanStep(
            record.search,
            len(record.steps) + 1,
            StepKind.CONCLUDE,
            decision,
            self.name,
            conclusion=conclusion,
        )

    # Levels are worked on in groups: one level at a time, or all where nested.

    def _groups(self) -> list[tuple[int, ...]]:
        levels = self._spec.search(self._question.search).levels
        return [levels] if self._nested else [(level,) for level in levels]

    def _begun(self, record: SearchRecord, group: tuple[int, ...]) -> bool:
        return any(set(group) & set(p.levels) for step in record.steps for p in step.packets)

    def _finish_group(
        self, record: SearchRecord, group: tuple[int, ...], begun: Sequence[tuple[int, ...]]
    ) -> PlanStep | None:
        """Returns what the newest group still needs before anything can be decided."""
        step = self._tune(record, group, begun[:-1])
        if step is not None:
            return step
        if any(record.planned_replicates(level) for level in group):
            return None
        return self._measure_first(record, group)

    # Tuning

    def _tune(
        self, record: SearchRecord, group: tuple[int, ...], below: Sequence[tuple[int, ...]]
    ) -> PlanStep | None:
        """Returns the next generation at a group; None where its budget is used up."""
        settings = self._selection.next_generation(record, group, below)
        if not settings:
            return None
        packets = [
            self._packet(record, i, Phase.TUNING, setting, group, TUNING_REPLICATE)
            for i, setting in enumerate(settings)
        ]
        tried = len(self._selection.tried(record, group))
        decision = words.tune(self._question, group, len(settings), tried)
        return self._step(record, StepKind.TUNE, decision, packets)

    # Measuring

    def _measure_first(self, record: SearchRecord, group: tuple[int, ...]) -> PlanStep | None:
        """Returns the step that gives a tuned group its first replicates; None if all failed."""
        winners = {level: self._selection.winner(record, level) for level in group}
        wanted = {
            level: self._spec.measuring.min_replicates
            for level in group
            if winners[level] is not None
        }
        if not wanted:
            return None
        decision = words.measure(
            self._question, winners, self._selection.tuned, self._spec.measuring.min_replicates
        )
        return self._measure(record, wanted, decision)

    def _measure(
        self,
        record: SearchRecord,
        wanted: dict[int, int],
        decision: str,
        look: Assessment | None = None,
    ) -> PlanStep | None:
        """Returns a step that brings levels to a number of replicates; None if they have it.

        A packet is one winner on one replicate, at all levels that it won.
        """
        have = {level: record.planned_replicates(level) for level in wanted}
        winners = {level: self._selection.winner(record, level) for level in sorted(wanted)}
        todo: dict[tuple[Setting, int], list[int]] = {}
        for replicate in range(max(wanted.values())):
            for level, setting in winners.items():
                if setting is not None and have[level] <= replicate < wanted[level]:
                    todo.setdefault((setting, replicate), []).append(level)
        packets = [
            self._packet(record, i, Phase.MEASURING, setting, tuple(levels), replicate)
            for i, ((setting, replicate), levels) in enumerate(todo.items())
        ]
        return self._step(record, StepKind.MEASURE, decision, packets, look) if packets else None

    # Deciding

    def _decide(
        self, record: SearchRecord, groups: list[tuple[int, ...]], touched: int
    ) -> PlanStep:
        """Looks at all that is measured and goes on, up, or to the end."""
        scores = record.scores(self._question.metric)
        untouched = groups[touched:]
        if not scores:
            if untouched:
                return self._go_up(record, groups, touched, None)
            return self._end(record, Conclusion.FAILED, words.nothing_completed(record), None)
        look = assess(self._question, scores)
        if not self._question.axis:
            return self._end(
                record, Conclusion.ANSWERED, words.baseline(self._question, scores), look
            )
        if look.settled:
            # Smaller levels are cheap: none is passed over for want of replicates.
            step = self._replicate(record, look, undecided.smaller(look))
            return step or self._end(record, Conclusion.ANSWERED, words.verdict(look.verdict), look)
        answered = look.verdict.outcome is not VerdictOutcome.INCONCLUSIVE
        if untouched and not answered and self._impatient(look):
            return self._go_up(record, groups, touched, look)
        step = self._replicate(record, look, undecided.levels(look))
        if step is not None:
            return step
        if untouched and not answered:
            return self._go_up(record, groups, touched, look)
        return self._end(record, Conclusion.ANSWERED, words.verdict(look.verdict), look)

    def _impatient(self, look: Assessment) -> bool:
        """Tells whether too few larger levels are measured for the level that seems enough."""
        sufficient = look.estimated_sufficient
        assert sufficient is not None  # something is measured
        larger = sum(level > sufficient for level in look.levels)
        return larger < self._question.patience

    def _replicate(
        self, record: SearchRecord, look: Assessment, open_levels: Sequence[int]
    ) -> PlanStep | None:
        """Returns the step that adds replicates to these levels; None if they have them all."""
        measuring = self._spec.measuring
        have = {level: record.planned_replicates(level) for level in open_levels}
        short = [n for n in have.values() if n < measuring.max_replicates]
        if not short:
            return None
        # The least measured first: pairs need the same replicates on both sides.
        goal = min(min(short) + measuring.batch, measuring.max_replicates)
        wanted = {level: max(goal, have[level]) for level in open_levels}
        return self._measure(record, wanted, words.add(self._question, look, wanted), look)

    def _go_up(
        self,
        record: SearchRecord,
        groups: list[tuple[int, ...]],
        touched: int,
        look: Assessment | None,
    ) -> PlanStep:
        group, below = groups[touched], groups[:touched]
        step = self._tune(record, group, below) or self._measure_first(record, group)
        assert step is not None  # an untouched group has its whole budget
        return self._step(
            record, step.kind, words.up(self._question, look, step.decision), step.packets, look
        )

    def _end(
        self, record: SearchRecord, conclusion: Conclusion, decision: str, look: Assessment | None
    ) -> PlanStep:
        return self._step(record, StepKind.CONCLUDE, decision, (), look, conclusion)

    # Making steps

    def _packet(
        self,
        record: SearchRecord,
        index: int,
        phase: Phase,
        setting: Setting,
        levels: tuple[int, ...],
        replicate: int,
    ) -> Packet:
        number = len(record.steps) + 1
        packet_id = f"{record.search}:{number}:{index}"
        return Packet(packet_id, phase, (setting,), levels, (replicate,))

    def _step(
        self,
        record: SearchRecord,
        kind: StepKind,
        decision: str,
        packets: Sequence[Packet],
        look: Assessment | None = None,
        conclusion: Conclusion | None = None,
    ) -> PlanStep:
        seen = record.look(look.comparisons if look else ()) if record.steps else None
        return PlanStep(
            search=record.search,
            number=len(record.steps) + 1,
            kind=kind,
            decision=decision,
            policy=self.name,
            packets=tuple(packets),
            look=seen,
            conclusion=conclusion,
        )
