"""What the policy remembers from look to look."""

from __future__ import annotations

from dataclasses import dataclass, field

from services.coordinator.scheduling.history import History
from services.coordinator.scheduling.model import Rules
from services.coordinator.scheduling.reservations import Reservations


@dataclass
class Memory:
    """What of earlier looks counts at the next; a new leader begins without.

    Attributes:
        rules: What an operator has set.
        history: Demand, service and waiting so far.
        reservations: Nodes that are kept, and what that cost.
        wanting: Jobs that had less than they were due or could use after the last look.
        changed: When a job's share last changed, in seconds.
    """

    rules: Rules
    history: History = field(default_factory=History)
    reservations: Reservations = field(init=False)
    wanting: tuple[str, ...] = ()
    changed: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Keeps no node yet."""
        self.reservations = Reservations(self.rules)
