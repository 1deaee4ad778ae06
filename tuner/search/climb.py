"""The climb: levels from cheap to dear until the returns say enough.

At every level the other hyperparameters are tuned, then fresh replicates measure the
winner. After every step the sufficiency rule of `tuner.returns` looks at all that is
measured; where it doesn't conclude, replicates are added where they may decide, the next
level is climbed, a level between two is tried, or the search ends and says what is missing.

The first levels, as many as patience asks for before anything can be said, are tuned and
measured together. On a nested axis one fit scores all levels, so there is nothing to
climb: all levels are tuned and measured together, and only replicates are added.

A level whose models break a limit is left alone from then on, and nothing above it is
opened unless a measured level there keeps the limits. The decision is about the levels
that remain.
"""

from __future__ import annotations

import math
from dataclasses import replace

from tuner.curve import Question, VerdictOutcome
from tuner.record import Conclusion, Phase, PlanStep, StepKind
from tuner.returns import Assessment, assess
from tuner.returns.limits import ceiling, larger_wanted
from tuner.search import words
from tuner.search.measuring import Measuring
from tuner.search.outlook import Outlook
from tuner.search.record import SearchRecord
from tuner.search.route import between, beyond, landmarks, missing
from tuner.search.selection import Group, Selection
from tuner.search.spec import SearchSpec, is_nested
from tuner.search.steps import Steps, View

FEWEST_LEVELS = 3
"""Levels without which nothing is called futile: one pair may be a tie before a rise."""


