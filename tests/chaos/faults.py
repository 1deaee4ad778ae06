"""Faults of processes: who is struck, how, and whether anybody was there to be."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from tests.chaos.keeper import Keeper
from tests.chaos.machinery import Coordinator, Postgres, Service
from tests.chaos.rays import RayHead, RayNode
from tests.processes import Seen, descendants, with_variable


@dataclass
class Stage:
    """Where the storm is: every service, and what keeps them."""

    coordinators: list[Coordinator]
    head: RayHead
    nodes: list[RayNode]
    postgres: Postgres
    keeper: Keeper
    rng: np.random.Generator
    frozen: dict[Seen, threading.Timer] = field(default_factory=dict)

    def one_of(self, found: Sequence[Seen]) -> list[Seen]:
        """Returns one of them, drawn; none of none."""
        free = [one for one in found if one not in self.frozen]
        return [free[int(self.rng.integers(len(free)))]] if free else []

    def freeze(self, processes: Sequence[Seen], seconds: float) -> int:
        """SIGSTOPs processes, and has them go on after so many seconds."""
        stopped = [one for one in processes if one.send(signal.SIGSTOP)]
        timer = threading.Timer(seconds, self.thaw, [stopped])
        timer.daemon = True
        self.frozen |= dict.fromkeys(stopped, timer)
        timer.start()
        return len(stopped)

    def thaw(self, processes: Sequence[Seen] | None = None) -> None:
        """SIGCONTs processes: all of them by default."""
        for one in [*self.frozen] if processes is None else processes:
            one.send(signal.SIGCONT)
            timer = self.frozen.pop(one, None)
            if timer is not None and processes is None:
                timer.cancel()

    def runners(self) -> list[Seen]:
        """Returns the drivers of jobs."""
        return [
            one
            for one in descendants(os.getpid())
            if one.command.endswith("-m services.runner")
            and "python" in one.command.split()[0]
            and with_variable(one.pid, "TUNER_RUNNER_JOB")
        ]

    def slots(self) -> list[Seen]:
        """Returns the workers that run trials."""
        return [
            one
            for one in descendants(os.getpid())
            # Ray Tune's own name of one that has its resources told.
            if one.command.startswith(("ray::ResourceTrainable", "ray::SlotWorker"))
        ]

    def raylets(self) -> list[Seen]:
        """Returns the raylets of the nodes that do the work."""
        return [raylet for node in self.nodes if (raylet := node.raylet())]

    def leading(self, leads: bool) -> list[Coordinator]:
        """Returns the coordinators that lead, or those that don't."""
        return [c for c in self.coordinators if c.pid is not None and c.leads() is leads]


def _first(services: Sequence[Service]) -> list[Seen]:
    return [one for service in services for one in service.tree()[:1]]


_TARGETS: dict[str, Callable[[Stage], list[Seen]]] = {
    "leader": lambda stage: _first(stage.leading(True))[:1],
    "follower": lambda stage: _first(stage.leading(False))[:1],
    "runner": lambda stage: stage.one_of(stage.runners()),
    "trial worker": lambda stage: stage.one_of(stage.slots()),
    "raylet": lambda stage: stage.one_of(stage.raylets()),
    "head node": lambda stage: stage.head.tree(),
    "PostgreSQL": lambda stage: stage.postgres.tree(),
}

TARGETS = tuple(_TARGETS)


@dataclass(frozen=True)
class Fault:
    """One fault of a process.

    Attributes:
        target: One of TARGETS.
        frozen: Seconds that it is stopped for; 0 kills it.
        away: Seconds before a killed service is started again.
        waits: Whether the storm waits for the recovery before the next fault.
        way: How PostgreSQL is killed: all of it, its first process, or by an immediate stop.
    """

    target: str
    frozen: float = 0.0
    away: float = 0.0
    waits: bool = True
    way: str = ""

    @property
    def kind(self) -> str:
        """What it is called in the report."""
        if not self.frozen:
            return f"{self.target} killed"
        return f"{self.target} frozen for {'a minute' if self.frozen >= 60 else 'seconds'}"

    def strike(self, stage: Stage) -> str:
        """Strikes; tells whom. Empty where nobody was there."""
        found = _TARGETS[self.target](stage)
        if not found:
            return ""
        if self.frozen:
            count = stage.freeze(found, self.frozen)
            return f"{found[0].pid} for {self.frozen:.1f} s" if count else ""
        for service in (*stage.coordinators, *stage.nodes, stage.head, stage.postgres):
            if found[0].pid in {one.pid for one in service.tree()}:
                stage.keeper.stays_away(service, self.away)
        return str(found[0].pid) if self._killed(stage, found) else ""

    def _killed(self, stage: Stage, found: list[Seen]) -> bool:
        if self.way == "postmaster":
            return stage.postgres.kill_postmaster()
        if self.way == "immediate":
            return stage.postgres.stop_at_once()
        if self.target == "head node":
            return stage.head.kill()
        if self.target == "PostgreSQL":
            return stage.postgres.kill()
        return sum(one.send(signal.SIGKILL) for one in found) > 0
