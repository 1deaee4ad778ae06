"""Following a job: its events, as they come."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager

from services.coordinator.access.caller import calling
from services.coordinator.api.feeds import EVENTS_A_MESSAGE, Feeds, read
from services.coordinator.api.interceptor import Context
from services.coordinator.api.portions import portions
from services.coordinator.core import Core
from services.coordinator.threads import reading
from tuner.errors import Status, TunerError, invalid
from tuner.v1 import tuner_service_pb2 as pb
from tuner.wire.names import JobName


class WatchCalls:
    """The part of TunerService that streams events."""

    def __init__(self, core: Core) -> None:
        """Takes the parts."""
        self._core = core
        self._feeds = Feeds(core.store, core.hints)
        settings = core.settings
        # Those who watch leave calls for those who do: runners, above all.
        most = min(settings.max_watchers, max(1, settings.max_calls * 3 // 4))
        self._places = Places(most, settings.max_watchers_per_caller)

    async def WatchJob(
        self, request: pb.WatchJobRequest, context: Context
    ) -> AsyncIterator[pb.WatchJobResponse]:
        """Answers WatchJob: to the end of a job that has ended, over an earlier end to the next.

        A watcher that takes long over a message is sent what came meanwhile in larger ones.
        """
        name, after = JobName.parse(request.name), request.after
        job = await reading(self._core.store.get_job, name)
        begun = job.last_sequence
        if not 0 <= after <= begun:
            raise invalid(
                "after",
                f"{after} is no event of {name}, whose last is {begun}; give the last "
                "sequence number that you have seen, or 0",
            )
        with self._places.taken(calling.get().subject):
            async with self._feeds.feed(job) as feed:
                while True:
                    self._core.hints.check()
                    feed.check()
                    turn = feed.turn()
                    messages = feed.messages(after)
                    if messages is None:
                        messages = await self._reread(name, after)
                    for message in messages:
                        yield message
                        after = message.events[-1].sequence
                    if messages:
                        continue
                    # The feed may be behind the job as this call found it: reopened, say.
                    if feed.ended and feed.tail == after >= begun:
                        return
                    await turn.wait()

    async def _reread(self, name: JobName, after: int) -> Sequence[pb.WatchJobResponse]:
        _events, rows = await reading(read, self._core.store, name, after)
        return [pb.WatchJobResponse(events=some) for some in portions(rows, EVENTS_A_MESSAGE)]


class Places:
    """Who may watch at once: so many in all, and so many a caller."""

    def __init__(self, most: int, most_a_caller: int) -> None:
        """Takes both limits."""
        self._most, self._most_a_caller = most, most_a_caller
        self._taken: Counter[str] = Counter()

    @contextmanager
    def taken(self, caller: str) -> Iterator[None]:
        """Takes a place while it is entered. Raises TunerError, RESOURCE_EXHAUSTED."""
        if self._taken.total() >= self._most:
            raise _too_many(f"{self._most} streams are watching jobs, as many as may")
        if self._taken[caller] >= self._most_a_caller:
            raise _too_many(f"{caller} has {self._most_a_caller} streams watching, as many as may")
        self._taken[caller] += 1
        try:
            yield
        finally:
            self._taken[caller] -= 1
            if not self._taken[caller]:
                del self._taken[caller]


def _too_many(problem: str) -> TunerError:
    return TunerError(
        Status.RESOURCE_EXHAUSTED,
        "TOO_MANY_WATCHERS",
        f"{problem}; end one of them, or ask now and then with GetJob",
    )
