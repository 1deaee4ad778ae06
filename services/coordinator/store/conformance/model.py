"""What a store is expected to hold, in a few lines of memory."""

from __future__ import annotations

from dataclasses import dataclass, field

from services.coordinator.store.conformance.samples import BASELINE, DEPTH, TREES
from services.coordinator.store.leadership import LeaseRow
from tuner.access import Token
from tuner.curve import SearchState
from tuner.jobs import JobState, JobStateChanged, RunnerEnded, SearchStateChanged, What
from tuner.record import Measurement, PacketAttempt, PlanStep


@dataclass(eq=False)
class ModelLease:
    """A lease: who holds it, and what each of those who want it believes.

    Attributes:
        holder: Who holds it; empty where nobody does.
        epoch: How often it was taken.
        beat: How often it changed.
        seen: The lease as each saw it last, and the beat at which that was.
        epochs: The epoch that each took it with last; 0 for never.
    """

    holder: str = ""
    epoch: int = 0
    beat: int = 0
    seen: dict[str, tuple[LeaseRow | None, int]] = field(default_factory=dict)
    epochs: dict[str, int] = field(default_factory=dict)

    def holds(self, who: str) -> bool:
        """Whether it is this one's, by the epoch that it took."""
        return bool(self.holder) and (who, self.epochs.get(who, 0)) == (self.holder, self.epoch)


@dataclass(eq=False)
class ModelAttempt:
    """An attempt: what it enrols with, and how it ended."""

    epoch: int
    code: str
    enrolled: bool = False
    outcome: str = ""


@dataclass
class Model:
    """One job, and the lease and tokens beside it.

    What is read of a store is compared with what follows from these.
    """

    state: JobState = JobState.PENDING
    searches: dict[str, SearchState] = field(
        default_factory=lambda: dict.fromkeys((TREES, DEPTH, BASELINE), SearchState.PENDING)
    )
    events: list[What] = field(default_factory=lambda: [JobStateChanged(JobState.PENDING, "")])
    attempts: list[ModelAttempt] = field(default_factory=list)
    steps: dict[str, list[PlanStep]] = field(default_factory=lambda: {TREES: [], DEPTH: []})
    finals: dict[str, Measurement] = field(default_factory=dict)
    conflicts: set[tuple[object, ...]] = field(default_factory=set)
    tries: dict[tuple[object, ...], PacketAttempt] = field(default_factory=dict)
    share: int | None = None
    lease: ModelLease = field(default_factory=ModelLease)
    tokens: dict[str, Token] = field(default_factory=dict)

    @property
    def live(self) -> ModelAttempt | None:
        """The attempt that hasn't ended."""
        return next((a for a in self.attempts if not a.outcome), None)

    def end_live(self, outcome: str) -> None:
        """Ends the live attempt, if there is one."""
        live = self.live
        if live:
            live.outcome = outcome
            self.events.append(RunnerEnded(self.attempts.index(live) + 1, outcome))

    def move(self, search: str, state: SearchState, reason: str) -> None:
        """Moves a search, with its event."""
        self.searches[search] = state
        self.events.append(SearchStateChanged(search, state, reason))
