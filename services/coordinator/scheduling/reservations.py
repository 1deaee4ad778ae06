"""Keeping a node for a slot that fits nowhere because smaller ones always come first."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence

from services.coordinator.scheduling.model import Job, Reservation, Rules, Shape

WINDOW_SECONDS = 3600.0
"""What reservations cost is counted over an hour."""

CHUNK_SECONDS = 60.0
"""And that by the minute."""


class Idle:
    """How much of the cluster reservations kept idle in the last hour."""

    def __init__(self) -> None:
        # (when the minute began, its share of the cluster times seconds)
        self._minutes: deque[tuple[float, float]] = deque()

    def add(self, now: float, share: float, seconds: float) -> None:
        """Notes that a share of the cluster was idle for so many seconds until now."""
        while self._minutes and self._minutes[0][0] <= now - WINDOW_SECONDS:
            self._minutes.popleft()
        if share * seconds <= 0:
            return
        if self._minutes and now - self._minutes[-1][0] < CHUNK_SECONDS:
            begun, sum_before = self._minutes.pop()
            self._minutes.append((begun, sum_before + share * seconds))
        else:
            self._minutes.append((now, share * seconds))

    @property
    def share(self) -> float:
        """Its share of the whole cluster over the hour, from 0 to 1."""
        return sum(idle for _, idle in self._minutes) / WINDOW_SECONDS


class Reservations:
    """Nodes that are kept, and jobs that may ask for one."""

    def __init__(self, rules: Rules) -> None:
        """Takes what an operator has set; nothing is kept yet."""
        self._rules = rules
        self._kept: dict[str, Reservation] = {}
        self._blocked_since: dict[str, float] = {}
        self._idle = Idle()

    @property
    def all(self) -> tuple[Reservation, ...]:
        """Those that stand, by job."""
        return tuple(self._kept[job] for job in sorted(self._kept))

    @property
    def idle_share(self) -> float:
        """What of the cluster they kept idle in the last hour."""
        return self._idle.share

    def of(self, job: str) -> Reservation | None:
        """Returns the job's, if it has one."""
        return self._kept.get(job)

    def blocked_since(self, job: str) -> float | None:
        """Returns since when a job has waited for room that doesn't come by itself."""
        return self._blocked_since.get(job)

    def idle_now(self, free: Mapping[str, Shape], whole: Shape) -> float:
        """Returns the share of the cluster that lies idle on kept nodes."""
        kept = {reservation.node for reservation in self._kept.values()}
        return sum(_positive(free[node]).share_of(whole) for node in kept if node in free)

    def look(
        self,
        now: float,
        passed: float,
        jobs: Mapping[str, Job],
        free: Mapping[str, Shape],
        whole: Shape,
    ) -> None:
        """Counts what they cost, and ends those that are filled, useless or too dear."""
        self._idle.add(now, self.idle_now(free, whole), passed)
        for name, kept in list(self._kept.items()):
            job = jobs.get(name)
            if job is None or job.leaving or kept.node not in free:
                del self._kept[name]
            elif job.held.get(kept.node, 0) > kept.before:
                del self._kept[name]
                self._blocked_since.pop(name, None)
            elif (
                now - kept.since > self._rules.reserve_patience
                or self.idle_share > self._rules.reserve_idle_share
            ):
                del self._kept[name]
                # It waits anew before it may ask again.
                self._blocked_since[name] = now

    def block(self, now: float, blocked: Iterable[str], entitled: Iterable[str]) -> None:
        """Notes who is due more than it has, and for whom room won't come by itself."""
        due, names = set(entitled), set(blocked)
        for name in [name for name in self._kept if name not in due]:
            del self._kept[name]
        for name in [n for n in self._blocked_since if n not in names and n not in self._kept]:
            del self._blocked_since[name]
        for name in names:
            self._blocked_since.setdefault(name, now)

    def begin(
        self,
        now: float,
        claimants: Sequence[tuple[Job, frozenset[str]]],
        nodes: Mapping[str, Shape],
        free: Mapping[str, Shape],
        whole: Shape,
    ) -> None:
        """Keeps a node for those that have waited long enough.

        Args:
            now: Now.
            claimants: Blocked jobs, the most urgent first, each with nodes that it can't use.
            nodes: What each node has in all.
            free: What of it nobody holds.
            whole: What the cluster has.
        """
        for job, barred in claimants:
            since = self._blocked_since.get(job.name)
            if since is None or job.name in self._kept:
                continue
            if now - since < self._rules.reserve_after:
                continue
            taken = {reservation.node for reservation in self._kept.values()}
            room = {
                node: has.plus(job.shape, -job.held.get(node, 0))
                for node, has in nodes.items()
                if node not in barred and node not in taken
            }
            able = [node for node, rest in room.items() if job.shape.fits(rest)]
            if not able:
                continue
            # Where others hold least is soonest free, as far as anybody knows.
            node = min(able, key=lambda n: (_held(room[n], free[n]).share_of(whole), n))
            if self._affordable(nodes, taken | {node}, whole):
                before = job.held.get(node, 0)
                self._kept[job.name] = Reservation(node, job.name, now, before)

    def _affordable(self, nodes: Mapping[str, Shape], kept: set[str], whole: Shape) -> bool:
        """Tells whether these may be kept at once: one may always be, if the hour allows it."""
        most = self._rules.reserve_idle_share
        if most <= 0 or self.idle_share >= most:
            return False
        return len(kept) == 1 or sum(nodes[n].share_of(whole) for n in kept) <= most


def _positive(room: Shape) -> Shape:
    return Shape(max(0.0, room.cpus), max(0.0, room.gpus))


def _held(has: Shape, free: Shape) -> Shape:
    return has.plus(free, -1)
