"""Starts again what has died, as systemd or Kubernetes would."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from tests.chaos.machinery import Service
from tests.chaos.rays import RayHead, RayNode
from tests.processes import Seen, descendants

LOOK_SECONDS = 0.2


class Keeper:
    """A thread that looks after the services.

    A Ray node isn't started while there is no head: it would give up. Nodes that a new head
    doesn't know are started again.
    """

    def __init__(self, services: Sequence[Service], say: Callable[[str], None]) -> None:
        """Takes the services in the order in which they are started."""
        self._services = services
        self._say = say
        self._away_until = dict.fromkeys(services, 0.0)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="keeper")
        self.failure: BaseException | None = None

    def __enter__(self) -> Keeper:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._closing.set()
        self._thread.join(30)

    def stays_away(self, service: Service, seconds: float) -> None:
        """Lets a service stay away for so long before it is started again."""
        self._away_until[service] = time.monotonic() + seconds

    def all_up(self) -> bool:
        """Tells whether every service serves, and the head knows its nodes."""
        return all(service.up() for service in self._services) and self._nodes_known()

    def _nodes_known(self) -> bool:
        nodes = [s for s in self._services if isinstance(s, RayNode)]
        heads = [s for s in nodes if isinstance(s, RayHead)]
        return all(head.living_nodes() >= len(nodes) for head in heads)

    def _run(self) -> None:
        while not self._closing.wait(LOOK_SECONDS):
            try:
                for service in self._services:
                    self._see_to(service)
            except Exception as error:  # noqa: BLE001 - told by whoever runs the storm
                self.failure = error
                return

    def _see_to(self, service: Service) -> None:
        if service.pid is not None or time.monotonic() < self._away_until[service]:
            return
        if isinstance(service, RayHead):
            # The others have lost their head: they end, and are started on the new one.
            nodes = [s for s in self._services if isinstance(s, RayNode) and s is not service]
            for node in nodes:
                node.kill()
        elif isinstance(service, RayNode) and not (self._settled() and self._head_up()):
            return
        if service.starts:
            self._say(f"{service.name} is started again")
        service.start()

    def _settled(self) -> bool:
        return all(s.settled for s in self._services if isinstance(s, RayNode))

    def _head_up(self) -> bool:
        return all(s.up() for s in self._services if isinstance(s, RayHead))


def leftovers(pid: int, before: set[int], patience: float) -> list[Seen]:
    """Returns what still descends from a process after so many seconds at most."""
    until = time.monotonic() + patience
    while True:
        left = [one for one in descendants(pid) if one.pid not in before]
        if not left or time.monotonic() > until:
            return left
        time.sleep(LOOK_SECONDS)
