"""What of the past counts: demand of late, service received, how long a job waits or stays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import exp
from typing import Any

from services.coordinator.scheduling.model import Job, Shape, World

DEMAND_SECONDS = 15.0
"""A demand counts for so long after it has gone: between two steps of a search it is none."""

STAY_SECONDS = 300.0
"""A job that got its first slot keeps one for so long, unless a higher priority wants it."""

WANTING_SECONDS = 120.0
"""Who has all for a moment stands beside those who lack something for so long."""

AGING_SECONDS = 3600.0
"""A job that has waited for so long counts as one priority higher; and so on."""

FORGET_SECONDS = 600.0
"""What was served is forgotten in about this time while there is enough for everybody."""

MOST_SERVICE_SECONDS = 3600.0
"""Nobody has more than so many seconds of the whole cluster, by weight, held against them."""

LONGEST_STEP_SECONDS = 60.0
"""A longer time between two looks tells nothing of what was held meanwhile."""


class History:
    """Is told of every look, in order; answers how things have been."""

    def __init__(self) -> None:
        self._time: float | None = None
        self._lacked: dict[str, float] = {}
        self._peaks: dict[str, list[tuple[float, int]]] = {}
        self._waits: dict[str, float] = {}
        self._served_since: dict[str, float] = {}
        self._raised: dict[str, int] = {}
        self._namespaces: dict[str, float] = {}
        self._jobs: dict[str, float] = {}

    def look(self, world: World, wanting: Iterable[str], whole: Shape) -> float:
        """Notes how things are.

        Args:
            world: The present.
            wanting: Jobs that had less than they wanted after the last look.
            whole: What the cluster has.

        Returns:
            Seconds since the last look, as far as they count.
        """
        passed = 0.0 if self._time is None else world.time - self._time
        passed = min(max(0.0, passed), LONGEST_STEP_SECONDS)
        self._time = world.time
        self._lacked |= dict.fromkeys(wanting, world.time)
        self._forget({job.name for job in world.jobs})
        lately = {n for n, at in self._lacked.items() if world.time - at < WANTING_SECONDS}
        self._serve(world, lately, whole, passed)
        for job in world.jobs:
            self._note(job, world.time)
        return passed

    def demand(self, job: Job) -> int:
        """Returns slots that the job can use: 1 where that isn't known yet."""
        return max([1, *(slots for _, slots in self._peaks.get(job.name, ()))])

    def raises(self, job: Job) -> int:
        """Returns by how many priorities it counts higher, for it has waited so long."""
        return self._raised.get(job.name, 0)

    def stays(self, job: Job, now: float) -> bool:
        """Tells whether the job keeps a slot because it has just got one, or is about to."""
        if not job.admitted:
            return False
        since = self._served_since.get(job.name)
        return since is None or now - since < STAY_SECONDS

    def hold_back(self, names: Iterable[str]) -> None:
        """Lets the time not count in which its own namespace's quotas kept a job waiting."""
        for name in names:
            if self._time is not None:
                self._waits[name] = self._time
            self._raised.pop(name, None)

    def served(self, namespace: str) -> float:
        """Returns how far a namespace is ahead of the one served least: cluster-seconds."""
        return self._namespaces.get(namespace, 0.0)

    def served_job(self, job: str) -> float:
        """Returns how far a job is ahead of its namespace's that was served least."""
        return self._jobs.get(job, 0.0)

    def _forget(self, present: set[str]) -> None:
        tables: tuple[dict[str, Any], ...] = (
            self._lacked,
            self._peaks,
            self._waits,
            self._served_since,
            self._raised,
            self._jobs,
        )
        for table in tables:
            for name in [name for name in table if name not in present]:
                del table[name]

    def _note(self, job: Job, now: float) -> None:
        peaks = [(t, d) for t, d in self._peaks.get(job.name, ()) if now - t < DEMAND_SECONDS]
        asked = job.busy + job.waiting
        # Only what isn't outdone by a later one says anything.
        peaks = [(t, d) for t, d in peaks if d > asked]
        self._peaks[job.name] = [*peaks, (now, asked)]
        if not job.admitted:
            self._served_since.pop(job.name, None)
        if job.slots_held:
            self._served_since.setdefault(job.name, now)
            if now - self._served_since[job.name] >= STAY_SECONDS:
                self._raised.pop(job.name, None)
            self._waits[job.name] = now
            return
        begun = now if job.waits_since is None else min(now, job.waits_since)
        waited = now - self._waits.setdefault(job.name, begun)
        if waited >= AGING_SECONDS:
            self._raised[job.name] = int(waited / AGING_SECONDS)

    def _serve(self, world: World, wanting: set[str], whole: Shape, passed: float) -> None:
        """Charges what was held; who wants nothing more can't fall behind meanwhile."""
        for job in world.jobs:
            weight = world.account(job.namespace).quota.weight
            got = job.slots_held * job.shape.share_of(whole) * passed
            if got:
                self._namespaces[job.namespace] = (
                    self._namespaces.get(job.namespace, 0.0) + got / weight
                )
                self._jobs[job.name] = self._jobs.get(job.name, 0.0) + got
        spaces: dict[str, set[str]] = {}
        for job in world.jobs:
            spaces.setdefault(job.namespace, set()).add(job.name)
        hungry = {job.namespace for job in world.jobs if job.name in wanting}
        self._namespaces = _relative(self._namespaces, spaces.keys(), hungry, passed)
        for own in spaces.values():
            self._jobs |= _relative(
                {n: self._jobs.get(n, 0.0) for n in own}, own, own & wanting, passed
            )


def _relative(
    served: Mapping[str, float], present: Iterable[str], hungry: set[str], passed: float
) -> dict[str, float]:
    """Returns what was served in excess of the hungry one that was served least."""
    if hungry:
        least, fade = min(served.get(name, 0.0) for name in hungry), 1.0
    else:
        least, fade = 0.0, exp(-passed / FORGET_SECONDS)
    return {
        name: min(max(0.0, served.get(name, 0.0) - least) * fade, MOST_SERVICE_SECONDS)
        for name in present
    }
