"""Optimizers over all parameters at once: the level is one more, and U the objective.

They don't measure returns: their answer is the level of what scored best so far, on one
replicate, and they never abstain.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from tuner.record import Member, make_setting, seed_of
from tuner.search.simulation import studies
from tuner.search.simulation.world import WorldSpec

if TYPE_CHECKING:
    import optuna

LEVEL = "level"
"""The level's place on the ladder, among an optimizer's parameters."""


class Objective:
    """U of a score: what a level is worth after paying the margin for each doubling."""

    def __init__(self, spec: WorldSpec) -> None:
        """Takes the margin and the ladder of a spec."""
        self._margin = spec.margin
        self._lowest = spec.world.levels[0]

    def __call__(self, level: int, score: float) -> float:
        """Returns U."""
        return score - self._margin * math.log2(level / self._lowest)


class Joint:
    """Optuna over levels and hyperparameters together, as many trials as a sweep tunes."""

    def __init__(self, spec: WorldSpec, key: str, sampler: studies.MakeSampler) -> None:
        """Makes the policy of a search. Raises KeyError where the spec hasn't it."""
        world = spec.search(key)
        sizes = {LEVEL: len(world.levels)} | {name: len(v) for name, v in world.grid.items()}
        self._levels = world.levels
        self._space = studies.places(sizes)
        self._worth = Objective(spec)
        self._left = spec.tuning.trials * len(world.levels)
        self._study = studies.new_study(sampler, seed_of(spec.seed, "joint"))
        self._running: dict[Member, list[optuna.trial.Trial]] = {}
        self._best: tuple[float, int] | None = None

    def ask(self) -> Member | None:
        """Returns Optuna's next trial; None where all are asked."""
        if self._left == 0:
            return None
        self._left -= 1
        trial = self._study.ask(self._space)
        values = dict(trial.params)
        level = self._levels[values.pop(LEVEL)]
        member = Member(make_setting(values), level, 0)
        # The same candidate may be asked again, and scores the same.
        self._running.setdefault(member, []).append(trial)
        return member

    def tell(self, member: Member, score: float) -> None:
        """Tells Optuna what the trial is worth."""
        worth = self._worth(member.level, score)
        self._study.tell(self._running[member].pop(0), worth)
        if self._best is None or worth > self._best[0]:
            self._best = worth, member.level

    def answer(self) -> float | None:
        """Returns the incumbent's level."""
        return None if self._best is None else self._best[1]


class JointTpe(Joint):
    """Optuna's TPE, told of what runs at once."""

    def __init__(self, spec: WorldSpec, key: str) -> None:
        """Makes the policy of a search. Raises KeyError where the spec hasn't it."""
        super().__init__(spec, key, studies.parallel_tpe)


class JointGp(Joint):
    """Optuna's Gaussian process."""

    def __init__(self, spec: WorldSpec, key: str) -> None:
        """Makes the policy of a search. Raises KeyError where the spec hasn't it."""
        super().__init__(spec, key, studies.gp)