class Climb:
    """The policy of one search. Its answer follows from the record alone."""

    name = "climb/3"

    def __init__(self, spec: SearchSpec, key: str) -> None:
        """Makes the policy of a search. Raises KeyError where the spec hasn't it."""
        self._question = spec.question(key)
        self._selection = Selection(spec, key)
        self._steps = Steps(spec, key, self.name)
        self._measuring = Measuring(spec, key, self._steps)
        self._nested = is_nested(spec, key)
        # Levels are worked on in groups: one level at a time, or all where nested.
        levels = spec.search(key).levels
        self._landmarks: list[Group] = (
            [levels] if self._nested else [(level,) for level in landmarks(self._question)]
        )

    def next_step(self, record: SearchRecord) -> PlanStep | None:
        """Returns the next decision; None where the search has concluded.

        Raises:
            KeyError: A measurement that was claimed isn't final yet.
        """
        if record.concluded:
            return None
        view = View(record, self._open(record), barred=self._steps.barred(record))
        step = self._measuring.prepare(view) or self._decide(view)
        if view.barred:
            more = words.barred(self._asked(view), record, step, self._top(view))
            step = replace(step, decision=f"{step.decision}{more}")
        return self._steps.affordable(record, step)

    def conclude(self, record: SearchRecord, conclusion: Conclusion, decision: str) -> PlanStep:
        """Returns the step that ends the search for a reason from outside, such as a budget.

        Unlike a decision it may come while measurements are outstanding.
        """
        return self._steps.stop(record, conclusion, decision)

    def _asked(self, view: View) -> Question:
        """Returns the question with what decisions take from the record: costs and bars."""
        costs = self._steps.costs(view.record)
        return self._question.with_costs(costs).with_barred(view.barred)

    def _top(self, view: View) -> float:
        """Returns the level from which on the limits let nothing be opened; inf without one."""
        if not view.barred:
            return math.inf
        return ceiling(self._asked(view), self._selection.scores(view.record).keys())

    def _open(self, record: SearchRecord) -> list[Group]:
        """Returns the groups that were begun, rising; at first those that patience asks for."""
        if self._nested:
            return self._landmarks
        begun = {*record.levels(Phase.TUNING), *record.levels(Phase.MEASURING)}
        if not begun:
            return self._landmarks[: self._question.patience + 1]
        return [(level,) for level in sorted(begun)]

    def _decide(self, view: View) -> PlanStep:
        """Looks at all that is measured and goes on, up, between or to the end."""
        record = view.record
        scores = self._selection.scores(record)
        if not scores:
            return self._go_up(view) or self._end(
                view, words.nothing_completed(self._question, record), Conclusion.FAILED
            )
        question = self._asked(view)
        look = assess(question, scores)
        view = replace(view, look=look)
        if not question.axis:
            return self._end(view, words.baseline(question, scores))
        if not look.levels:
            return self._end(view, words.verdict(look.verdict))
        left = self._measuring.left(record, look.levels)
        outlook = Outlook(question, scores, look, left)
        step = self._go_on(view, look, outlook)
        if step is None and (answer := self._answer(look)) is not None:
            below = between(question, view.opened, answer, self._top(view))
            step = self._go_back(view, below, words.between)
            step = step or self._measuring.runner_up(view, answer)
        if step is not None:
            return step
        # A candidate that is left wants for larger levels, not for replicates.
        futile = outlook.candidate() is None and max(left.values()) > 0
        return self._end(view, words.verdict(look.verdict, futile))

    def _go_on(self, view: View, look: Assessment, outlook: Outlook) -> PlanStep | None:
        """Returns the step that may bring or better an answer; None where nothing may."""
        if look.verdict.outcome is VerdictOutcome.RISING:
            return None
        question, candidate = self._asked(view), outlook.candidate()
        if candidate is None and len(look.levels) < FEWEST_LEVELS:
            return self._go_up(view) or self._go_near(view, question, look.levels[0])
        if candidate is None or candidate == look.verdict.level:
            return None
        if len(outlook.above(candidate)) >= larger_wanted(question, look.levels, candidate):
            return self._measuring.add(view, outlook.undecided(candidate))
        larger = beyond(question, view.opened, int(candidate), self._top(view))
        step = self._go_up(view) or self._go_back(view, larger, words.beyond)
        if step is None and outlook.may_rise():
            # Too few larger levels are declared: only that all fall short can be shown.
            step = self._measuring.add(view, outlook.rivals())
            if step is None and set(look.levels) == set(view.opened) - view.closed:
                passed = missing(question, view.opened, self._top(view))
                step = self._go_back(view, passed, words.missing)
        return step

    def _answer(self, look: Assessment) -> int | None:
        """Returns the level that the verdict recommends; None where it recommends none."""
        if look.verdict.outcome is VerdictOutcome.RISING:
            return int(look.levels[-1])
        return None if look.verdict.level is None else int(look.verdict.level)

    def _go_up(self, view: View) -> PlanStep | None:
        """Returns the step that opens the next landmark; None where there is none to open.

        The top is open, or would break a limit by what is known of the levels below it.
        """
        highest = max(view.groups)
        group = next((g for g in self._landmarks if g > highest), None)
        if group is None or min(group) > self._top(view):
            return None
        return self._open_level(view, group, words.up)

    def _go_back(self, view: View, level: int | None, say: words.Opening) -> PlanStep | None:
        """Returns the step that opens a level that was passed over; None where none waits."""
        return None if level is None else self._open_level(view, (level,), say)

    def _go_near(self, view: View, question: Question, level: float) -> PlanStep | None:
        """Returns the step that opens a level that was passed over below a limit; None without."""
        if not view.barred:
            return None
        near = beyond(question, view.opened, int(level), self._top(view))
        return self._go_back(view, near, words.beyond)

    def _open_level(self, view: View, group: Group, say: words.Opening) -> PlanStep:
        larger = replace(view, groups=sorted([*view.groups, group]))
        step = self._measuring.prepare(larger)
        assert step is not None  # a group that wasn't begun has its whole budget
        return replace(step, decision=say(self._question, view.look, group, step.decision))

    def _end(
        self, view: View, decision: str, conclusion: Conclusion = Conclusion.ANSWERED
    ) -> PlanStep:
        return self._steps.make(view, StepKind.CONCLUDE, decision, conclusion=conclusion)
