"""The jobs that run through the storm, those that watch them, and what an undisturbed run gave."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from tuner import Client, JobSpec
from tuner.client import Job
from tuner.curve import SearchState
from tuner.errors import Status, TunerError
from tuner.jobs import Event, JobState, JobStateChanged, RunnerEnded
from tuner.record import Measurement, PlanStep, record_digest

_Answer = TypeVar("_Answer")

PATIENCE_SECONDS = 120.0
"""How long a call is tried again while no coordinator answers."""


def persistently(call: Callable[[], _Answer]) -> _Answer:
    """Calls again while nobody answers, as a person would."""
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return call()
        except TunerError as error:
            away = error.status in (Status.UNAVAILABLE, Status.DEADLINE_EXCEEDED)
            if not away or time.monotonic() > until:
                raise


def submitted(client: Client, spec: JobSpec, name: str) -> Job:
    """Submits a job under a name; finds it where an earlier try had come through."""

    def submit() -> Job:
        try:
            return client.submit(spec, job_id=name)
        except TunerError as error:
            if error.status is not Status.ALREADY_EXISTS:
                raise
            return client.get_job(name)

    return persistently(submit)


def deleted(client: Client, name: str) -> None:
    """Deletes a job that has ended; one that is gone was deleted by an earlier try."""

    def delete() -> None:
        try:
            client.get_job(name).delete()
        except TunerError as error:
            if error.status is not Status.NOT_FOUND:
                raise

    persistently(delete)


@dataclass(frozen=True)
class Record:
    """What of a job's record has to be the same whatever befell it."""

    measurements: list[Measurement]
    plan: list[PlanStep]

    @classmethod
    def of(cls, job: Job) -> Record:
        """Reads it."""
        plan = sorted(persistently(job.plan), key=lambda step: (step.search, step.number))
        return cls(persistently(job.measurements), plan)

    def differences(self, other: Record) -> list[str]:
        """Returns, in sentences, what the other has lost, doubled or changed."""
        mine, theirs = (Counter(m.id for m in r.measurements) for r in (self, other))
        wanted = {m.id: m for m in self.measurements}
        found = [f"{len(mine - theirs)} measurements lost"] if mine - theirs else []
        if theirs - mine:
            found.append(f"{len(theirs - mine)} measurements doubled or never to be")
        changed = [
            m for m in other.measurements if m.id in wanted and not m.same_result(wanted[m.id])
        ]
        if changed:
            found.append(f"{len(changed)} measurements changed, {changed[0].id} first")
        if not found and record_digest(self.measurements) != record_digest(other.measurements):
            found.append("the records' digests differ")
        if self.plan != other.plan:
            at = next((a for a, b in zip(self.plan, other.plan, strict=False) if a != b), None)
            where = f"first in {at.search} #{at.number}" if at else "in length"
            found.append(f"the plans differ, {where}: {len(self.plan)} and {len(other.plan)} steps")
        return found


class Watcher:
    """Follows a job through everything, by the client library alone.

    Attributes:
        events: What it has seen, in order.
        measured: When it last saw a measurement, by the monotonic clock.
        state: Where the job stood when it last changed its state.
        failure: What ended it before the job had.
    """

    def __init__(self, connect: Callable[[], Client], name: str) -> None:
        self.name = name
        self.events: list[Event] = []
        self.measured = 0.0
        self.state = JobState.PENDING
        self.failure: BaseException | None = None
        self._connect = connect
        self._thread = threading.Thread(target=self._run, name=f"watcher of {name}", daemon=True)
        self._thread.start()

    @property
    def done(self) -> bool:
        """Whether it has seen the job's end, or failed."""
        return not self._thread.is_alive()

    def join(self, patience: float) -> None:
        """Waits for its end, so many seconds at most."""
        self._thread.join(patience)

    def _run(self) -> None:
        try:
            with self._connect() as client:
                job = persistently(lambda: client.get_job(self.name))
                for event in job.watch():
                    self.events.append(event)
                    if isinstance(event.what, Measurement):
                        self.measured = time.monotonic()
                    elif isinstance(event.what, JobStateChanged):
                        self.state = event.what.state
        except Exception as error:  # noqa: BLE001 - told by whoever runs the storm
            self.failure = error


