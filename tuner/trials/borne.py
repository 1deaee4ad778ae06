"""What came of a member beside its clean scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from tuner.learners.fits import describe, outcome_of
from tuner.record import Footprint, Outcome, Stress, seconds_beside

ERROR_LENGTH = 500
"""Most characters of a condition's failure, or of its note, that are recorded."""


@dataclass(frozen=True)
class Borne:
    """What came of a member beside its clean scores.

    Attributes:
        scores: By names such as "error@pgd:0.1".
        stresses: How each condition ended.
        footprint: Latency and size; None where they weren't measured.
    """

    scores: Mapping[str, float] = field(default_factory=dict)
    stresses: tuple[Stress, ...] = ()
    footprint: Footprint | None = None

    @property
    def device_seconds(self) -> float:
        """What all of it took."""
        return seconds_beside(self.stresses, self.footprint)

    def and_(self, other: Borne) -> Borne:
        """Returns both together."""
        return Borne(
            {**self.scores, **other.scores},
            (*self.stresses, *other.stresses),
            other.footprint or self.footprint,
        )

    def later(self, seconds: float) -> Borne:
        """Returns it with device-seconds that went before the first of it."""
        if self.stresses:
            first, *others = self.stresses
            first = replace(first, device_seconds=first.device_seconds + seconds)
            return replace(self, stresses=(first, *others))
        if self.footprint is None:
            return self
        told = self.footprint.device_seconds + seconds
        return replace(self, footprint=replace(self.footprint, device_seconds=told))


def nothing_of(names: Sequence[str], why: str) -> Borne:
    """Returns that conditions weren't tried any more."""
    why = why[:ERROR_LENGTH]
    return Borne(stresses=tuple(Stress(name, Outcome.CRASHED, error=why) for name in names))


def failure(name: str, error: Exception, seconds: float = 0.0) -> Stress:
    """Returns what came of a condition that raised that, after so many device-seconds."""
    return Stress(name, outcome_of(error), 0, seconds, describe(error)[:ERROR_LENGTH])
