"""Handing out slots one by one: priority first, then whoever has least for its weight.

Progressive filling of dominant shares (Ghodsi et al. 2011, "Dominant Resource Fairness"),
in whole slots. What whole slots can't even out at once is evened out over time: who was
served more stands back.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from services.coordinator.scheduling.history import History
from services.coordinator.scheduling.model import Job, World
from services.coordinator.scheduling.room import Room

HORIZON_SECONDS = 60.0
"""Being ahead by so many seconds of the whole cluster weighs as much as having all of it."""

MOST_SLOTS = 1.5
"""But nobody stands back by more than this: a long packet isn't paid back with all of a share."""

SWITCH_SECONDS = 30.0
"""A slot changes hands only for who is behind by so many seconds of that slot."""


@dataclass
class Claim:
    """What a job may get in one filling.

    Attributes:
        job: The job.
        wanted: Slots that it can use.
        most: Slots that it may have at all.
        first: The priority at which its first slot is claimed.
        stays: Whether it keeps one slot before others of that priority are served.
        barred: Nodes that it can't use.
        share: What a slot is of the cluster, from 0 to 1.
        kept: Whether room for one slot has been taken for it beforehand.
        got: Slots that it was given.
        why: What kept it from more; empty where nothing did.
        own_fault: Whether that is a quota of its namespace.
    """

    job: Job
    wanted: int
    most: int
    first: int
    stays: bool
    barred: frozenset[str]
    share: float
    kept: bool = False
    got: int = 0
    why: str = ""
    own_fault: bool = False

    @property
    def short(self) -> bool:
        """Whether it could use more than it got."""
        return self.got < min(self.wanted, self.most)


@dataclass
class _Space:
    """A namespace while slots are handed out."""

    weight: float
    most_slots: float
    most_jobs: float
    ahead: float
    widest: float = 0.0
    slots: int = 0
    jobs: int = 0
    share: float = 0.0
    firsts: list[Claim] = field(default_factory=list)
    more: list[Claim] = field(default_factory=list)


