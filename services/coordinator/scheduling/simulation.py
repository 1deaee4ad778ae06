"""A cluster of events instead of machines, under the very policy: what it promises, tried out.

Runners behave as real ones do: they hold as many slots as their share, wherever there is
room, finish what a slot has begun before they give it up, and report at every look.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from services.coordinator.scheduling.model import Account, Decision, Job, Rules, Shape, World
from services.coordinator.scheduling.policy import Policy
from services.coordinator.scheduling.room import total
from services.coordinator.scheduling.simulated import Report, Story, Work

STARTUP_SECONDS = 6.0
"""What a driver takes before it takes its first slot."""


class Dice(Protocol):
    """What is needed of `random.Random`; whoever simulates brings a seeded one."""

    def uniform(self, a: float, b: float) -> float:
        """Returns a number between the two."""
        ...

    def shuffle(self, x: list[str]) -> None:
        """Brings a list into any order."""
        ...


@dataclass
class _Runner:
    """A job as it runs."""

    work: Work
    story: Story
    left: int
    admitted: bool = False
    ready: float = 0.0
    share: int = 0
    avoid: frozenset[str] = frozenset()
    idle: dict[str, int] = field(default_factory=dict)
    busy: dict[str, int] = field(default_factory=dict)
    without_since: float = 0.0

    @property
    def held(self) -> dict[str, int]:
        nodes = self.idle.keys() | self.busy.keys()
        found = {n: self.idle.get(n, 0) + self.busy.get(n, 0) for n in sorted(nodes)}
        return {node: slots for node, slots in found.items() if slots}

    @property
    def slots(self) -> int:
        return sum(self.idle.values()) + sum(self.busy.values())

    @property
    def working(self) -> int:
        return sum(self.busy.values())

    @property
    def waiting(self) -> int:
        return max(0, min(self.left, self.work.width - self.working))


class Simulation:
    """One run. The same arguments give the same one."""

    def __init__(
        self,
        works: Iterable[Work],
        nodes: Mapping[str, Shape],
        dice: Dice,
        rules: Rules | None = None,
        accounts: Mapping[str, Account] | None = None,
        look_seconds: float = 2.0,
    ) -> None:
        """Takes jobs, a cluster, and what is random of it.

        Args:
            works: Jobs.
            nodes: What each node has.
            dice: A seeded generator.
            rules: What an operator has set.
            accounts: What namespaces may take.
            look_seconds: How often the policy decides.
        """
        self._nodes = dict(nodes)
        self._whole = total(self._nodes.values())
        self._free = dict(nodes)
        self._dice = dice
        self._policy = Policy(rules or Rules())
        self._rules = rules or Rules()
        self._accounts = dict(accounts or {})
        self._look_seconds = look_seconds
        self._runners = {w.name: _Runner(w, Story(), w.packets) for w in works}
        self._present: dict[str, _Runner] = {}
        self._ends: list[tuple[float, int, str, str]] = []
        self._count = 0
        self._now = 0.0
        self._seen = 0.0
        self._idle_since: float | None = None
        self._kept: set[tuple[str, str, float]] = set()
        self.report = Report(jobs={n: r.story for n, r in self._runners.items()})

    def run(self, seconds: float) -> Report:
        """Runs for so long, or until every job has ended."""
        steps = int(seconds / self._look_seconds)
        for step in range(steps + 1):
            at = step * self._look_seconds
            while self._ends and self._ends[0][0] <= at:
                end, _, name, node = heapq.heappop(self._ends)
                self._pass(end)
                self._ended_packet(self._present[name], node)
            self._pass(at)
            self._look()
            if all(runner.story.ended is not None for runner in self._runners.values()):
                break
        if self._idle_since is not None:
            self.report.lengths.append(self._now - self._idle_since)
        self.report.busy_share /= max(self._now, 1e-9)
        return self.report

    def _pass(self, to: float) -> None:
        """Lets time go by, and counts who held what meanwhile."""
        passed, self._now = to - self._now, to
        for runner in self._present.values():
            part = runner.work.shape.share_of(self._whole)
            got = runner.slots * passed
            space = runner.work.namespace
            runner.story.slot_seconds += got
            self.report.slot_seconds[space] = self.report.slot_seconds.get(space, 0.0) + got
            self.report.busy_share += runner.working * part * passed

    def _look(self) -> None:
        for name, runner in self._runners.items():
            here = runner.work.arrives <= self._now and runner.story.ended is None
            if here and name not in self._present:
                self._present[name] = runner
                runner.without_since = runner.work.arrives
        decision = self._policy.decide(self._world())
        self._apply(decision)
        order = sorted(self._present)
        self._dice.shuffle(order)
        for name in order:
            self._act(self._present[name])
        for name in [n for n, r in self._present.items() if r.story.ended is not None]:
            del self._present[name]
        self._observe(decision)

    def _world(self) -> World:
        jobs = [
            Job(
                name=name,
                namespace=runner.work.namespace,
                shape=runner.work.shape,
                priority=runner.work.priority,
                created=runner.work.arrives,
                waits_since=runner.work.arrives if runner.story.first_slot is None else None,
                limit=runner.work.limit,
                admitted=runner.admitted,
                share=runner.share if runner.admitted else None,
                held=runner.held,
                busy=runner.working,
                waiting=runner.waiting if runner.admitted and self._now >= runner.ready else 0,
            )
            for name, runner in self._present.items()
        ]
        return World(self._now, self._nodes, tuple(jobs), self._accounts)

    def _apply(self, decision: Decision) -> None:
        self.report.decisions.append(dict(decision.shares))
        for name, share in decision.shares.items():
            runner = self._present[name]
            if name in decision.admitted:
                runner.admitted, runner.ready = True, self._now + STARTUP_SECONDS
            if share is not None and share != runner.share:
                self.report.changes += 1
                runner.share = share
            runner.avoid = decision.avoid.get(name, frozenset())

    def _act(self, runner: _Runner) -> None:
        """Does what a runner does when it has been told its share."""
        if not runner.admitted or self._now < runner.ready:
            return
        for node in list(runner.idle):
            while runner.idle.get(node) and (node in runner.avoid or runner.slots > runner.share):
                self._drop(runner, node)
        able = [n for n in self._nodes if n not in runner.avoid]
        self._dice.shuffle(able)
        for node in able:
            while runner.slots < runner.share and runner.work.shape.fits(self._free[node]):
                self._free[node] = self._free[node].plus(runner.work.shape, -1)
                runner.idle[node] = runner.idle.get(node, 0) + 1
                if runner.story.first_slot is None:
                    runner.story.first_slot = self._now
        if runner.share:
            for node in list(runner.idle):
                while runner.idle.get(node) and runner.waiting:
                    self._begin_packet(runner, node)
        if not runner.left and not runner.working:
            self._leave(runner)
            runner.story.ended = self._now
        elif not runner.share and not runner.slots:
            self._leave(runner)
            runner.story.returns += 1

    def _begin_packet(self, runner: _Runner, node: str) -> None:
        runner.idle[node] -= 1
        runner.busy[node] = runner.busy.get(node, 0) + 1
        runner.left -= 1
        self._count += 1
        end = self._now + self._dice.uniform(*runner.work.seconds)
        heapq.heappush(self._ends, (end, self._count, runner.work.name, node))

    def _ended_packet(self, runner: _Runner, node: str) -> None:
        runner.busy[node] -= 1
        runner.idle[node] = runner.idle.get(node, 0) + 1
        if node in runner.avoid or runner.slots > runner.share:
            self._drop(runner, node)
        elif runner.waiting:
            self._begin_packet(runner, node)

    def _drop(self, runner: _Runner, node: str) -> None:
        runner.idle[node] -= 1
        self._free[node] = self._free[node].plus(runner.work.shape)

    def _leave(self, runner: _Runner) -> None:
        for node, slots in runner.idle.items():
            self._free[node] = self._free[node].plus(runner.work.shape, slots)
        runner.idle, runner.busy, runner.admitted, runner.share = {}, {}, False, 0

    def _observe(self, decision: Decision) -> None:
        """Notes what the promises are about."""
        report = self.report
        inside = [r for r in self._present.values() if r.admitted]
        report.most_inside = max(report.most_inside, len(inside))
        for space in {r.work.namespace for r in inside}:
            own = [r for r in inside if r.work.namespace == space]
            slots = sum(r.slots for r in own)
            report.most_slots[space] = max(report.most_slots.get(space, 0), slots)
            report.most_jobs[space] = max(report.most_jobs.get(space, 0), len(own))
        for runner in self._present.values():
            if runner.slots:
                runner.without_since = self._now
            wait = self._now - runner.without_since
            runner.story.longest_wait = max(runner.story.longest_wait, wait)
        report.reserved_idle_share = max(report.reserved_idle_share, decision.reserved_idle_share)
        self._kept |= {(r.node, r.job, r.since) for r in decision.reservations}
        report.reservations = len(self._kept)
        if not decision.reservations and self._wasted(list(self._present.values())):
            if self._idle_since is None:
                self._idle_since = self._now
        elif self._idle_since is not None:
            report.lengths.append(self._now - self._idle_since)
            self._idle_since = None

    def _wasted(self, runners: Sequence[_Runner]) -> bool:
        """Tells whether a slot is free, and somebody might use it."""
        inside = sum(r.admitted for r in runners)
        for runner in runners:
            quota = self._accounts.get(runner.work.namespace, Account()).quota
            own = [r for r in runners if r.work.namespace == runner.work.namespace]
            if quota.max_slots is not None and sum(r.slots for r in own) >= quota.max_slots:
                continue
            if runner.admitted:
                at_limit = runner.work.limit is not None and runner.slots >= runner.work.limit
                wants = self._now >= runner.ready and not at_limit and runner.waiting > 0
                wants = wants and not any(runner.idle.values()) and runner.share > 0
            else:
                most = quota.max_running_jobs
                wants = inside < self._rules.max_running_jobs and (
                    most is None or sum(r.admitted for r in own) < most
                )
            if wants and any(runner.work.shape.fits(room) for room in self._free.values()):
                return True
        return False
