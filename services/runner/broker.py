"""The packet broker's actor, as the runner calls it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from tuner.trials.broker import PacketBroker
from tuner.trials.work import Allowed, Load, Loss, Report, Task

STALLED = "its worker made no progress for longer than a packet may take, and was ended"
"""Why a worker that hangs was ended."""

LOAD_SECONDS = 1.0
"""Longest wait for the broker's load."""


class Broker:
    """The packet broker's actor, called from the runner's threads."""

    def __init__(self, label: str) -> None:
        """Starts the actor on this node."""
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        options = {"num_cpus": 0, "max_concurrency": 100_000, "scheduling_strategy": here}
        actor = ray.remote(PacketBroker).options(**options, name=f"tuner-broker-{label}")
        self.handle: Any = actor.remote()
        self._load = Load()

    def offer(self, tasks: list[Task]) -> None:
        """Takes packets to hand out, in their order.

        It is waited for: calls that an asynchronous actor has at once may overtake each other.
        """
        ray.get(self.handle.offer.remote(tasks))

    def offer_surplus(self, tasks: list[Task]) -> None:
        """Takes packets that no step has asked for yet, for slots that would be idle."""
        self.handle.offer_surplus.remote(tasks)

    def withdraw(self, search: str) -> list[str]:
        """Takes back a search's surplus that no slot has; returns its packets' ids."""
        gone: list[str] = ray.get(self.handle.withdraw.remote(search))
        return gone

    def idle(self) -> int:
        """Returns how many slots have nothing to do and nothing to come."""
        idle: int = ray.get(self.handle.idle.remote())
        return idle

    def retry(self, task: Task) -> None:
        """Puts a lost packet at the front, as its next try."""
        self.handle.retry.remote(task)

    def collect(self, patience: float) -> list[Report]:
        """Returns the reports since the last call, waiting for one so many seconds."""
        reports: list[Report] = ray.get(self.handle.collect.remote(patience))
        return reports

    def hold(self, held: bool) -> None:
        """Hands out nothing until it is told otherwise; what workers have, they finish."""
        ray.get(self.handle.hold.remote(held))

    def in_flight(self) -> list[str]:
        """Returns the ids of the packets that workers have and haven't reported."""
        packets: list[str] = ray.get(self.handle.in_flight.remote())
        return packets

    def steer(self, share: int, avoided: Sequence[str]) -> None:
        """Sets how many workers may stay, and the nodes that they are to leave."""
        self.handle.steer.remote(share, list(avoided))

    def lost(self, worker: str, error: str, loss: Loss) -> None:
        """Notes that a worker is gone."""
        self.handle.lost.remote(worker, error, loss)

    def end_overdue(self, allowed: Mapping[str, Allowed]) -> list[str]:
        """Ends the workers that have had their packets for longer than these may take.

        One that hangs in native code, or is stopped, or whose node died unnoticed, tells
        nobody. Its packets are reported LOST at once, whatever becomes of it.

        Args:
            allowed: By search, how long a packet may take.

        Returns:
            Their names.
        """
        late: list[str] = ray.get(self.handle.overdue.remote(allowed))
        for worker in late:
            actors = ray.get(self.handle.workers.remote([worker]))
            self.lost(worker, STALLED, Loss.STALLED)
            for actor in actors:
                ray.kill(actor)
        return late

    def load(self) -> Load:
        """Returns what the slots do.

        As last known where the broker is slow to say, or gone: the heartbeat asks, and must
        neither wait for an actor that is still being started, nor end with one that died.
        Whoever works with the broker fails of that, and ends the attempt with its reason.
        """
        with suppress(ray.exceptions.RayActorError):
            asked = self.handle.load.remote()
            if ray.wait([asked], timeout=LOAD_SECONDS)[0]:
                self._load = ray.get(asked)
        return self._load

    def close(self) -> None:
        """Ends every slot that asks for more."""
        ray.get(self.handle.close.remote())

    def kill_workers(self) -> None:
        """Ends every slot now, in mid-packet too. Ray Tune would wait for them up to 10 s."""
        for actor in ray.get(self.handle.workers.remote()):
            ray.kill(actor)

    def kill_busy_workers(self) -> None:
        """Ends the slots that have a packet, in the middle of it."""
        for actor in ray.get(self.handle.busy_workers.remote()):
            ray.kill(actor)
