"""Policies of other tuners that need more than the simulator does.

tuner simulate --table hpobench/car --policy benchmarks.peers:Asha
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ray.tune.schedulers import ASHAScheduler, TrialScheduler

from tuner.record import Member, make_setting, seed_of
from tuner.search.simulation import WorldSpec
from tuner.search.simulation.optimizers import Objective


@dataclass(eq=False)
class _Trial:
    """What Ray Tune's scheduler knows of a trial: its id. The rest is ours."""

    trial_id: str
    level: int
    setting: tuple
    replicates: int = 0
    total: float = 0.0

    @property
    def worth(self) -> float:
        return self.total / self.replicates


class Asha:
    """Ray Tune's own ASHA over levels and hyperparameters together, drawn at random.

    The tables have no epochs, so its resource is replicates: a trial that is promoted
    is measured on more of them. Its answer is the level of the best mean U among the
    trials with the most replicates.
    """

    def __init__(self, spec: WorldSpec, key: str) -> None:
        self._world = spec.search(key)
        self._worth = Objective(spec)
        self._rng = np.random.default_rng(seed_of(spec.seed, "asha"))
        self._left = spec.tuning.trials * len(self._world.levels)
        self._most = spec.measuring.max_replicates
        self._scheduler = ASHAScheduler(
            time_attr="replicates", metric="worth", mode="max", max_t=self._most
        )
        self._trials: list[_Trial] = []
        self._waiting: list[_Trial] = []
        self._running: dict[Member, list[_Trial]] = {}

    def ask(self) -> Member | None:
        if self._waiting:  # a trial keeps its worker until it is stopped
            trial = self._waiting.pop(0)
        elif self._left > 0:
            self._left -= 1
            trial = self._new()
        else:
            return None
        member = Member(trial.setting, trial.level, trial.replicates)
        self._running.setdefault(member, []).append(trial)
        return member

    def tell(self, member: Member, score: float) -> None:
        trial = self._running[member].pop(0)
        trial.replicates += 1
        trial.total += self._worth(member.level, score)
        result = {"replicates": trial.replicates, "worth": trial.worth}
        if self._scheduler.on_trial_result(None, trial, result) == TrialScheduler.CONTINUE:
            self._waiting.append(trial)
        else:
            self._scheduler.on_trial_complete(None, trial, result)

    def answer(self) -> float | None:
        told = [trial for trial in self._trials if trial.replicates]
        return max(told, key=lambda t: (t.replicates, t.worth)).level if told else None

    def _new(self) -> _Trial:
        level = int(self._rng.choice(self._world.levels))
        places = {n: int(self._rng.integers(len(v))) for n, v in self._world.grid.items()}
        trial = _Trial(f"{len(self._trials)}", level, make_setting(places))
        self._trials.append(trial)
        self._scheduler.on_trial_add(None, trial)
        return trial
