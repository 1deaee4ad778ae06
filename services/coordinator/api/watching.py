"""Following a job: its events, as they come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from services.coordinator.api.interceptor import Context
from services.coordinator.api.portions import portions
from services.coordinator.core import Core
from services.coordinator.hints import wait
from tuner.errors import invalid
from tuner.jobs import JobStateChanged
from tuner.v1 import tuner_service_pb2 as pb
from tuner.wire.jobs import event_to_wire
from tuner.wire.names import JobName

EVENTS_A_MESSAGE = 200


class WatchCalls:
    """The part of TunerService that streams events."""

    def __init__(self, core: Core) -> None:
        """Takes the parts."""
        self._core = core

    async def WatchJob(
        self, request: pb.WatchJobRequest, context: Context
    ) -> AsyncIterator[pb.WatchJobResponse]:
        """Answers WatchJob. No event is read before the last portion has gone out."""
        name = JobName.parse(request.name)
        store, hints = self._core.store, self._core.hints
        after = request.after
        job = await asyncio.to_thread(store.get_job, name)
        if not 0 <= after <= job.last_sequence:
            raise invalid(
                "after",
                f"{after} is no event of {name}, whose last is {job.last_sequence}; give the last "
                "sequence number that you have seen, or 0",
            )
        ended = job.state.ended
        with hints.listen(name, record=True) as news:
            while True:
                hints.check()
                news.clear()
                events = await asyncio.to_thread(store.events, name, after, EVENTS_A_MESSAGE)
                for portion in portions(map(event_to_wire, events), EVENTS_A_MESSAGE):
                    yield pb.WatchJobResponse(events=portion)
                if events:
                    after = events[-1].sequence
                ended = ended or any(
                    isinstance(e.what, JobStateChanged) and e.what.state.ended for e in events
                )
                if len(events) == EVENTS_A_MESSAGE:
                    continue
                if ended:
                    return
                await wait(news)
