"""The end of a job that is to stop before anything of it was begun again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from tuner.record import Conclusion, PlanStep
from tuner.search import Climb, SearchRecord
from tuner.spec import JobSpec


class Register(Protocol):
    """The coordinator as it is seen here."""

    def commit(self, step: PlanStep) -> None:
        """Commits a plan step; durable when it returns."""
        ...


def stop(
    spec: JobSpec,
    records: Mapping[str, SearchRecord],
    register: Register,
    reason: str,
    say: Callable[[PlanStep], None],
) -> None:
    """Concludes every search that is open on what is known.

    Neither data nor a cluster is asked for: either may be what the job was stopped for.

    Args:
        spec: The job's spec.
        records: By search, every committed step and every final measurement.
        register: The coordinator.
        reason: Who stopped it, and why.
        say: Tells a decision.

    Raises:
        TunerError: The coordinator refused a step.
    """
    for key, record in records.items():
        if not record.concluded:
            step = Climb(spec, key).conclude(record, Conclusion.STOPPED, stopped(reason))
            register.commit(step)
            say(step)


def stopped(reason: str) -> str:
    """Returns the decision in a sentence."""
    return f"{reason or 'stopped'}: the search ends with what is known"
