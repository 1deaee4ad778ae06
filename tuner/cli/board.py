"""What is known of a running job, folded from its events and curves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from tuner.curve import Curve, SearchState
from tuner.jobs import (
    Event,
    JobExtended,
    JobState,
    JobStateChanged,
    JobStatus,
    RunnerEnded,
    RunnerStarted,
    SearchStateChanged,
)
from tuner.record import Measurement, Outcome, PacketAttempt, PacketOutcome, Phase, PlanStep

_PHASES = {
    Phase.TUNING: "tuning",
    Phase.MEASURING: "measuring",
    Phase.RUNNER_UP: "runner-up",
}

_EXPECTED = ("COMPLETED", "PAUSED", "INVALID", "SUCCEEDED", "FAILED", "CANCELLED")
"""Ends of an attempt of which the job's own state tells as much."""


@dataclass
class SearchLine:
    """One search as it stands.

    Attributes:
        levels: How many levels its ladder has.
        level: The level of the last decision; 0 before the first.
        phase: "tuning", "measuring" or "runner-up"; empty before the first decision.
        measurements: How many have come in.
        promised: How many the decisions so far promise.
        billed: Device-seconds spent on it so far.
        curve: Its curve when last asked for.
    """

    key: str
    axis: str
    levels: int
    state: SearchState = SearchState.PENDING
    level: int = 0
    phase: str = ""
    measurements: int = 0
    promised: int = 0
    billed: float = 0.0
    curve: Curve | None = None


@dataclass
class Board:
    """A job as it stands. `fold` keeps it up to date and says what is worth a line."""

    job: str
    state: JobState
    reason: str = ""
    searches: dict[str, SearchLine] = field(default_factory=dict)
    dirty: bool = False
    sequence: int = 0

    @classmethod
    def of(cls, status: JobStatus) -> Board:
        """Returns the board of a job of which nothing else is known yet."""
        lines = {
            s.key: SearchLine(s.key, s.axis, len(s.levels)) for s in status.spec.all_searches()
        }
        return cls(status.id, status.state, status.reason, lines)

    def fold(self, event: Event) -> Iterator[str]:
        """Takes an event in; yields what to tell somebody who reads lines."""
        self.sequence = event.sequence
        what = event.what
        if isinstance(what, JobStateChanged):
            self.state, self.reason = what.state, what.reason
            yield f"job {self.job}: {what.state.value.lower()}{_why(what.reason)}"
        elif isinstance(what, SearchStateChanged):
            self._line(what.search).state = what.state
            self.dirty = True
            # Its last decision has told why it concluded.
            reason = "" if what.state is SearchState.CONCLUDED else what.reason
            yield f"{what.search}: {what.state.value.lower()}{_why(reason)}"
        elif isinstance(what, RunnerStarted):
            again = "" if what.attempt == 1 else f", attempt {what.attempt}"
            yield f"the runner has started (Ray job {what.submission_id}{again})"
        elif isinstance(what, RunnerEnded) and what.outcome not in _EXPECTED:
            yield f"attempt {what.attempt} ended: {_spoken(what.outcome)}{_why(what.reason)}"
        elif isinstance(what, JobExtended):
            self._grow(what)
            yield f"extended by {what.by or 'somebody'}: {'; '.join(what.changes)}"
        elif isinstance(what, PlanStep):
            self._decided(what)
            yield f"{what.search}: {what.decision}"
        elif isinstance(what, Measurement):
            yield from self._measured(what)
        elif isinstance(what, PacketAttempt) and what.outcome is not PacketOutcome.COMPLETED:
            yield f"packet {what.packet}, try {what.number}: {what.outcome.value.lower()}" + _why(
                what.error
            )

    def take_curves(self, curves: Mapping[str, Curve]) -> None:
        """Takes the curves in."""
        self.dirty = False
        for key, curve in curves.items():
            self._line(key).curve = curve

    def _grow(self, what: JobExtended) -> None:
        """Takes in the levels that were declared in addition."""
        for search in what.spec.all_searches():
            self._line(search.key).levels = len(search.levels)
        self.dirty = True

    def _line(self, key: str) -> SearchLine:
        return self.searches.setdefault(key, SearchLine(key, "", 0))

    def _decided(self, step: PlanStep) -> None:
        line = self._line(step.search)
        for packet in step.packets:
            line.level = max(packet.levels)
            line.phase = _PHASES[packet.phase]
            line.promised += sum(1 for _ in packet.members())

    def _measured(self, measurement: Measurement) -> Iterator[str]:
        line = self._line(measurement.search)
        line.measurements += 1
        line.billed += measurement.billed_device_seconds
        self.dirty = True
        if measurement.outcome is not Outcome.COMPLETED:
            outcome = _spoken(measurement.outcome.value)
            yield (
                f"{measurement.search}: level {measurement.level}, replicate "
                f"{measurement.replicate} {outcome}{_why(measurement.error)}"
            )


def _spoken(word: str) -> str:
    return word.lower().replace("_", " ")


def _why(reason: str) -> str:
    return f" ({reason})" if reason else ""
