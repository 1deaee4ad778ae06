"""What a trainable is told: the config of a trial."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tuner.integrations.ascent import Task
from tuner.integrations.ray.space import Space
from tuner.record import Phase


@dataclass(frozen=True)
class Keys:
    """The keys of a config that a search sets; "net/width" is the width in config["net"].

    Attributes:
        capacity: Is given the level.
        replicate: Is given the replicate.
        phase: Is told "tuning" or "measuring"; None where nobody asks.
        max_replicates: The most that a level is measured on.
    """

    capacity: str
    replicate: str
    phase: str | None
    max_replicates: int

    def __post_init__(self) -> None:
        if len(set(self.names)) < len(self.names):
            raise ValueError(f"two of {', '.join(map(repr, self.names))} are the same; rename one")

    @property
    def names(self) -> list[str]:
        """All of them."""
        return [key for key in (self.capacity, self.replicate, self.phase) if key is not None]

    def values(self, task: Task, space: Space) -> dict[str, Any]:
        """Returns what a trial is given, by key."""
        member = task.member
        # Fits that choose a setting never share their replicate with those that measure it.
        tuning = task.phase is Phase.TUNING
        values = {
            **space.decode(member.setting),
            self.capacity: member.level,
            self.replicate: member.replicate + (self.max_replicates if tuning else 0),
        }
        if self.phase is not None:
            # A runner-up is measured like the winner, on the same replicates.
            values[self.phase] = "tuning" if tuning else "measuring"
        return values


def placed(config: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a copy of a config with values at their places: "net/rate" in config["net"]."""
    found = dict(config)
    for name, value in values.items():
        first, _, rest = name.partition("/")
        if rest:
            inner = found.get(first, {})
            found[first] = placed(inner if isinstance(inner, Mapping) else {}, {rest: value})
        else:
            found[first] = value
    return found
