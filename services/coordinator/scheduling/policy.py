"""The policy: from how things are to who gets what, and why. It remembers; no clock, no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache

from services.coordinator.scheduling.filling import Claim, Filling
from services.coordinator.scheduling.memory import Memory
from services.coordinator.scheduling.model import Decision, Job, Rules, Shape, World
from services.coordinator.scheduling.room import Room, free_now, obtainable, total
from services.coordinator.scheduling.settling import Settling

_ENDLESS = {"": Shape(1e9, 1e9)}
"""What a cluster that was never reached may have, for all that anybody knows."""


class Policy:
    """Decides, look by look. The same looks give the same decisions."""

    def __init__(self, rules: Rules) -> None:
        """Takes what an operator has set."""
        self._memory = Memory(rules)

    def decide(self, world: World) -> Decision:
        """Returns what is to be done now."""
        jobs = tuple(_draining(job) for job in world.jobs)
        world = replace(world, jobs=jobs)
        if world.nodes is None:
            once = tuple(replace(job, limit=1) for job in jobs)
            world = replace(world, nodes=_ENDLESS, jobs=once)
            seen = _Look(Memory(self._memory.rules), world, _ENDLESS).decide()
            # Nobody knows what there is: their drivers wait for the cluster, and take what fits.
            return Decision(
                shares=dict.fromkeys(seen.admitted),
                reasons={name: seen.reasons[name] for name in seen.order},
                admitted=seen.admitted,
                order=seen.order,
            )
        return _Look(self._memory, world, world.nodes).decide()


def _draining(job: Job) -> Job:
    """Returns the job; one that was told to make way doesn't stay after all."""
    return replace(job, leaving=True) if job.admitted and job.share == 0 else job


