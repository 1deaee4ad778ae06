"""The storm: fault after fault, each once the last one's damage is mended, or before."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tests.chaos.faults import Fault, Stage
from tests.chaos.jobs import Troop, names
from tests.chaos.visitor import Visitor
from tuner.jobs import JobState

LOOK_SECONDS = 0.2
TARGET_PATIENCE_SECONDS = 60.0
"""How long somebody to strike is waited for."""
RECOVERY_SECONDS = 180.0
"""How long what was struck may take to be whole again, with every job a measurement further."""
THAW_SECONDS = 100.0
"""How long it may take until nothing is frozen: some things are for a minute."""


class StormError(AssertionError):
    """Something didn't come right; says what, and how things stood."""


class InVainError(StormError):
    """What was waited for didn't come."""


@dataclass
class Struck:
    """A fault that hit.

    Attributes:
        fault: What.
        mended: Seconds until all served and every job had moved on, from the strike, or from
            the thaw of what was frozen; None where the next fault didn't wait for it.
    """

    fault: Fault
    mended: float | None = None


@dataclass
class Storm:
    """A sequence of faults on a stage with a troop of jobs.

    Attributes:
        deadline: When all must be over, by the monotonic clock.
        visitor: Who makes every call meanwhile; nobody where None.
        struck: The faults that hit.
        missed: Those that found nobody to hit.
    """

    stage: Stage
    troop: Troop
    say: Callable[[str], None]
    deadline: float
    visitor: Visitor | None = None
    struck: list[Struck] = field(default_factory=list)
    missed: list[Fault] = field(default_factory=list)

    def rage(self, faults: Sequence[Fault]) -> None:
        """Strikes with every fault in turn, and waits until all is mended.

        Raises:
            StormError: Something stayed broken, a watcher failed, or the time is over.
        """
        self.until(self._any_measured, "the first measurement", RECOVERY_SECONDS)
        for fault in faults:
            self._strike(fault)
        self.until(lambda: not self.stage.frozen, "the thaw", THAW_SECONDS)
        self.until(self.stage.keeper.all_up, "every service", RECOVERY_SECONDS)

    def rage_on(self, wanted: Callable[[], bool], until: float) -> None:
        """Kills runners, whose attempts begin with calls that are seldom made, for so long.

        Args:
            wanted: Tells whether to go on.
            until: When to end at the latest, by the monotonic clock.

        Raises:
            StormError: See `rage`.
        """
        while wanted() and time.monotonic() < until:
            self._strike(Fault("runner"))

    def to_the_end(self) -> None:
        """Waits for every job to end. Raises StormError."""
        self.troop.goes_on = False
        if (visitor := self.visitor) is not None:
            visitor.dismiss()
            self.until(lambda: visitor.left, "the visitor")
        self.until(lambda: not self.troop.live, "every job's end")

    def until(self, met: Callable[[], bool], what: str, patience: float = math.inf) -> None:
        """Waits for a condition, until the deadline at most, and sees to the jobs meanwhile.

        Raises StormError.
        """
        end = min(self.deadline, time.monotonic() + patience)
        while True:
            self._check()
            self.troop.tend()
            if met():
                return
            if time.monotonic() > end:
                raise InVainError(f"waited in vain for {what}; {self._state()}")
            time.sleep(LOOK_SECONDS)

    def _strike(self, fault: Fault) -> None:
        """Strikes, as soon as there is somebody to be struck, and waits where that is wanted."""
        whom = ""

        def hit() -> bool:
            nonlocal whom
            whom = fault.strike(self.stage)
            return bool(whom)

        try:
            self.until(hit, f"a {fault.target} to strike", TARGET_PATIENCE_SECONDS)
        except InVainError:
            self.missed.append(fault)
            self.say(f"nobody there: {fault.kind}")
            return
        struck = Struck(fault)
        self.struck.append(struck)
        self.say(f"{fault.kind} ({whom})")
        if fault.waits:
            struck.mended = self._mended(fault)
            self.say(f"mended after {struck.mended:.1f} s")

    def _mended(self, fault: Fault) -> float:
        """Waits until all serve and every job has moved on; returns how long it took."""
        if fault.frozen:
            self.until(lambda: not self.stage.frozen, "the thaw", THAW_SECONDS)
        since = time.monotonic()
        watchers = [*self.troop.live.values()]

        def whole() -> bool:
            # Who was put aside, for another or by a call, moves on when its turn comes.
            run = [w for w in watchers if w.state is JobState.RUNNING and not w.done]
            late = [w for w in run if w.measured < since]
            return not late and self.stage.keeper.all_up()

        self.until(whole, f"the recovery from: {fault.kind}", RECOVERY_SECONDS)
        return time.monotonic() - since

    def _any_measured(self) -> bool:
        return any(w.measured for w in self.troop.live.values())

    def _check(self) -> None:
        """Raises StormError where something has broken that none of this may break."""
        if self.stage.keeper.failure is not None:
            raise StormError(f"the keeper failed: {self.stage.keeper.failure!r}")
        if self.visitor is not None and self.visitor.failure is not None:
            raise StormError(f"the visitor failed: {self.visitor.failure!r}")
        for watcher in (*self.troop.live.values(), *self.troop.ended.values()):
            if watcher.failure is not None:
                raise StormError(f"the watcher of {watcher.name} failed: {watcher.failure!r}")
        if time.monotonic() > self.deadline:
            raise StormError(f"the time is over; {self._state()}")

    def _state(self) -> str:
        services = [*self.stage.coordinators, self.stage.head, *self.stage.nodes]
        down = [s.name for s in (*services, self.stage.postgres) if not s.up()]
        now = time.monotonic()
        quiet = [
            f"{w.name} for {now - w.measured:.0f} s" if w.measured else f"{w.name} at all"
            for w in self.troop.live.values()
        ]
        return (
            f"down: {', '.join(down) or 'nothing'}; frozen: {len(self.stage.frozen)}; "
            f"nodes known: {self.stage.head.living_nodes()}; no measurement of "
            f"{', '.join(quiet) or 'none'}; ended: {names([*self.troop.ended.values()])}"
        )
