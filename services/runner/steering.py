"""How many slots a job holds, and where: its share, and the nodes that it keeps off."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol

from services.runner.bad_nodes import BadNodes


class Supply(Protocol):
    """Who begins slots, as it is seen here."""

    share: int
    avoided: tuple[str, ...]


class Steered(Protocol):
    """The broker as it is seen here."""

    def steer(self, share: int, avoided: Sequence[str]) -> None:
        """Sets how many workers may stay, and the nodes that they are to leave."""
        ...


class Steering:
    """Brings the slots to what the coordinator asks for, less the nodes that lose packets.

    Slots end with their packet, so less of a share and another node come at packet
    boundaries. One slot goes on even where every node is to be kept off.
    """

    def __init__(
        self,
        supply: Supply,
        broker: Steered,
        capacity: Callable[[], Mapping[str, int]],
        most: int,
        say: Callable[[str], None],
        bad: BadNodes | None = None,
    ) -> None:
        """Takes the parts.

        Args:
            supply: Begins slots.
            broker: Ends them.
            capacity: Returns how many slots fit on each living node.
            most: Slots that the job's spec allows; 0 is as many as fit.
            say: Told of nodes that are avoided.
            bad: Finds the nodes that lose packets.
        """
        self._supply = supply
        self._broker = broker
        self._capacity = capacity
        self._most = most
        self._say = say
        self._bad = bad or BadNodes()
        self._now: tuple[int, tuple[str, ...]] | None = None
        self._said: frozenset[str] = frozenset()

    def lost(self, node: str, packet: str) -> None:
        """Notes that a node has lost a packet, for no fault of the packet's own."""
        self._bad.lost(node, packet)

    def apply(self, share: int, told: Collection[str]) -> None:
        """Brings it about, where anything has changed.

        Args:
            share: The job's share; 0 is as many as fit.
            told: Nodes that the coordinator wants it to keep off.
        """
        capacity = {node: slots for node, slots in self._capacity().items() if slots}
        bad = self._bad.avoided(capacity)
        avoided = ({*told} | bad) & capacity.keys()
        self._tell(frozenset(bad), all_of_them=bool(capacity) and avoided == capacity.keys())
        fit = sum(slots for node, slots in capacity.items() if node not in avoided)
        if capacity and avoided == capacity.keys():
            # Somewhere it has to go on: on the node that was told of least.
            kept = min(avoided, key=lambda node: (node in bad, node in told, node))
            avoided, fit, share = avoided - {kept}, 1, 1
        limits = [n for n in (share or fit, self._most) if n]
        # One that fits nowhere stays pending, and Ray's autoscaler sees it.
        wanted = max(1, min(limits, default=1)), tuple(sorted(avoided))
        if wanted != self._now:
            self._now = wanted
            self._supply.share, self._supply.avoided = wanted
            self._broker.steer(*wanted)

    def _tell(self, bad: frozenset[str], all_of_them: bool) -> None:
        if all_of_them and "" not in self._said:
            self._say("every node is to be kept off; one slot goes on all the same")
        for node in sorted(bad - self._said):
            self._say(f"node {node} has lost packet after packet and others none; kept off for now")
        for node in sorted(self._said - bad - {""}):
            self._say(f"node {node} is tried again")
        self._said = bad | ({""} if all_of_them else set())