class _Look:
    """One decision in the making."""

    def __init__(self, memory: Memory, world: World, nodes: Mapping[str, Shape]) -> None:
        self._memory = memory
        self._world = world
        self._nodes = nodes
        self._whole = total(nodes.values())
        self._free = free_now(nodes, world.jobs)
        # The fullest are filled first, so that wide room stays where it is.
        self._order = sorted(nodes, key=lambda n: (self._free[n].share_of(self._whole), n))
        self._jobs = {job.name: job for job in world.jobs}
        self._levels = sorted({job.priority for job in world.jobs})
        # Many jobs have few shapes: which nodes a slot fits, and how many of it fit in all.
        self._able = {
            shape: frozenset(node for node, has in nodes.items() if shape.fits(has))
            for shape in {job.shape for job in world.jobs}
        }
        self._fits = {
            shape: sum(shape.times(nodes[node]) for node in able)
            for shape, able in self._able.items()
        }

    def decide(self) -> Decision:
        """Decides, and remembers what the next look wants to know."""
        now, memory = self._world.time, self._memory
        reservations, history = memory.reservations, memory.history
        passed = history.look(self._world, memory.wanting, self._whole)
        reservations.look(now, passed, self._jobs, self._free, self._whole)
        ideal, _ = self._fill({}, kept=False)
        blocked = self._blocked(ideal)
        entitled = [n for n, c in ideal.items() if c.got > self._jobs[n].slots_held]
        reservations.block(now, blocked, entitled)
        urgent = sorted(blocked, key=lambda n: (-ideal[n].first, self._jobs[n].seniority))
        asking = [(self._jobs[n], ideal[n].barred) for n in urgent]
        reservations.begin(now, asking, self._nodes, self._free, self._whole)
        claims, filling = self._lent(blocked)
        filling.more(self._really_free(claims))
        history.hold_back(n for n, c in claims.items() if c.own_fault and not c.job.admitted)
        memory.wanting = tuple(n for n, c in ideal.items() if c.short and not c.own_fault)
        memory.wanting += tuple(n for n in blocked if n not in memory.wanting)
        # Who has to make way would have stayed.
        memory.wanting += tuple(n for n, j in self._jobs.items() if j.leaving and j.share == 0)
        return Settling(memory, self._world, claims, filling, self._barred).decision(
            self._nodes, self._free, self._whole, self._fits
        )

    def _fill(self, most: Mapping[str, int], kept: bool) -> tuple[dict[str, Claim], Filling]:
        """Hands out what is wanted.

        Args:
            most: Slots that a job may have at most, where that is less than it wants.
            kept: Whether reservations count.
        """
        room = Room(self._nodes, self._order)
        claims = {}
        for job in self._world.jobs:
            # What those who leave hold still is as good as free: others may have come for it.
            if (
                not job.leaving
                and (claim := self._claim(job, most.get(job.name), kept)) is not None
            ):
                claims[job.name] = claim
        if kept:
            for reservation in self._memory.reservations.all:
                if reservation.job in claims:
                    room.take(reservation.node, claims[reservation.job].job.shape)
                    claims[reservation.job].kept = True
        leaving = sum(job.leaving for job in self._world.jobs)
        places = self._memory.rules.max_running_jobs - leaving
        filling = Filling(self._world, self._memory.history, room, claims.values(), places)
        filling.needed()
        return claims, filling

    def _claim(self, job: Job, most: int | None, kept: bool) -> Claim | None:
        """Returns what a job may get; None where it can get nothing at all."""
        fits = self._fits[job.shape]
        if not fits or self._world.account(job.namespace).spent:
            return None
        limits = [n for n in (job.limit, most, fits) if n is not None]
        history = self._memory.history
        return Claim(
            job=job,
            wanted=history.demand(job),
            most=min(limits),
            first=self._first(job),
            stays=history.stays(job, self._world.time),
            barred=self._barred(job, kept),
            share=job.shape.share_of(self._whole),
        )

    def _first(self, job: Job) -> int:
        """Returns the priority of its first slot: that of the next higher, once it is aged."""
        levels = self._levels
        at = levels.index(job.priority) + self._memory.history.raises(job)
        return levels[at] if at < len(levels) else levels[-1] + at - len(levels) + 1

    def _barred(self, job: Job, kept: bool) -> frozenset[str]:
        """Returns nodes that the job can't use: bad ones, and those kept for others.

        Never all of its nodes: rather a bad one than none; and what is kept of the only
        one is kept by giving less of it away.
        """
        able = self._able[job.shape]
        barred = self._world.bad_nodes & self._nodes.keys()
        if not able - barred:
            barred = frozenset()
        if kept:
            reserved = {r.node for r in self._memory.reservations.all if r.job != job.name}
            if able - barred - reserved:
                barred |= reserved
        return frozenset(barred)

    def _lent(self, blocked: frozenset[str]) -> tuple[dict[str, Claim], Filling]:
        """Hands out for good: what a blocked job can't use yet is lent to the others."""
        most: dict[str, int] = {}
        while True:
            for name in blocked:
                job = self._jobs[name]
                kept = 0 if self._memory.reservations.of(name) is None else 1
                fits = obtainable(job.shape, self._free, self._barred(job, kept=True), ())
                most[name] = job.slots_held + max(kept, fits)
            claims, filling = self._fill(most, kept=True)
            more = self._blocked(claims) - blocked
            if not more:
                return claims, filling
            blocked |= more

    def _really_free(self, claims: Mapping[str, Claim]) -> Room:
        """Returns what is free now, less what those take who are to grow.

        Slots were handed out as if each could be anywhere, and so perhaps not as well as
        they lie.
        """
        room = Room(self._free, self._order)
        for reservation in self._memory.reservations.all:
            if reservation.job in claims:
                room.take(reservation.node, claims[reservation.job].job.shape)
        for claim in sorted(claims.values(), key=lambda c: c.job.seniority):
            kept = 0 if self._memory.reservations.of(claim.job.name) is None else 1
            # What lies on nodes that it is to leave comes elsewhere.
            moves = sum(n for node, n in claim.job.held.items() if node in claim.barred)
            for _ in range(claim.got - (claim.job.slots_held - moves) - kept):
                room.place(claim.job, claim.barred)
        return room

    def _blocked(self, claims: Mapping[str, Claim]) -> frozenset[str]:
        """Returns jobs that were given more than will find room by itself."""
        releasing = [
            (claim.job, claim.job.slots_held - claim.got)
            for claim in claims.values()
            if claim.job.slots_held > claim.got
        ]
        releasing += [(job, job.slots_held) for job in self._world.jobs if job.leaving]

        # Many jobs have few shapes here, too.
        @cache
        def found(shape: Shape, barred: frozenset[str]) -> int:
            return obtainable(shape, self._free, barred, releasing)

        return frozenset(
            name
            for name, claim in claims.items()
            if claim.got > claim.job.slots_held
            and claim.got - claim.job.slots_held > found(claim.job.shape, claim.barred)
        )
