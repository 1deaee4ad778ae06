"""What a curve says, and what it would take to say more."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class VerdictOutcome(StrEnum):
    """What a curve says."""

    PLATEAUED = "PLATEAUED"
    RISING = "RISING"
    DECLINING = "DECLINING"
    INCONCLUSIVE = "INCONCLUSIVE"


@dataclass(frozen=True)
class Verdict:
    """What the curve says, of measured levels only.

    Attributes:
        outcome: PLATEAUED at a level, RISING, DECLINING after a level, or
            INCONCLUSIVE.
        level: The sufficient level of PLATEAUED and DECLINING; else None.
        reason: A sentence for people.
        not_excluded: INCONCLUSIVE: levels that may still be the sufficient one.
        missing: INCONCLUSIVE: sentences that say what would settle it.
    """

    outcome: VerdictOutcome
    level: float | None
    reason: str
    not_excluded: tuple[float, ...] = ()
    missing: tuple[str, ...] = ()

    @property
    def answer(self) -> tuple[VerdictOutcome, float | None]:
        """The outcome and the level: two verdicts agree where these do."""
        return self.outcome, self.level


@dataclass(frozen=True)
class Needed:
    """How much measuring would likely settle an inconclusive verdict: at power .8.

    Attributes:
        replicates: Replicates in all, at each level that the answer hangs on. A
            range: at one end the estimated gains are right, at the other the larger
            levels gain nothing. An end is None where no number of replicates would
            do; all of it is None where the verdict stands, or where what is missing
            isn't replicates.
        examples: Test examples in all, with the replicates that there are; None
            where the examples aren't known, no number of them would do, or none more
            are missing.
        reason: What is missing, in words; empty where nothing is.
    """

    replicates: tuple[int | None, int | None] | None = None
    examples: int | None = None
    reason: str = ""
