"""What befalls which call: drawn from a seed, call by call, and counted where it hit."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from tests.chaos.proxy import Mode

_BOUNDARIES = (Mode.REQUEST_LOST, Mode.ANSWER_LOST)
_KILLS = (Mode.KILLED_BEFORE, Mode.KILLED_AFTER)

ONCE = {
    "Enrol": (*_BOUNDARIES, *_KILLS, Mode.DOUBLED),
    "GetAssignment": (*_BOUNDARIES, *_KILLS),
    "FetchBlob": (*_BOUNDARIES, *_KILLS),
    "DescribeDataset": (*_BOUNDARIES, *_KILLS, Mode.DOUBLED),
    "FinishAttempt": (*_KILLS, *_BOUNDARIES, Mode.DOUBLED, Mode.LATE),
    "CommitPlanStep": _KILLS,
    "RecordMeasurements": _KILLS,
    "Heartbeat": _KILLS,
    "AttachArtifact": _KILLS,
    "WatchJob": _KILLS,
    "CreateJob": (*_BOUNDARIES, *_KILLS, Mode.DOUBLED),
    "PauseJob": (*_BOUNDARIES, *_KILLS, Mode.DOUBLED),
    "ResumeJob": (*_BOUNDARIES, *_KILLS, Mode.DOUBLED),
    "ExtendJob": (*_BOUNDARIES, *_KILLS, Mode.DOUBLED),
    "StopJob": (*_BOUNDARIES, *_KILLS, Mode.DOUBLED),
    "CancelJob": (*_BOUNDARIES, *_KILLS, Mode.DOUBLED),
    "DeleteJob": (*_BOUNDARIES, *_KILLS),
    "UploadBlob": (*_BOUNDARIES, *_KILLS),
}
"""By method, what befalls it once each."""

OFTEN = {
    "RecordMeasurements": (*_BOUNDARIES, Mode.DOUBLED, Mode.LATE, Mode.DELAYED),
    "CommitPlanStep": (*_BOUNDARIES, Mode.DOUBLED, Mode.LATE, Mode.DELAYED),
    "Heartbeat": (*_BOUNDARIES, Mode.LATE, Mode.DELAYED),
    "AttachArtifact": (*_BOUNDARIES, Mode.DOUBLED, Mode.DELAYED),
    "WatchJob": _BOUNDARIES,
}
"""By method, what befalls it again and again."""

GAP = 5
"""The most calls of a method that go well between two that don't, if not told otherwise."""
_GAPS = {"Heartbeat": 8 * GAP, "UploadBlob": 0, "FetchBlob": 0}


class Quiet:
    """Nothing befalls any call."""

    def next(self, method: str) -> Mode | None:
        """Returns None."""
        return None

    def hit(self, method: str, mode: Mode) -> None:
        """Does nothing."""


class Script:
    """What befalls the calls of one storm. Used from several threads.

    Attributes:
        hits: How often what befell which method.
    """

    def __init__(
        self,
        seed: int,
        may_kill: Callable[[str], bool],
        once: dict[str, tuple[Mode, ...]] | None = None,
        often: dict[str, tuple[Mode, ...]] | None = None,
    ) -> None:
        """Draws it.

        Args:
            seed: The storm's.
            may_kill: Tells whether a coordinator may be killed at this method now; else the
                kill waits.
            once: See ONCE, which it is unless given.
            often: See OFTEN, which it is unless given.
        """
        self._may_kill = may_kill
        self._lock = threading.Lock()
        once, often = ONCE if once is None else once, OFTEN if often is None else often
        # One a method: which calls come between is no matter of the seed.
        self._rng = {m: np.random.default_rng([seed, *m.encode()]) for m in {*once, *often}}
        self._once = {method: self._shuffled(method, modes) for method, modes in once.items()}
        self._wanted = once
        self._often = often
        self._gap = {method: self._drawn(method) for method in {*once, *often}}
        self.hits: Counter[tuple[str, Mode]] = Counter()

    def next(self, method: str) -> Mode | None:
        """See Mischief."""
        with self._lock:
            if method not in self._gap:
                return None
            self._gap[method] -= 1
            if self._gap[method] >= 0:
                return None
            mode = self._chosen(method)
            if mode is not None:
                self._gap[method] = self._drawn(method)
            return mode

    def hit(self, method: str, mode: Mode) -> None:
        """See Mischief."""
        with self._lock:
            self.hits[method, mode] += 1
            if mode in self._once.get(method, ()):
                self._once[method].remove(mode)

    def _chosen(self, method: str) -> Mode | None:
        left, often = self._once.get(method, []), self._often.get(method, ())
        for mode in left:
            if mode not in _KILLS or self._may_kill(method):
                # It may come to nothing; then its turn comes again, after the others'.
                left.remove(mode)
                left.append(mode)
                return mode
        return often[int(self._rng[method].integers(len(often)))] if often else None

    def _shuffled(self, method: str, modes: Sequence[Mode]) -> list[Mode]:
        return [modes[i] for i in self._rng[method].permutation(len(modes))]

    def _drawn(self, method: str) -> int:
        # What is seldom called goes well every other time at most.
        most = _GAPS.get(method, GAP if method in self._often else 1)
        return int(self._rng[method].integers(most + 1))

    def missed(self) -> list[tuple[str, Mode]]:
        """Returns what was to befall a method once and never did."""
        with self._lock:
            return [
                (method, mode)
                for method, modes in sorted(self._wanted.items())
                for mode in modes
                if not self.hits[method, mode]
            ]
