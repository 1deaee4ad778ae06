"""From what each job was given to what is done: shares that settle, and who may start."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from services.coordinator.scheduling.filling import Claim, Filling
from services.coordinator.scheduling.memory import Memory
from services.coordinator.scheduling.model import Decision, Job, Shape, World
from services.coordinator.scheduling.reasons import Reasons

SETTLE_SECONDS = 3.0
"""A share stays for so long, unless a higher priority, a quota or a new job changes it."""


class Settling:
    """Makes a decision of claims that were served."""

    def __init__(
        self,
        memory: Memory,
        world: World,
        claims: Mapping[str, Claim],
        filling: Filling,
        barred: Callable[[Job, bool], frozenset[str]],
    ) -> None:
        """Takes claims after what was wanted has been handed out, and what is left to hand out."""
        self._memory = memory
        self._world = world
        self._claims = claims
        self._filling = filling
        self._barred = barred
        self._entitled = {name: claim.got for name, claim in claims.items()}

    def decision(
        self,
        nodes: Mapping[str, Shape],
        free: Mapping[str, Shape],
        whole: Shape,
        fits: Mapping[Shape, int],
    ) -> Decision:
        """Returns what is to be done.

        Args:
            nodes: What each node has in all.
            free: What of it nobody holds.
            whole: What the cluster has.
            fits: How many slots of a shape fit in all.
        """
        reservations = self._memory.reservations
        reasons = Reasons(self._world, self._claims, nodes, fits, reservations)
        waits = {job.name: reasons.waits(job) for job in self._world.jobs if not job.admitted}
        order = self._order()
        admitted = self._admitted(order, free)
        self._filling.spare()
        shares = self._shares(admitted)
        # Where its namespace's slots are all held still, a job starts when one is given up.
        admitted = tuple(name for name in admitted if shares[name])
        shares = {n: s for n, s in shares.items() if s or n not in order}
        told = {
            job.name: reasons.runs(job, shares.get(job.name), shares)
            for job in self._world.jobs
            if job.admitted or job.name in admitted
        }
        return Decision(
            shares=shares,
            reasons=waits | told,
            admitted=admitted,
            order=tuple(name for name in order if name not in admitted),
            avoid={
                name: self._barred(claim.job, True)
                for name, claim in self._claims.items()
                if claim.job.admitted or name in admitted
            },
            reservations=reservations.all,
            capacity=whole.devices,
            reserved=reservations.idle_now(free, whole) * whole.devices,
            reserved_idle_share=reservations.idle_share,
        )

    def _order(self) -> list[str]:
        """Returns waiting jobs in the order in which they had their turn; then the others."""
        turns = {name: turn for turn, name in enumerate(self._filling.turns)}
        waiting = [job for job in self._world.jobs if not job.admitted]

        def key(job: Job) -> tuple[float, int, tuple[float, str]]:
            return turns.get(job.name, float("inf")), -job.priority, job.seniority

        return [job.name for job in sorted(waiting, key=key)]

    def _admitted(self, order: list[str], free: Mapping[str, Shape]) -> tuple[str, ...]:
        """Returns who may start: with a slot, and where those that make way have gone."""
        inside = [job for job in self._world.jobs if job.admitted or job.leaving]
        running: dict[str, int] = {}
        for job in inside:
            running[job.namespace] = running.get(job.namespace, 0) + 1
        places = self._memory.rules.max_running_jobs - len(inside)
        found = []
        for name in order:
            claim = self._claims.get(name)
            if claim is None or not claim.got or places <= 0:
                continue
            namespace = claim.job.namespace
            most = self._world.account(namespace).quota.max_running_jobs
            if most is not None and running.get(namespace, 0) >= most:
                continue
            if self._memory.reservations.of(name) is not None and not any(
                claim.job.shape.fits(room) for room in free.values()
            ):
                # Its node is still being emptied.
                continue
            found.append(name)
            places -= 1
            running[namespace] = running.get(namespace, 0) + 1
        return tuple(found)

    def _shares(self, admitted: tuple[str, ...]) -> dict[str, int | None]:
        """Returns the shares of those inside, settled and within their quotas."""
        now, changed = self._world.time, self._memory.changed
        present = {job.name for job in self._world.jobs}
        for name in [name for name in changed if name not in present]:
            del changed[name]
        found: dict[str, int | None] = {}
        for job in self._world.jobs:
            if job.leaving:
                found[job.name] = job.share
            elif job.admitted or job.name in admitted:
                found[job.name] = self._share(job, now)
        self._within_quotas(found)
        for job in self._world.jobs:
            if job.name in found and found[job.name] != job.share:
                changed[job.name] = now
        return found

    def _share(self, job: Job, now: float) -> int:
        claim = self._claims.get(job.name)
        if claim is None:
            if self._world.account(job.namespace).spent:
                return 0
            # No node has room for a slot of it any more; one may come back.
            return max(1, job.share or 0)
        due = claim.got
        if not job.admitted or job.share is None or due == job.share:
            return due
        settled = now - self._memory.changed.get(job.name, float("-inf")) >= SETTLE_SECONDS
        if settled or claim.own_fault or self._wanted_above(job):
            return due
        return job.share

    def _wanted_above(self, job: Job) -> bool:
        """Tells whether a higher priority is due slots that it doesn't hold yet."""
        return any(
            claim.first > job.priority and self._entitled[name] > claim.job.slots_held
            for name, claim in self._claims.items()
        )

    def _within_quotas(self, shares: dict[str, int | None]) -> None:
        """Lets nobody grow into slots that its namespace's others still hold."""
        for namespace in sorted({job.namespace for job in self._world.jobs}):
            most = self._world.account(namespace).quota.max_slots
            if most is None:
                continue
            own = [job for job in self._world.jobs if job.namespace == namespace]
            used = {
                j.name: max(j.slots_held, min(shares.get(j.name) or 0, j.share or 0)) for j in own
            }
            left = most - sum(used.values())
            for job in sorted(own, key=lambda j: j.seniority):
                due = shares.get(job.name)
                if due is None or due <= used[job.name]:
                    continue
                grown = min(due, used[job.name] + max(0, left))
                left -= grown - used[job.name]
                shares[job.name] = grown
