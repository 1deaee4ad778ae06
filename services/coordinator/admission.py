"""Which of the waiting jobs may start."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from services.coordinator.store.rows import JobRow


class AdmissionPolicy(Protocol):
    """Decides over the queue. Pure: the same rows give the same answer."""

    def order(self, queued: Sequence[JobRow]) -> list[JobRow]:
        """Returns the waiting jobs in the order in which they would start."""
        ...

    def admit(self, queued: Sequence[JobRow], running: Sequence[JobRow]) -> list[JobRow]:
        """Returns the waiting jobs that may start now."""
        ...

    def waits_for(self, job: JobRow, running: Sequence[JobRow]) -> str:
        """Returns, in a sentence, what a waiting job waits for."""
        ...


class FirstComeFirstServed:
    """Admits jobs in the order in which they came, so many at once."""

    def __init__(self, max_running: int) -> None:
        """Takes how many jobs may run at once."""
        self._max_running = max_running

    def order(self, queued: Sequence[JobRow]) -> list[JobRow]:
        """See AdmissionPolicy."""
        return sorted(queued, key=lambda job: (job.create_time, str(job.name)))

    def admit(self, queued: Sequence[JobRow], running: Sequence[JobRow]) -> list[JobRow]:
        """See AdmissionPolicy."""
        free = max(0, self._max_running - len(running))
        return self.order(queued)[:free]

    def waits_for(self, job: JobRow, running: Sequence[JobRow]) -> str:
        """See AdmissionPolicy."""
        if len(running) < self._max_running:
            return "waiting for its turn"
        return f"waiting for one of {len(running)} running jobs to end"