@dataclass
class Troop:
    """The jobs: so many are live at once, one after another, while the storm goes on.

    A name whose job has ended is used again, once that job was examined and deleted.

    Attributes:
        specs: By name.
        abreast: Jobs that are live at once.
        again: Whether names are used again.
        goes_on: Whether a job that has ended is followed by another.
        live: By name, who watches the job.
        ended: By name, who watched it, until the name is used again.
        lines: What became of the jobs that were examined, a line each.
        wrong: What `examine` found wrong, in sentences.
        outcomes: How often attempts have ended how.
        counts: Jobs, attempts, measurements and events, in all.
    """

    client: Client
    connect: Callable[[], Client]
    specs: dict[str, JobSpec]
    references: dict[str, Record]
    abreast: int
    again: bool = True
    goes_on: bool = True
    live: dict[str, Watcher] = field(default_factory=dict)
    ended: dict[str, Watcher] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)

    def tend(self) -> None:
        """Starts the next jobs in the place of those that have ended."""
        for name, watcher in [*self.live.items()]:
            if watcher.done:
                self.ended[name] = self.live.pop(name)
        while self.goes_on and len(self.live) < self.abreast and self._next():
            pass

    def _next(self) -> bool:
        """Starts another job; tells whether there was one to start."""
        fresh = [n for n in self.specs if n not in self.live and n not in self.ended]
        if not fresh:
            if not self.again:
                return False
            # The one that ended first.
            name, watcher = next(iter(self.ended.items()))
            self.examine(name, watcher)
            deleted(self.client, name)
            del self.ended[name]
            fresh = [name]
        submitted(self.client, self.specs[fresh[0]], fresh[0])
        self.live[fresh[0]] = Watcher(self.connect, fresh[0])
        return True

    def examine(self, name: str, watcher: Watcher) -> None:
        """Notes all that is wrong with a job that has ended, and what it went through."""
        job = persistently(lambda: self.client.get_job(name))
        found = [*_wrong_end(job), *_wrong_events(job, watcher)]
        found += self.references[name].differences(Record.of(job))
        self.wrong += [f"{name}: {one}" for one in found]
        ends = Counter(e.what.outcome for e in watcher.events if isinstance(e.what, RunnerEnded))
        self.outcomes += ends
        measured = sum(isinstance(e.what, Measurement) for e in watcher.events)
        self.counts += Counter(
            jobs=1, attempts=job.status.attempt, measurements=measured, events=len(watcher.events)
        )
        told = ", ".join(f"{count} {how}" for how, count in sorted(ends.items()))
        self.lines.append(
            f"{name}: {job.state.value}, {job.status.attempt} attempts ({told}), "
            f"{measured} measurements, {len(watcher.events)} events; "
            f"{'; '.join(found) or 'as undisturbed'}"
        )


def _wrong_end(job: Job) -> list[str]:
    wrong = [] if job.state == "SUCCEEDED" else [f"{job.state.value}: {job.status.reason}"]
    wrong += [
        f"{search.key} is {search.state.value}"
        for search in job.status.searches
        if search.state is not SearchState.CONCLUDED
    ]
    return wrong


def _wrong_events(job: Job, watcher: Watcher) -> list[str]:
    wrong = [f"its watcher failed: {watcher.failure!r}"] if watcher.failure else []
    stored = persistently(lambda: list(job.watch()))
    numbers = [event.sequence for event in stored]
    if numbers != list(range(1, len(numbers) + 1)):
        wrong.append(f"its events have gaps or repeats: {len(numbers)}, up to {numbers[-1:]}")
    if job.status.last_sequence != len(numbers):
        wrong.append(f"{len(numbers)} events, the last numbered {job.status.last_sequence}")
    if watcher.events != stored:
        seen = [event.sequence for event in watcher.events]
        wrong.append(f"its watcher saw {len(seen)} events of {len(numbers)}, or others")
    return wrong


def names(watchers: Sequence[Watcher]) -> str:
    """Returns the jobs' names in a line."""
    return ", ".join(watcher.name for watcher in watchers) or "none"
