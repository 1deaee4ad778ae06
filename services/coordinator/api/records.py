"""Calls that read a job's record: trials, measurements, plan steps, curves, a comparison."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import TypeVar

from google.protobuf.message import Message

from services.coordinator.api.interceptor import Context
from services.coordinator.api.portions import portions
from services.coordinator.asked import Other, compared_metric, other_question
from services.coordinator.core import Core
from services.coordinator.curves import Curves
from services.coordinator.store.rows import JobRow
from services.coordinator.threads import reading
from tuner.errors import invalid
from tuner.jobs import Trial
from tuner.record import Measurement, Phase
from tuner.v1 import tuner_service_pb2 as pb
from tuner.wire.comparison import comparison_to_wire
from tuner.wire.curve import curve_to_wire
from tuner.wire.jobs import trial_to_wire
from tuner.wire.names import JobName
from tuner.wire.pages import make_token, page_size, read_position
from tuner.wire.record import measurement_to_wire, step_to_wire

_Item = TypeVar("_Item", bound=Message)


class RecordCalls:
    """The part of TunerService that reads records."""

    def __init__(self, core: Core, curves: Curves) -> None:
        """Takes the parts, and what makes curves."""
        self._core = core
        self._curves = curves

    async def ListTrials(
        self, request: pb.ListTrialsRequest, context: Context
    ) -> pb.ListTrialsResponse:
        """Answers ListTrials: candidates in the order in which they were first recorded."""
        job = await self._job(request.parent, request.search)
        asked = ("trials", request.parent, request.search)
        after, limit = read_position(request.page_token, *asked), page_size(request.page_size)
        found = await reading(
            self._core.store.trials, job.name, request.search or None, after, limit + 1
        )
        page = await reading(_page, (trial_to_wire(_trial(rows)) for _, rows in found), limit)
        more = len(found) > len(page)
        return pb.ListTrialsResponse(
            trials=page,
            next_page_token=make_token(str(found[len(page) - 1][0]), *asked) if more else "",
        )

    async def ListMeasurements(
        self, request: pb.ListMeasurementsRequest, context: Context
    ) -> pb.ListMeasurementsResponse:
        """Answers ListMeasurements."""
        job = await self._job(request.parent, request.search)
        after = read_position(request.page_token, "measurements", request.parent, request.search)
        limit = page_size(request.page_size)
        search = request.search or None
        rows, last = await reading(self._core.store.measurements, job.name, search, after, limit)
        more = False
        if len(rows) == limit:
            beyond, _ = await reading(self._core.store.measurements, job.name, search, last, 1)
            more = bool(beyond)
        return pb.ListMeasurementsResponse(
            measurements=[measurement_to_wire(row) for row in rows],
            next_page_token=make_token(str(last), "measurements", request.parent, request.search)
            if more
            else "",
        )

    async def ListPlanSteps(
        self, request: pb.ListPlanStepsRequest, context: Context
    ) -> pb.ListPlanStepsResponse:
        """Answers ListPlanSteps."""
        job = await self._job(request.parent, request.search)
        asked = ("steps", request.parent, request.search)
        after, limit = read_position(request.page_token, *asked), page_size(request.page_size)
        read, search = self._core.store.plan_page, request.search or None
        steps, _ = await reading(read, job.name, search, after, limit + 1)
        page = _page(map(step_to_wire, steps), limit)
        more = len(steps) > len(page)
        if more:
            _, after = await reading(read, job.name, search, after, len(page))
        return pb.ListPlanStepsResponse(
            plan_steps=page, next_page_token=make_token(str(after), *asked) if more else ""
        )

    async def ListCurves(
        self, request: pb.ListCurvesRequest, context: Context
    ) -> pb.ListCurvesResponse:
        """Answers ListCurves: every search's in the spec's order, the baseline's last."""
        job = await self._job(request.parent, "")
        margin = request.margin if request.HasField("margin") else None
        other = other_question(job.spec, request.metric, margin, request.examples)
        asked = (request.metric, str(other))
        start = read_position(request.page_token, "curves", request.parent, *asked)
        keys = (other or Other("")).searches(job.spec)
        chosen = keys[start : start + page_size(request.page_size)]
        curves = await asyncio.gather(*(self._curves.curve(job, key, other) for key in chosen))
        page = _page(map(curve_to_wire, curves), page_size(request.page_size))
        end = start + len(page)
        return pb.ListCurvesResponse(
            curves=page,
            next_page_token=make_token(str(end), "curves", request.parent, *asked)
            if end < len(keys)
            else "",
        )

    async def CompareSearches(
        self, request: pb.CompareSearchesRequest, context: Context
    ) -> pb.CompareSearchesResponse:
        """Answers CompareSearches; without a comparison while there are no two to compare."""
        job = await self._job(request.parent, "")
        metric = compared_metric(job.spec, request.metric)
        comparison = await self._curves.comparison(job, metric, request.rope)
        return pb.CompareSearchesResponse(
            comparison=None if comparison is None else comparison_to_wire(comparison)
        )

    async def _job(self, parent: str, search: str) -> JobRow:
        job = await reading(self._core.store.get_job, JobName.parse(parent, "parent"))
        keys = [row.key for row in job.searches]
        if search and search not in keys:
            raise invalid("search", f"{search!r} is no search of the job; it has {', '.join(keys)}")
        return job


def _page(items: Iterable[_Item], asked: int) -> Sequence[_Item]:
    """Returns the first items, fewer than asked for where they are large."""
    return next(portions(items, asked), [])


def _trial(rows: Sequence[Measurement]) -> Trial:
    """Returns the trial of a candidate's measurements."""
    first = rows[0]
    measured = any(m.phase is Phase.MEASURING for m in rows)
    return Trial(first.search, first.level, first.setting, tuple(rows), measured)
