"""Workers that run a plan and, where they would be idle, what it is likely to ask for next."""

from __future__ import annotations

from collections.abc import Sequence

from tuner.record import Measurement, Member, Outcome, Packet, PlanStep
from tuner.search.foresight import Foreseen, Foresight, Ids, worth_running
from tuner.search.record import SearchRecord
from tuner.search.simulation.clock import Workers
from tuner.search.simulation.world import METRIC, Draw

Ended = tuple[float, Packet]
"""When a packet ends, and the packet."""


class Ahead:
    """Virtual workers that take what steps ask for first, and surplus only where none waits.

    What runs is never interrupted, so that a packet which is asked for may have to wait.
    Foresight looks again whenever a worker is idle and something new is final.

    Attributes:
        now: When the last of what steps have asked for is done, in seconds.
    """

    def __init__(
        self, draw: Draw, record: SearchRecord, workers: int, foresight: Foresight | None
    ) -> None:
        """Makes idle workers, at time 0. Raises ValueError for fewer than one.

        Args:
            draw: The run's luck.
            record: Gets the measurements of every packet that a step asks for.
            workers: How many.
            foresight: What may be asked for next; None where nothing runs ahead.
        """
        self._draw = draw
        self._record = record
        self._foresight = foresight
        self._clock = Workers(workers)
        self._ends: dict[Ids, float] = {}
        self._unclaimed: dict[Ids, float] = {}
        self.now = 0.0

    @property
    def device_seconds(self) -> float:
        """What all workers worked."""
        return self._clock.device_seconds

    @property
    def surplus_seconds(self) -> float:
        """What of it ran ahead and no step has asked for."""
        return sum(self._unclaimed.values())

    def run(self, step: PlanStep) -> None:
        """Runs a step to its end; what ran ahead of it isn't run again."""
        ended = sorted(
            ((self._claim(packet), packet) for packet in step.packets), key=lambda e: e[0]
        )
        if not ended:
            return
        if self._foresight is not None:
            ended = self._run_ahead(self._foresight, ended)
        self._take_in(ended)
        self.now = max(self.now, ended[-1][0])

    def _claim(self, packet: Packet) -> float:
        ids = tuple(self._record.ids(packet))
        self._unclaimed.pop(ids, None)
        if ids not in self._ends:
            self._start(ids, packet, self.now)
        return self._ends[ids]

    def _start(self, ids: Ids, packet: Packet, at: float) -> float:
        """Starts a packet on the worker that is free first; returns its device-seconds."""
        seconds = sum(self._draw.seconds(member) for member in packet.members())
        self._ends[ids] = self._clock.start(seconds, at)
        return seconds

    def _take_in(self, ended: Sequence[Ended]) -> None:
        for _, packet in ended:
            for i, member in zip(self._record.ids(packet), packet.members(), strict=True):
                self._record.measurements[i] = self._measured(i, packet, member)

    def _run_ahead(self, foresight: Foresight, ended: list[Ended]) -> list[Ended]:
        """Gives idle workers surplus until the step ends; returns what it hasn't taken in."""
        end, at = ended[-1][0], self.now
        foreseen: list[Foreseen] | None = None
        while True:
            at = max(at, self._clock.idle_at)
            if at >= end:
                return ended
            done = [e for e in ended if e[0] <= at]
            if done or foreseen is None:
                self._take_in(done)
                ended = ended[len(done) :]
                foreseen = foresight.next(self._record)
            fresh = [f for f in foreseen if f.ids not in self._ends]
            choice = next(worth_running(fresh, self.surplus_seconds, self.device_seconds), None)
            if choice is None:
                at = ended[0][0]  # until then nothing new is known
            else:
                self._unclaimed[choice.ids] = self._start(choice.ids, choice.packet, at)

    def _measured(self, i: str, packet: Packet, member: Member) -> Measurement:
        seconds = self._draw.seconds(member)
        return Measurement(
            id=i,
            search=self._record.search,
            phase=packet.phase,
            level=member.level,
            setting=member.setting,
            replicate=member.replicate,
            outcome=Outcome.COMPLETED,
            scores={METRIC: self._draw.score(packet.phase, member)},
            standalone_device_seconds=seconds,
            billed_device_seconds=seconds,
            packet=packet.id,
        )
