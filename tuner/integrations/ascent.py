"""The climb by ask and tell: for loops that aren't ours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tuner.catalog import Hyperparameter
from tuner.curve import Curve, Question, SearchState
from tuner.record import Conclusion, Measurement, Member, Outcome, Phase, Setting
from tuner.returns import assess, curve, winners_scores
from tuner.search import Climb, SearchRecord
from tuner.spec import Budget, Fixed, Measuring, Resources, Tuning

JOB = "integrations"
"""The job of a record that no coordinator keeps."""


@dataclass(frozen=True)
class Plan:
    """What a policy reads of a spec (`tuner.search.spec.SearchSpec`), of a single search.

    Attributes:
        asked: What the search asks.
        hyperparameters: What may be tuned.
        tuning: How it is tuned at every level.
        measuring: How often the winner of a level is measured.
        seed: Everything random follows from it.
    """

    asked: Question
    hyperparameters: Mapping[str, Hyperparameter]
    tuning: Tuning
    measuring: Measuring
    seed: int

    @property
    def levels(self) -> tuple[int, ...]:
        """The ladder, rising."""
        return tuple(int(level) for level in self.asked.levels)

    @property
    def known(self) -> None:
        """Nothing: the learner is whoever asks."""

    @property
    def resources(self) -> Resources:
        """One fit at a time: whoever asks trains it."""
        return Resources()

    @property
    def budget(self) -> Budget:
        """No end but the verdict: whoever asks may stop asking."""
        return Budget()

    def ranges(self, level: float | None = None) -> dict[str, Fixed | Hyperparameter]:
        """Returns what every hyperparameter may be, at any level."""
        return {**self.hyperparameters}

    def carried(self, setting: Setting, from_level: float, to_level: float) -> Setting:
        """Returns the setting as it is: how the best one moves isn't known."""
        return setting

    def question(self, key: str) -> Question:
        """Returns what the search asks. Raises KeyError for another."""
        if key != self.asked.search:
            raise KeyError(key)
        return self.asked

    def search(self, key: str) -> Plan:
        """Returns the search. Raises KeyError for another."""
        self.question(key)
        return self


@dataclass(frozen=True)
class Task:
    """One fit that is asked for.

    Attributes:
        phase: Whether it helps to choose a setting or measures the chosen one.
        member: The setting, the level and the replicate.
        packet: The packet that claims it: of two settings that score the same, the one
            that was asked for first wins.
    """

    phase: Phase
    member: Member
    packet: str = ""


class Ascent:
    """A climb that hands out fits one by one and takes their results in any order.

    What it asks for follows from the results alone: it waits until all of a plan
    step is in before it decides on the next one.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.record = SearchRecord(JOB, plan.asked.search)
        self._policy = Climb(plan, plan.asked.search)
        self._out: dict[str, tuple[str, Task]] = {}
        self._adrift: set[str] = set()

    @property
    def concluded(self) -> bool:
        """Whether it has ended."""
        return self.record.concluded

    @property
    def decision(self) -> str:
        """What was decided last, in a sentence; empty before the first decision."""
        return self.record.steps[-1].decision if self.record.steps else ""

    def ask(self, token: str) -> Task | None:
        """Returns the next fit; None where it has to wait for results, or has ended.

        Args:
            token: What the fit is called when its result is told; the same token gets
                the same fit again.
        """
        if token in self._out:
            return self._out[token][1]
        if not self.concluded and not self.record.unfinished():
            step = self._policy.next_step(self.record)
            if step is not None:
                self.record.steps.append(step)
        return self._hand_out(token)

    def _hand_out(self, token: str) -> Task | None:
        running = {i for i, _ in self._out.values()}
        owed = [
            (i, Task(packet.phase, member, packet.id))
            for packet in self.record.unfinished()
            for i, member in zip(self.record.ids(packet), packet.members(), strict=True)
            if i not in self.record.measurements
        ]
        for i, task in owed:
            if i not in running:
                self._out[token] = (i, task)
                return task
        for i, task in owed:
            # It ran when the state was saved, and nobody knows whether it runs again.
            if i in self._adrift:
                self._adrift.discard(i)
                self._out[token] = (i, task)
                return task
        return None

    def tell(
        self,
        token: str,
        outcome: Outcome,
        score: float | None = None,
        seconds: float = 0.0,
        error: str = "",
    ) -> bool:
        """Takes the result of a fit: the first one counts.

        Args:
            token: What the fit was asked with.
            outcome: How it ended.
            score: In the metric's units; None where it did not complete.
            seconds: How long it took.
            error: Why it did not complete.

        Returns:
            Whether it counts; not where the fit is unknown or has a result.
        """
        i, task = self._out.pop(token, ("", None))
        if task is None or i in self.record.measurements:
            return False
        self._adrift.discard(i)
        self.record.measurements[i] = Measurement(
            id=i,
            search=self.record.search,
            phase=task.phase,
            level=task.member.level,
            setting=task.member.setting,
            replicate=task.member.replicate,
            outcome=outcome,
            scores={} if score is None else {self.plan.asked.metric: score},
            standalone_device_seconds=seconds,
            billed_device_seconds=seconds,
            error=error,
            packet=task.packet,
        )
        return True

    def curve(self) -> Curve:
        """Returns the curve of what is measured so far, and its verdict."""
        state = SearchState.PENDING
        if self.record.steps:
            failed = self.record.steps[-1].conclusion is Conclusion.FAILED
            ended = SearchState.FAILED if failed else SearchState.CONCLUDED
            state = ended if self.concluded else SearchState.RUNNING
        reason = self.decision if self.concluded else ""
        rows = self.record.measurements.values()
        return curve(self.plan.asked, rows, state=state, state_reason=reason)

    def best(self) -> tuple[int, Setting] | None:
        """Returns the level that suffices, or seems to so far, and the setting measured there.

        None where nothing is measured. Where every level but the top is shown not to
        suffice, that is the top.
        """
        found = self.curve()
        scores = winners_scores(self.plan.asked, self.record.measurements.values())
        level = assess(self.plan.asked, scores).estimated_sufficient
        if found.verdict is not None and found.verdict.level is not None:
            level = found.verdict.level
        return None if level is None else (int(level), found.at(level).setting)

    # What is kept for a restart

    def state(self) -> dict[str, Any]:
        """Returns all that the rest follows from, as plain data."""
        return {"plan": self.plan, "record": self.record, "out": dict(self._out)}

    @classmethod
    def restored(cls, state: Mapping[str, Any]) -> Ascent:
        """Returns the climb that a state was taken of.

        Fits that ran then are still taken when they are told. They are also handed
        out anew, but only while there is nothing else to do: a loop that lost them
        gets them again, and one that kept them loses idle time.
        """
        found = cls(state["plan"])
        record: SearchRecord = state["record"]
        found.record = SearchRecord(
            record.job, record.search, list(record.steps), dict(record.measurements)
        )
        found._out = dict(state["out"])
        found._adrift = {i for i, _ in found._out.values()}
        return found
