"""What a runner gets at its start: the spec, then the plan and every measurement so far."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

from services.coordinator.api.portions import portions
from services.coordinator.endings import unfinished
from services.coordinator.store.rows import AttemptRow, JobRow
from tuner.record import Measurement, PlanStep
from tuner.v1 import runner_service_pb2 as pb
from tuner.wire.record import measurement_to_wire, step_to_wire
from tuner.wire.spec import spec_to_wire

ROWS_A_MESSAGE = 500


def assignment(
    job: JobRow,
    data_roots: Sequence[Path | str],
    steps: Sequence[PlanStep],
    measurements: Sequence[Measurement],
    surplus: Sequence[Measurement],
    attempts: Sequence[AttemptRow],
    now: datetime,
) -> Iterator[pb.GetAssignmentResponse]:
    """Yields the messages of GetAssignment, each small enough to be sent."""
    yield pb.GetAssignmentResponse(
        spec=spec_to_wire(job.spec),
        data_roots=[str(root) for root in data_roots],
        slots=job.spec.resources.slots or 0,
        # The lives of its attempts: a job that rested for a week has not spent it.
        elapsed_seconds=sum(attempt.seconds(now) for attempt in attempts),
        billed_device_seconds=job.billed_device_seconds,
        open_searches=unfinished(job),
    )
    for some_steps in portions(map(step_to_wire, steps), ROWS_A_MESSAGE):
        yield pb.GetAssignmentResponse(plan_steps=some_steps)
    for some in portions(map(measurement_to_wire, measurements), ROWS_A_MESSAGE):
        yield pb.GetAssignmentResponse(measurements=some)
    for some in portions(map(measurement_to_wire, surplus), ROWS_A_MESSAGE):
        yield pb.GetAssignmentResponse(surplus=some)
