"""Scores that fits still owe, imagined from those that are there.

Good enough to guess what a policy will do next, and for nothing else: no score of these
is ever recorded.
"""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from tuner.record import Measurement, Member, Outcome, Packet, Phase, Setting
from tuner.returns.winners import has_score

_Scored = Mapping[int, float]
"""Replicate, or tuning split, to score."""


@dataclass(frozen=True)
class Normal:
    """A normal distribution: its mean and standard deviation."""

    mean: float
    spread: float


class Known:
    """What is measured of a search, as it bears on what isn't yet.

    A setting's mean on the test is unknown by as much as its replicates leave open, and
    replicates scatter around it. What a replicate brings to all levels alike is left out:
    policies compare levels on the same replicates. A setting that wasn't measured is
    taken to score as it did in tuning; one that wasn't tried, as others did at its level.
    """

    def __init__(self, rows: Iterable[Measurement], metric: str, *, nested: bool = False) -> None:
        """Reads the rows; those without a score tell only what fits take.

        Args:
            rows: Final measurements of one search.
            metric: What they are scored on.
            nested: Whether one fit scores several levels.
        """
        self.metric = metric
        self._nested = nested
        self._tuned: dict[int, dict[Setting, list[float]]] = defaultdict(dict)
        self._measured: dict[tuple[int, Setting], dict[int, float]] = defaultdict(dict)
        self._seconds: dict[int, float] = {}
        for row in rows:
            took = row.standalone_device_seconds
            self._seconds[row.level] = max(took, self._seconds.get(row.level, 0.0))
            if not has_score(row, metric):
                continue
            score = row.scores[metric]
            if row.phase is Phase.TUNING:
                self._tuned[row.level].setdefault(row.setting, []).append(score)
            elif row.phase is Phase.MEASURING:
                self._measured[row.level, row.setting][row.replicate] = score
        everything = [
            s for some in self._tuned.values() for scores in some.values() for s in scores
        ]
        self._tuning = _normal(everything)
        scatter = _scatter(list(self._measured.values()))
        self.scatter = self._tuning.spread / 2 if scatter is None else scatter

    def __bool__(self) -> bool:
        """Tells whether there is anything to imagine from."""
        return bool(self._tuned or self._measured)

    def tuning(self, level: int, setting: Setting) -> Normal:
        """Returns how a setting scores in tuning at a level, on a split that it wasn't tried on."""
        there = self._tuned[level].get(setting)
        if there:
            return Normal(fmean(there), self.scatter)
        scores = [s for some in self._tuned[level].values() for s in some]
        return _normal(scores) if len(scores) > 1 else self._tuning

    def mean(self, level: int, setting: Setting, tuned: float | None) -> Normal:
        """Returns where a setting's mean on the test lies; `tuned` is what tuning imagined."""
        scores = self._measured.get((level, setting))
        if scores:
            return Normal(fmean(scores.values()), self.scatter / math.sqrt(len(scores)))
        there = self._tuned[level].get(setting)
        if there:
            return Normal(fmean(there), self.scatter)
        return Normal(self._tuning.mean if tuned is None else tuned, self.scatter)

    def seconds(self, packet: Packet) -> float:
        """Returns the device-seconds that a packet will hardly exceed."""
        fit = [self.standalone(level) for level in packet.levels]
        fits = len(packet.settings) * len(packet.replicates)
        return fits * (max(fit) if self._nested else sum(fit))

    def standalone(self, level: int) -> float:
        """Returns what a level costs alone at most, in device-seconds.

        What the dearest fit took there; where there was none, as much for every unit of
        capacity as the dearest elsewhere. Endless where nothing is known.
        """
        if level in self._seconds:
            return self._seconds[level]
        each = [seconds / at for at, seconds in self._seconds.items()]
        return max(each) * level if each else math.inf


class Imagination:
    """One way in which a search may go on."""

    def __init__(self, known: Known, seed: int) -> None:
        """Takes what is known; the same seed imagines the same."""
        self._known = known
        self._random = random.Random(seed)
        self._tuned: dict[tuple[int, Setting], float] = {}
        self._means: dict[tuple[int, Setting], float] = {}

    def row(self, search: str, i: str, packet: Packet, member: Member) -> Measurement:
        """Returns the measurement of that id as it may come out. None of them fails."""
        seconds = self._known.standalone(member.level)
        return Measurement(
            id=i,
            search=search,
            phase=packet.phase,
            level=member.level,
            setting=member.setting,
            replicate=member.replicate,
            outcome=Outcome.COMPLETED,
            scores={self._known.metric: self._score(packet.phase, member)},
            standalone_device_seconds=seconds if math.isfinite(seconds) else 0.0,
            packet=packet.id,
        )

    def _score(self, phase: Phase, member: Member) -> float:
        what = member.level, member.setting
        if phase is Phase.TUNING:
            if what not in self._tuned:
                self._tuned[what] = self._draw(self._known.tuning(*what))
            return self._tuned[what]
        if what not in self._means:
            self._means[what] = self._draw(self._known.mean(*what, self._tuned.get(what)))
        return self._draw(Normal(self._means[what], self._known.scatter))

    def _draw(self, normal: Normal) -> float:
        return self._random.gauss(normal.mean, normal.spread)


def _normal(scores: Sequence[float]) -> Normal:
    if not scores:
        return Normal(0.0, 0.0)
    return Normal(fmean(scores), stdev(scores) if len(scores) > 1 else 0.0)


def _scatter(measured: Sequence[_Scored]) -> float | None:
    """Returns how replicates scatter, less what each brings to all alike.

    The residual of settings by replicates. None where there are too few to tell.
    """
    means = [fmean(scores.values()) for scores in measured]
    luck: dict[int, list[float]] = defaultdict(list)
    for scores, mean in zip(measured, means, strict=True):
        for replicate, score in scores.items():
            luck[replicate].append(score - mean)
    left = [d - fmean(some) for some in luck.values() for d in some]
    freedom = len(left) - len(measured) - len(luck) + 1
    return math.sqrt(sum(d * d for d in left) / freedom) if freedom > 0 else None
