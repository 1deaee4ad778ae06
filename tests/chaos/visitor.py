"""Somebody who makes every call that changes a job, and sees to it that each of them counts.

Its own jobs mostly wait behind the others. It also pauses and resumes those, and now and then sends
in one that goes before them.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable

import numpy as np

from tests.chaos.jobs import Troop, Watcher, deleted, persistently, submitted
from tuner import Client, JobSpec
from tuner.client import Job
from tuner.errors import Status, TunerError
from tuner.jobs import JobState

PATIENCE_SECONDS = 120.0
LOOK_SECONDS = 0.5
ROUND_PAUSE_SECONDS = 3.0
SPARED_SECONDS = 60.0
"""How long a job that was paused is left alone."""


def waiting_spec(number: int, dataset: str) -> JobSpec:
    """Returns a job that waits behind the others, on data that may have to be uploaded."""
    search = {"learner": "simulated", "axis": "depth", "levels": (1, 2), "space": {"seconds": 0.2}}
    return JobSpec(
        name=f"visitor-{number}",
        dataset=dataset,
        searches=[search],
        tuning={"trials": 2, "generation": 2},
        measuring={"min_replicates": 4, "max_replicates": 4},
        resources={"slots": 1},
        baseline=None,
        priority=-50,
    )


def urgent_jobs(count: int) -> dict[str, JobSpec]:
    """Returns, by name, jobs that go before all others."""
    return {
        f"urgent-{n}": waiting_spec(n, "digits").model_copy(update={"priority": 50, "name": ""})
        for n in range(1, count + 1)
    }


class Visitor:
    """A thread that goes round and round until it is told to leave.

    Attributes:
        done: How often it has done what.
        wrong: What it found wrong.
        watchers: By name, who watched the urgent jobs.
        failure: What ended it before it was told to leave.
    """

    def __init__(
        self,
        connect: Callable[[], Client],
        troop: Troop,
        seed: int,
        urgent: dict[str, JobSpec],
        data: str,
    ) -> None:
        """Takes how to connect, the jobs to pause, those to send in, and data for its own."""
        self.done: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.watchers: dict[str, Watcher] = {}
        self.failure: BaseException | None = None
        self._connect = connect
        self._troop = troop
        self._rng = np.random.default_rng([seed, 4])
        self._urgent = dict(urgent)
        self._data = data
        self._paused: dict[str, float] = {}
        self._leaving = threading.Event()
        self._thread = threading.Thread(target=self._run, name="visitor", daemon=True)

    def start(self) -> None:
        """Begins the first round."""
        self._thread.start()

    def dismiss(self) -> None:
        """Has it leave once its round is through."""
        self._leaving.set()

    @property
    def left(self) -> bool:
        """Whether it has gone, or failed."""
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            with self._connect() as client:
                number = 0
                # Its rounds are to be among the others' calls, and not to be most of them.
                while not self._leaving.wait(ROUND_PAUSE_SECONDS):
                    number += 1
                    self._round(client, number)
                    self._interrupt(client)
                    if number % 2 and self._urgent:
                        self._send_in(client, *self._urgent.popitem())
        except Exception as error:  # noqa: BLE001 - told by whoever runs the storm
            self.failure = error

    def _round(self, client: Client, number: int) -> None:
        spec = waiting_spec(number, self._data)
        job = persistently(lambda: client.submit(spec))
        self.done["jobs made without a name"] += 1
        found = persistently(lambda: [j.id for j in client.jobs() if j.spec.name == spec.name])
        # A call that was given up after all, and made anew, is another one.
        if job.id not in found:
            self.wrong.append(f"{spec.name} was made, and is not among {found}")
        self._moved(job, job.pause, {JobState.PAUSED})
        self._extended(job)
        self._moved(job, job.pause, {JobState.PAUSED})
        self._moved(job, job.resume, {JobState.QUEUED, JobState.RUNNING, JobState.SUCCEEDED})
        self._moved(job, job.cancel, {JobState.CANCELLED, JobState.SUCCEEDED})
        self._moved(job, job.resume, {JobState.QUEUED, JobState.RUNNING, JobState.SUCCEEDED})
        self._moved(job, job.stop, {JobState.CANCELLED, JobState.SUCCEEDED})
        numbers = [event.sequence for event in persistently(lambda: list(job.watch()))]
        if numbers != list(range(1, len(numbers) + 1)):
            self.wrong.append(f"{spec.name}'s events have gaps or repeats: {numbers}")
        for one in found:
            if one != job.id:
                persistently(client.get_job(one).cancel)
                self._reach(client.get_job(one), {JobState.CANCELLED, JobState.SUCCEEDED})
            deleted(client, one)
        self.done["jobs deleted"] += len(found)

    def _moved(self, job: Job, verb: Callable[[], object], wanted: set[JobState]) -> None:
        """Makes a call, and waits until the job stands where it leads."""
        persistently(verb)
        self._reach(job, wanted)
        self.done[f"{getattr(verb, '__name__', verb)}"] += 1

    def _reach(self, job: Job, wanted: set[JobState]) -> None:
        until = time.monotonic() + PATIENCE_SECONDS
        while persistently(job.refresh).state not in wanted:
            if time.monotonic() > until:
                raise AssertionError(f"{job.id} is {job.state}, and not {sorted(wanted)}")
            time.sleep(LOOK_SECONDS)

    def _extended(self, job: Job) -> None:
        """Extends a job once, however often the call is made."""

        def extend() -> None:
            try:
                job.extend(replicates=5)
            except TunerError as error:
                refused = error.status in (Status.FAILED_PRECONDITION, Status.INVALID_ARGUMENT)
                if not refused or job.refresh().spec.measuring.max_replicates != 5:
                    raise

        persistently(extend)
        if persistently(job.refresh).spec.measuring.max_replicates != 5:
            self.wrong.append(f"{job.id} was extended, and is as it was")
        self.done["extend"] += 1

    def _interrupt(self, client: Client) -> None:
        """Pauses one of the others, and resumes it."""
        # One that has moved on since it was last paused: it is to get somewhere, too.
        live = [n for n, w in [*self._troop.live.items()] if w.measured > self._paused.get(n, 0.0)]
        if not live:
            return
        name = live[int(self._rng.integers(len(live)))]
        self._paused[name] = time.monotonic() + SPARED_SECONDS
        try:
            job = persistently(lambda: client.get_job(name))
        except TunerError as error:
            if error.status is Status.NOT_FOUND:  # about to be submitted again
                return
            raise
        persistently(job.pause)
        try:
            self._reach(job, {JobState.PAUSED, JobState.SUCCEEDED})
            paused = job.state is JobState.PAUSED
        finally:
            persistently(job.resume)
        self.done["others' jobs paused and resumed"] += paused

    def _send_in(self, client: Client, name: str, spec: JobSpec) -> None:
        """Has a job go before all others, and waits for its end."""
        submitted(client, spec, name)
        watcher = self.watchers[name] = Watcher(self._connect, name)
        watcher.join(PATIENCE_SECONDS)
        self.done["urgent jobs sent in"] += 1
