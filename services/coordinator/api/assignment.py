"""What a runner gets at its start: the spec, then the plan and every measurement so far."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from services.coordinator.api.portions import portions
from services.coordinator.endings import unfinished
from services.coordinator.store.base import Store
from tuner.v1 import runner_service_pb2 as pb
from tuner.wire.names import JobName
from tuner.wire.record import measurement_to_wire, step_to_wire
from tuner.wire.spec import spec_to_wire

ROWS_A_MESSAGE = 500
ROWS_A_READ = 2000
"""A record may have a million rows; so many are in memory at once."""

_Row = TypeVar("_Row")


def assignment(
    store: Store, name: JobName, data_roots: Sequence[Path | str], now: datetime
) -> Iterator[pb.GetAssignmentResponse]:
    """Yields the messages of GetAssignment, each small enough to be sent.

    It reads between them, so it is to be stepped in a thread.

    Raises:
        NotFoundError: There is no such job.
    """
    job = store.get_job(name)
    yield pb.GetAssignmentResponse(
        spec=spec_to_wire(job.spec),
        data_roots=[str(root) for root in data_roots],
        slots=job.spec.resources.slots or 0,
        # The lives of its attempts: a job that rested for a week has not spent it.
        elapsed_seconds=sum(attempt.seconds(now) for attempt in store.attempts(name)),
        billed_device_seconds=job.billed_device_seconds,
        open_searches=unfinished(job),
    )
    steps = _all(lambda after: store.plan_page(name, None, after, ROWS_A_READ))
    for some_steps in portions(map(step_to_wire, steps), ROWS_A_MESSAGE):
        yield pb.GetAssignmentResponse(plan_steps=some_steps)
    measurements = _all(lambda after: store.measurements(name, None, after, ROWS_A_READ))
    for some in portions(map(measurement_to_wire, measurements), ROWS_A_MESSAGE):
        yield pb.GetAssignmentResponse(measurements=some)
    for some in portions(map(measurement_to_wire, store.surplus(name)), ROWS_A_MESSAGE):
        yield pb.GetAssignmentResponse(surplus=some)


def _all(page: Callable[[int], tuple[list[_Row], int]]) -> Iterator[_Row]:
    """Yields every row, read page by page."""
    rows, after = page(0)
    while rows:
        yield from rows
        rows, after = page(after)
