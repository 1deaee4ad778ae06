"""What a runner gets at its start."""

from __future__ import annotations

from dataclasses import dataclass

from tuner.record import Measurement, PlanStep
from tuner.search import SearchRecord
from tuner.spec import JobSpec


@dataclass
class Assignment:
    """What the runner is to do, and what was done before it.

    Attributes:
        spec: The job's spec, with all that it was extended by.
        data_roots: Folders below which paths of the cluster may be read.
        slots: Slots that the job may hold; 0 is as many as fit.
        elapsed_seconds: How long the job's attempts have run.
        billed_device_seconds: Its bill so far.
        steps: Every committed step, in order.
        measurements: Every final measurement.
        surplus: What ran ahead and no step has claimed.
        open_searches: The searches that go on, by key. One that had concluded was opened
            again: its conclusion is a decision of its time.
    """

    spec: JobSpec
    data_roots: tuple[str, ...]
    slots: int
    elapsed_seconds: float
    billed_device_seconds: float
    steps: list[PlanStep]
    measurements: list[Measurement]
    surplus: list[Measurement]
    open_searches: frozenset[str] = frozenset()

    def records(self, job: str) -> dict[str, SearchRecord]:
        """Returns every search's record, by key; one that was opened again goes on.

        Args:
            job: The job's resource name.
        """
        found = {s.key: SearchRecord(job, s.key) for s in self.spec.all_searches()}
        for step in self.steps:
            found[step.search].steps.append(step)
        for m in self.measurements:
            found[m.search].measurements[m.id] = m
        for key in self.open_searches & found.keys():
            found[key].reopen()
        return found