class Filling:
    """One handing out of a cluster's slots.

    Attributes:
        turns: Jobs in the order in which they had their turn, served or not.
    """

    def __init__(
        self,
        world: World,
        history: History,
        room: Room,
        claims: Iterable[Claim],
        max_jobs: int,
    ) -> None:
        """Takes jobs that may get something; those that are leaving have their place still.

        Args:
            world: The present.
            history: What was before.
            room: What of it can be given.
            claims: What jobs may get.
            max_jobs: Jobs that may run at once, those that are leaving not counted.
        """
        self.turns: list[str] = []
        self._history = history
        self._room = room
        self._claims = {claim.job.name: claim for claim in claims}
        self._places = max_jobs
        self._spaces: dict[str, _Space] = {}
        for job in world.jobs:
            if job.namespace not in self._spaces:
                quota = world.account(job.namespace).quota
                self._spaces[job.namespace] = _Space(
                    weight=quota.weight,
                    most_slots=float("inf") if quota.max_slots is None else quota.max_slots,
                    most_jobs=(
                        float("inf") if quota.max_running_jobs is None else quota.max_running_jobs
                    ),
                    ahead=history.served(job.namespace),
                )
            if job.leaving:
                self._spaces[job.namespace].jobs += 1
        for claim in self._claims.values():
            space = self._spaces[claim.job.namespace]
            space.widest = max(space.widest, claim.share)

    def needed(self) -> None:
        """Hands out what is wanted."""
        claims = self._claims.values()
        levels = {claim.first for claim in claims} | {claim.job.priority for claim in claims}
        for level in sorted(levels, reverse=True):
            firsts = [c for c in claims if c.first == level and not c.got and not c.why]
            for claim in sorted(firsts, key=lambda c: c.job.seniority):
                if claim.stays:
                    self._give(claim)
            more = [c for c in claims if c.job.priority == level and c.got and c.short]
            waiting = [c for c in firsts if not c.got and not c.why]
            self._share_out(waiting, more, level, self._due)

    def more(self, room: Room) -> None:
        """Hands out, of what is wanted, what fits other room than was thought of."""
        before, self._room = self._room, room
        found = [c for c in self._claims.values() if c.why == "no room"]
        for claim in found:
            claim.why = ""
            if claim.got < claim.job.slots_held:
                # It is to give some up, and not to have others in their place.
                claim.most = claim.got
        self.needed()
        self._room = before

    def spare(self) -> None:
        """Hands out what nobody wants, so that nobody has to ask for it first."""
        for claim in self._claims.values():
            claim.wanted = claim.most
        some = [c for c in self._claims.values() if c.got and c.short]
        self._share_out([], some, None, lambda space, claim: claim.got * claim.share)

    def _share_out(
        self,
        firsts: Sequence[Claim],
        more: Sequence[Claim],
        level: int | None,
        job_key: Callable[[_Space, Claim], float],
    ) -> None:
        for space in self._spaces.values():
            space.firsts, space.more = [], []
        for claim in firsts:
            self._spaces[claim.job.namespace].firsts.append(claim)
        for claim in more:
            self._spaces[claim.job.namespace].more.append(claim)
        for space in self._spaces.values():
            # Who runs goes before who waits; popped from the end.
            space.firsts.sort(key=lambda c: (not c.job.admitted, c.job.seniority), reverse=True)
        heap: list[tuple[float, str]] = []
        chosen: dict[str, Claim] = {}

        def push(name: str) -> None:
            space = self._spaces[name]
            claim = space.firsts[-1] if space.firsts else None
            if claim is None and space.more:
                claim = min(space.more, key=lambda c: (job_key(space, c), c.job.seniority))
            if claim is not None:
                chosen[name] = claim
                heapq.heappush(heap, (self._key(space, claim, level is not None), name))

        for name in sorted(self._spaces):
            push(name)
        while heap:
            _, name = heapq.heappop(heap)
            space, claim = self._spaces[name], chosen[name]
            was_first = claim.got == 0
            given = self._give(claim)
            if was_first:
                space.firsts.pop()
                if given and claim.short and claim.job.priority == level:
                    space.more.append(claim)
            elif not given or not claim.short:
                space.more.remove(claim)
            push(name)

    def _key(self, space: _Space, claim: Claim, past_counts: bool) -> float:
        """Returns how far a namespace is from its due; the least is served next."""
        ahead = 0.0
        if past_counts:
            most = MOST_SLOTS * space.widest / space.weight
            ahead = min(space.ahead / HORIZON_SECONDS, most)
        return space.share / space.weight + ahead - _kept(claim) / space.weight

    def _due(self, space: _Space, claim: Claim) -> float:
        """Returns how far a job is from its due in its namespace."""
        ahead = self._history.served_job(claim.job.name) / HORIZON_SECONDS
        ahead = min(ahead, MOST_SLOTS * claim.share)
        return claim.got * claim.share + ahead - _kept(claim)

    def _give(self, claim: Claim) -> bool:
        """Gives a job another slot; tells whether it did, and else notes why not."""
        job, space = claim.job, self._spaces[claim.job.namespace]
        if not claim.got:
            self.turns.append(job.name)
        if not claim.got and space.jobs >= space.most_jobs:
            claim.why = f"{job.namespace} has {space.jobs} of its {space.most_jobs:g} running jobs"
            claim.own_fault = True
        elif not claim.got and self._places <= 0:
            claim.why = "as many jobs run as may at once"
        elif space.slots >= space.most_slots:
            claim.why = f"{job.namespace} has {space.slots} of its {space.most_slots:g} slots"
            claim.own_fault = True
        elif claim.got >= claim.most or not self._placed(claim):
            claim.why = "no room"
        else:
            if not claim.got:
                space.jobs += 1
                self._places -= 1
            claim.got += 1
            space.slots += 1
            space.share += claim.share
            return True
        return False

    def _placed(self, claim: Claim) -> bool:
        if claim.kept:
            claim.kept = False
            return True
        return self._room.place(claim.job, claim.barred) is not None


def _kept(claim: Claim) -> float:
    """Returns by how much a slot that a job has already is easier to get."""
    has = (claim.job.share or 0) if claim.job.admitted else 0
    return claim.share * SWITCH_SECONDS / HORIZON_SECONDS if claim.got < has else 0.0
