"""What the planner is given: the broker and the coordinator as it sees them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from services.runner.ahead import SurplusPackets
from services.runner.orders import Course
from tuner.record import Measurement, PacketAttempt, PlanStep
from tuner.trials.work import Report, Task


class Packets(SurplusPackets, Protocol):
    """The broker as the planner sees it."""

    def offer(self, tasks: list[Task]) -> None:
        """Takes packets to hand out."""
        ...

    def retry(self, task: Task) -> None:
        """Puts a lost packet at the front, as its next try."""
        ...

    def collect(self, patience: float) -> list[Report]:
        """Returns the reports since the last call."""
        ...

    def hold(self, held: bool) -> None:
        """Hands out nothing until it is told otherwise; what slots have, they finish."""
        ...

    def in_flight(self) -> list[str]:
        """Returns the ids of the packets that slots have and haven't reported."""
        ...

    def close(self) -> None:
        """Hands out no more packets; slots that ask for more end."""
        ...


class Guidance(Protocol):
    """How the job is to go on, as the planner sees it."""

    reason: str

    @property
    def course(self) -> Course:
        """What becomes of the job."""
        ...

    def settle(self) -> bool:
        """Makes a pause final where it still is one; tells whether it was."""
        ...


class Ledger(Protocol):
    """The coordinator as the planner sees it."""

    def commit(self, step: PlanStep) -> None:
        """Commits a plan step; durable when it returns."""
        ...

    def add(
        self,
        measurements: Sequence[Measurement],
        attempts: Sequence[PacketAttempt],
        surplus: Sequence[Measurement] = (),
    ) -> None:
        """Takes rows to record; surplus is none of the searches' record."""
        ...

    def keep(self, predictions: Mapping[str, bytes]) -> None:
        """Takes what rows that are added next have predicted, by their ids."""
        ...

    def flush(self) -> None:
        """Waits until all rows are durable."""
        ...
