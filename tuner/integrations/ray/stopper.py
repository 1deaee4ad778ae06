"""A stopper that ends a sweep of one's own once it has answered."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from ray.tune import Stopper

from tuner.integrations.question import make_question
from tuner.integrations.ray.results import ITERATION, judged, seconds_of
from tuner.integrations.sweep import Answering, Sweep


class ReturnsStopper(Answering, Stopper):
    """Stops an experiment once its trials say how much capacity is enough.

        enough = ReturnsStopper("width", [8, 16, 32], metric="accuracy", mode="max", margin=0.01)
        grid = {"width": tune.grid_search([8, 16, 32]), "seed": tune.grid_search([*range(20)])}
        tune.Tuner(train, param_space=grid, run_config=tune.RunConfig(stop=enough)).fit()
        print(enough.verdict.reason)

    It is for those who have a grid or a search algorithm of their own; `ReturnsSearch`
    runs fewer trials for the same answer. Every trial's config says its level and its
    replicate: replicate i is the same seed and split at every level, so that
    differences are paired, and whatever else is in it is one setting a level.

    It reads the last result of trials that have ended by themselves. It never stops a
    single trial: at equal iterations that is biased against the larger capacity. A
    stopper isn't told of trials that fail or that a scheduler cuts short, so those are
    missing from its curve; trials that run when all is stopped are, too.

    Beside another stopper in `CombinedStopper`, put it first: the first that stops a
    trial is the last that is asked.
    """

    def __init__(
        self,
        capacity: str,
        levels: Sequence[float],
        *,
        metric: str,
        mode: Literal["min", "max"],
        margin: float,
        replicate: str = "seed",
        min_replicates: int = 4,
        alpha: float = 0.05,
        patience: int = 2,
        iterations: int | None = None,
    ) -> None:
        """Makes the stopper.

        Args:
            capacity: The key of the config that holds the level; "net/width" is the width
                in config["net"].
            levels: The ladder, rising; all of it, for bounds are corrected for it.
            metric: The key of the result that trials are judged on.
            mode: Whether it is to be small ("min") or large ("max").
            margin: The least gain per doubling of capacity that is worth having, in the
                metric's units.
            replicate: The key of the config that holds the replicate.
            min_replicates: Trials of every level up to the sufficient one before it stops.
            alpha: The share of verdicts that may be wrong.
            patience: Larger levels that must be measured before one can plateau.
            iterations: Training iterations of a whole trial, where something else than
                the trial ends it; a trial that has come so far is read as it is then.

        Raises:
            ValueError: One of them is wrong; it says which and what would be right.
        """
        question = make_question(capacity, levels, metric, mode, margin, alpha, patience)
        if iterations is not None and iterations < 1:
            raise ValueError(f"iterations is {iterations}; give a whole number from 1 up")
        self._sweep = Sweep(question, replicate, min_replicates)
        self._capacity = capacity
        self._replicate = replicate
        self._iterations = iterations
        self._read: set[str] = set()

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        """Reads a result, and lets the trial go on.

        Raises:
            ValueError: The trial's config doesn't say its level, which is one of the
                ladder, and its replicate.
        """
        level, replicate = (_at(result, name) for name in (self._capacity, self._replicate))
        if self._whole(result) and trial_id not in self._read:
            self._read.add(trial_id)
            score, _, _ = judged(result, self._sweep.question.metric)
            score = math.nan if score is None else score
            self._sweep.add(level, replicate, score, seconds_of(result))
        return False

    def _whole(self, result: Mapping[str, Any]) -> bool:
        if self._iterations is not None:
            return bool(result.get(ITERATION, 0) >= self._iterations)
        return bool(result.get("done"))

    def stop_all(self) -> bool:
        """Tells whether the trials have answered."""
        return self._sweep.answered


def _at(result: Mapping[str, Any], name: str) -> Any:
    config = result.get("config", {})
    value: Any = config
    for part in [name] if name in config else name.split("/"):
        if not isinstance(value, Mapping) or part not in value:
            raise ValueError(
                f"the config of trial {result.get('trial_id')} has no {name!r}; it has "
                f"{', '.join(map(repr, config)) or 'nothing'}"
            )
        value = value[part]
    return value
