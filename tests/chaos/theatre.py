"""Builds the stage: every service, the proxies before the coordinators, and the way out."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.chaos.faults import Stage
from tests.chaos.keeper import Keeper, leftovers
from tests.chaos.machinery import Coordinator, Postgres
from tests.chaos.mischief import OFTEN, Quiet
from tests.chaos.proxy import Mischief, Mode, Proxy
from tests.chaos.rays import RayHead, RayNode
from tests.processes import adopting, bury, descendants, zombies
from tests.ray_head import free_ports
from tuner import Client

KILL_PAUSE_SECONDS = 13.0
"""Between two deaths of coordinators at calls, so that the calls of a storm aren't one."""
LEFTOVER_SECONDS = 30.0
COORDINATORS = 2


@dataclass
class Theatre:
    """All that there is.

    Attributes:
        stage: The services.
        addresses: Where the coordinators are called, through the proxies.
        home: Where logs and state are.
        switch: Says what befalls calls: nothing, until it is turned.
    """

    stage: Stage
    addresses: str
    home: Path
    switch: Switch
    _leave: float = 0.0

    def client(self) -> Client:
        """Returns a new connection, with the root token."""
        token = (self.home / "token").read_text(encoding="utf-8").strip()
        return Client(self.addresses, token)

    def may_kill(self, method: str) -> bool:
        """Gives leave to kill a coordinator at a call: all live, and have for a while."""
        now = time.monotonic()
        latest = max(self._leave, *(c.since for c in self.coordinators))
        # What is seldom called goes first.
        pause = KILL_PAUSE_SECONDS * (1.5 if method in OFTEN else 1)
        if any(c.pid is None for c in self.coordinators) or now - latest < pause:
            return False
        self._leave = now
        return True

    @property
    def coordinators(self) -> list[Coordinator]:
        """The coordinators."""
        return self.stage.coordinators

    def takeovers(self) -> int:
        """Returns how often the schedulers' lease has changed hands."""
        found = self.stage.postgres.one("SELECT epoch FROM leases WHERE name = 'scheduler'")
        return int(found) - 1 if found is not None else 0


class Switch:
    """The mischief of the moment, so that no proxy has to be made anew for it."""

    def __init__(self) -> None:
        self.now: Mischief = Quiet()

    def next(self, method: str) -> Mode | None:
        return self.now.next(method)

    def hit(self, method: str, mode: Mode) -> None:
        self.now.hit(method, mode)


@contextmanager
def theatre(
    home: Path, seed: int, say: Callable[[str], None], nodes: int, cpus: int, abreast: int
) -> Iterator[Theatre]:
    """Starts everything, waits until it serves, and ends it in order.

    Args:
        home: Folder of logs and state.
        seed: What is drawn on the stage is drawn from it.
        say: Tells what happens.
        nodes: Nodes of the cluster that do work.
        cpus: Slots of each. The work mostly waits: there may be more than cores.
        abreast: Jobs that run at once.

    Raises:
        AssertionError: Something doesn't come up, or a process outlives the end.
    """
    home.mkdir(parents=True, exist_ok=True)
    for name in ("token", "ray-token"):
        path = home / name
        path.write_text(secrets.token_hex(24), encoding="utf-8")
        path.chmod(0o600)
    before = {one.pid for one in descendants(os.getpid())}
    others = zombies(os.getpid()) | before
    with ExitStack() as ends:
        ends.enter_context(adopting())
        # Orphans of services that died have become children of this process.
        ends.callback(lambda: bury(zombies(os.getpid()) - others))
        postgres, head, workers = _services(home, ends, nodes, cpus)
        fronts = free_ports(COORDINATORS)
        addresses = ",".join(f"127.0.0.1:{port}" for port in fronts)
        crew = [
            Coordinator(
                f"coordinator-{at}",
                home,
                port,
                postgres.url,
                head.dashboard,
                addresses,
                MAX_RUNNING_JOBS=str(abreast),
            )
            for at, port in enumerate(free_ports(COORDINATORS), 1)
        ]
        for one in crew:
            ends.callback(one.stop)
        keeper = Keeper([postgres, head, *workers, *crew], say)
        stage = Stage(crew, head, workers, postgres, keeper, np.random.default_rng([seed, 2]))
        switch = Switch()
        for port, one in zip(fronts, crew, strict=True):
            ends.enter_context(Proxy(port, one.address, switch, one.kill))
        with keeper:
            try:
                _wait(keeper.all_up, "the stack to come up", 120)
                say("every service is up")
                yield Theatre(stage, addresses, home, switch)
            finally:
                stage.thaw()
        for service in (*crew, *workers, head, postgres):
            service.stop()
        left = leftovers(os.getpid(), before, LEFTOVER_SECONDS)
        assert not left, f"still there: {[(one.pid, one.command[:80]) for one in left]}"


def _services(
    home: Path, ends: ExitStack, nodes: int, cpus: int
) -> tuple[Postgres, RayHead, list[RayNode]]:
    postgres = Postgres("postgres", home)
    ends.callback(postgres.remove)
    postgres.prepare()
    head = RayHead("head", home)
    ends.callback(head.remove)
    workers = [RayNode(f"node-{at}", home, cpus, head) for at in range(1, nodes + 1)]
    for service in (postgres, head, *workers):
        ends.callback(service.stop)
    postgres.start()
    _wait(postgres.up, "PostgreSQL", 30)
    postgres.make_database()
    return postgres, head, workers


def _wait(met: Callable[[], bool], what: str, patience: float) -> None:
    until = time.monotonic() + patience
    while not met():
        assert time.monotonic() < until, f"waited in vain for {what}"
        time.sleep(0.1)
