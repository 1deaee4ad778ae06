"""An attack that sees nothing but answers: along rays, to where they cross into another class.

RayS, by Chen & Gu 2020, "RayS: A Ray Searching Method for Hard-label Adversarial Attack".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tuner.datasets.base import Features, Labels
from tuner.learners.base import Device, Model
from tuner.learners.fits import TimedOutError
from tuner.robustness.base import Disturbed, Effort, Victim
from tuner.robustness.reach import Reach

AT_ONCE = 256
"""Examples that go in step; fixed, so that memory is bounded."""

RANDOM = 2
"""Directions of random signs that are tried before any is improved."""

COARSE, FINE = 0.3, 0.02
"""A crossing is known well enough when it is known to this share of itself, at first and in the
end. What turning a block may gain shrinks with the block, and so must what is left open."""

_Places = npt.NDArray[np.int64]
_Radii = npt.NDArray[np.float64]
_Truths = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Found:
    """What a search along rays found for each example.

    Attributes:
        x: Shape (examples, ...): the example at the end of its best ray, inside the ball.
        radius: Shape (examples,): the least radius, in units of strengths, at which the model
            was seen to be wrong; 0 where it is wrong undisturbed, inf where it never was.
        asked: Shape (examples,): how often the model was asked.
    """

    x: Features
    radius: npt.NDArray[np.float64]
    asked: npt.NDArray[np.int64]


def decision(
    victim: Victim, strength: float, effort: Effort, seed: int, device: Device
) -> Disturbed:
    """Returns what a search along rays finds inside the ball; see `base.Disturb`.

    An example that the model is wrong about undisturbed stays as it is.
    """
    if not victim.fold.classes:
        raise ValueError(
            "decision searches for where another class begins, and a number is predicted here; "
            "noise and missing disturb what any learner sees"
        )
    reach = Reach.of(victim.fold.x)
    found = search(victim.model, victim.x, victim.y, reach, strength, effort.queries, seed, device)
    return Disturbed(found.x)


def search(
    model: Model,
    x: Features,
    y: Labels,
    reach: Reach,
    strength: float,
    queries: int,
    seed: int,
    device: Device,
) -> Found:
    """Searches for a ray to each example's side on which the model is soon wrong.

    Args:
        model: Only the largest of its probabilities is looked at.
        x: Shape (examples, ...).
        y: Shape (examples,): the truth.
        reach: The units of strengths, and what no example leaves.
        strength: An example is done when its radius is no larger.
        queries: How often the model is asked about each example at most.
        seed: Of random directions.
        device: Until when.

    Raises:
        TimedOutError: The deadline passed.
    """
    random = np.random.default_rng(seed)
    found = []
    for first in range(0, max(len(x), 1), AT_ONCE):
        some = slice(first, first + AT_ONCE)
        rays = _Rays(x[some], reach, strength, random)
        found.append(_searched(rays, model, y[some], queries, device))
    return Found(
        np.concatenate([part.x for part in found]),
        np.concatenate([part.radius for part in found]),
        np.concatenate([part.asked for part in found]),
    )


def _searched(rays: _Rays, model: Model, y: Labels, queries: int, device: Device) -> Found:
    """Searches until no query is left, or every example is done. Raises TimedOutError."""
    asked = np.zeros(len(y), dtype=np.int64)
    for done in range(queries):
        live = rays.live()
        if not len(live):
            break
        if device.expired():
            raise TimedOutError(f"{done} of {queries} queries an example")
        wrong = model.predict(rays.points(live)).argmax(axis=1) != y[live]
        asked[live] += 1
        rays.learn(live, wrong)
    return Found(rays.ends(), rays.radius, asked)


class _Rays:
    """Every example's rays, all in step: each round asks once about each that isn't done.

    A ray is a sign for each value. After the simple tries, in the ball, each new ray is asked
    about where the best one so far crosses. Where it crosses there, too, it is the best one
    now, and its crossing is searched for: down in strides that double, then by halves.

    New rays are the simple tries once more, then the best one with a block of its values
    turned round: all of them, each half, each quarter, down to each value alone; and again.
    """

    def __init__(
        self, x: Features, reach: Reach, strength: float, random: np.random.Generator
    ) -> None:
        count, size = len(x), int(np.prod(x.shape[1:]))
        self._shape, self._x = x.shape, x.reshape(count, size)
        self._reach, self._strength = reach, strength
        self._unit = np.broadcast_to(reach.unit, size)
        # Values that can't move are in no block.
        moving = np.flatnonzero(self._unit)
        self._values, self._place = len(moving), np.full(size, -1)
        self._place[moving] = np.arange(len(moving))
        span = np.broadcast_to(reach.high - reach.low, size)[moving]
        self._farthest = float(np.max(span / self._unit[moving], initial=0.0))
        drawn = random.integers(2, size=(RANDOM, count, size), dtype=np.int8)
        ones = np.ones((1, count, size), dtype=np.int8)
        self._tries: npt.NDArray[np.int8] = np.concatenate([ones, -ones, 2 * drawn - 1])
        self.radius = np.full(count, np.inf)
        self._best, self._trial = self._tries[0].copy(), self._tries[0].copy()
        self._at = np.zeros(count)
        self._low, self._stride = np.zeros(count), np.zeros(count)
        self._open = np.full(count, 0.8)  # halved after each size of blocks, cut to COARSE, FINE
        self._searching = np.zeros(count, dtype=np.bool_)
        self._rounds = 0
        self._tried, self._level, self._block = np.zeros((3, count), dtype=np.int64)

    def live(self) -> _Places:
        """Returns the examples that aren't done."""
        return np.flatnonzero(self.radius > self._strength)

    def points(self, live: _Places) -> Features:
        """Returns where the model is asked next about these."""
        return self._moved(live, self._trial[live], self._at[live])

    def ends(self) -> Features:
        """Returns each example at the end of its best ray, inside the ball."""
        every = np.arange(len(self._x))
        return self._moved(every, self._best, np.minimum(self.radius, self._strength))

    def learn(self, live: _Places, wrong: _Truths) -> None:
        """Takes whether the model was wrong about these, and chooses what it is asked next."""
        hit, missed = live[wrong], live[~wrong]
        self.radius[hit] = self._at[hit]
        self._best[hit] = self._trial[hit]
        self._rounds += 1
        if self._rounds <= len(self._tries):
            self._trial[:] = self._tries[self._rounds - 1]
            self._at[:] = self._strength
            return
        share = np.clip(self._open, FINE, COARSE)
        fresh = hit[~self._searching[hit]]
        self._searching[fresh] = True
        self._low[fresh] = 0
        self._stride[fresh] = share[fresh] * self.radius[fresh]
        self._low[missed] = self._at[missed]
        some = live[self._searching[live]]
        # A stride is as long as the share: it is enough, whichever way it was rounded.
        known = self.radius[some] - self._low[some] <= 1.0001 * share[some] * self.radius[some]
        self._searching[some[known]] = False
        self._search(some[~known])
        self._turn(live[~self._searching[live]])

    def _search(self, some: _Places) -> None:
        """Chooses where on their rays they are asked about next."""
        radius, low = self.radius[some], self._low[some]
        down = np.maximum(radius - self._stride[some], self._strength)
        self._stride[some] *= 2
        self._at[some] = np.where(low > 0, (low + radius) / 2, down)

    def _turn(self, some: _Places) -> None:
        """Chooses the next ray of each of these."""
        self._at[some] = np.minimum(self.radius[some], self._farthest)
        simple = self._tried[some] < len(self._tries)
        trying, some = some[simple], some[~simple]
        self._trial[trying] = self._tries[self._tried[trying], trying]
        self._tried[trying] += 1
        size = -(-self._values // 2 ** self._level[some])
        start = (self._block[some] * size)[:, None]
        turned = (self._place >= start) & (self._place < start + size[:, None])
        self._trial[some] = np.where(turned, -self._best[some], self._best[some])
        self._block[some] += 1
        last = start[:, 0] + size >= self._values
        over = some[last]
        self._block[over], self._open[over] = 0, self._open[over] / 2
        self._level[over] = np.where(size[last] > 1, self._level[over] + 1, 0)

    def _moved(self, some: _Places, signs: npt.NDArray[np.int8], at: _Radii) -> Features:
        """Returns these examples, moved by so much along rays, but not out of what there is."""
        x = self._x[some]
        by = at.astype(np.float32)[:, None] * self._unit
        farthest = max(self._farthest, self._strength)
        return self._reach.clip(x + by * signs, x, farthest).reshape(-1, *self._shape[1:])
