"""The peer's side: plain Ray Tune and Optuna, with actors reused and no checkpoints.

Every level of every search is tuned by an `OptunaSearch` of its own (TPE with the same
options, ranges, default and number of trials as ours), then every winner is measured on
all replicates: the same folds and the same learners' fits as ours. The verdict is that
of `tuner.returns.analyze` for a number of replicates that was fixed beforehand. There
are two ways to write that script:

- a Tuner a level: as Ray's guides lead one to; a forest is grown anew at every size;
- one Tuner: by somebody who knows what costs time in Ray Tune and in forests. A searcher
  deals out the levels' trials within one run, so that actors start once and no slot waits
  at a level's end; and one forest scores all of its sizes, in tuning and in measuring.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterable
from typing import Any

# Before Ray Tune is loaded: no log files, and no box of text at every run.
os.environ |= {"TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1", "RAY_AIR_NEW_OUTPUT": "0"}

import optuna
import ray
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers import TPESampler
from ray import tune
from ray.tune.search import Searcher
from ray.tune.search.optuna import OptunaSearch

from benchmarks.race.fits import Done, Group, answers, defaults, groups, run_fit, to_measure, whole
from benchmarks.race.questions import question
from benchmarks.race.result import Finish
from tuner.catalog import Choice, Hyperparameter
from tuner.datasets import registry as datasets
from tuner.datasets.base import Data
from tuner.datasets.splits import Splits
from tuner.record import Phase, seed_of
from tuner.search.tuning import STARTUP_TRIALS
from tuner.spec import Fixed, JobSpec

WAYS = {"a Tuner a level": False, "one Tuner": True}
"""The two scripts, and whether one is of the kind that does all together."""

_HYPERPARAMETER = "fit/setting/{}"
"""Where a trial's configuration has a hyperparameter; Optuna's names are paths."""


class Trial(tune.Trainable):
    """One fit; the actor goes on to the next."""

    def setup(self, config: dict[str, Any], spec: JobSpec, data: Data) -> None:
        self._spec = spec
        self._splits = Splits(data, spec.split, spec.seed)
        self._fit = config["fit"]

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self._fit = new_config["fit"]
        return True

    def step(self) -> dict[str, Any]:
        return {**run_fit(self._spec, self._splits, self._fit), "done": True}


class Levels(Searcher):
    """Deals out every group's trials in one run, each group's by an `OptunaSearch` of its own."""

    def __init__(self, spec: JobSpec, parts: Iterable[Group]) -> None:
        super().__init__(metric="objective", mode="min")
        self._waiting = [
            (tuning_fit(group), study)
            for group in parts
            for study in [study_of(spec, group)] * spec.tuning.trials
        ]
        self._study_of: dict[str, OptunaSearch] = {}

    def suggest(self, trial_id: str) -> dict[str, Any] | str:
        if not self._waiting:
            return Searcher.FINISHED
        fit, study = self._waiting.pop(0)
        self._study_of[trial_id] = study
        asked = study.suggest(trial_id)
        return {"fit": {**fit, "setting": asked["fit"]["setting"]}}

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        self._study_of[trial_id].on_trial_complete(trial_id, result, error)

    def save(self, checkpoint_path: str) -> None:
        """Saves nothing: the run isn't restored."""

    def restore(self, checkpoint_path: str) -> None:
        raise NotImplementedError


def tuning_fit(group: Group) -> dict[str, Any]:
    """Returns a tuning fit without its hyperparameters."""
    return {
        "search": group.search,
        "levels": list(group.levels),
        "phase": Phase.TUNING.value,
        "replicate": 0,
        "setting": {},
    }


def space_of(spec: JobSpec, group: Group) -> dict[str, BaseDistribution]:
    """Returns Optuna's space of what is tuned at a group."""
    ranges = spec.search(group.search).ranges(group.levels[-1])
    return {
        _HYPERPARAMETER.format(name): _distribution(r)
        for name, r in ranges.items()
        if not isinstance(r, Fixed)
    }


def _distribution(r: Hyperparameter) -> BaseDistribution:
    if isinstance(r, Choice):
        return CategoricalDistribution(r.values)
    if r.integer:
        return IntDistribution(int(r.low), int(r.high), log=r.log)
    return FloatDistribution(r.low, r.high, log=r.log)


def study_of(spec: JobSpec, group: Group) -> OptunaSearch:
    """Returns the search within a group; the default is its first trial, as it is ours."""
    space, known = space_of(spec, group), dict(defaults(spec, group))
    start = {_HYPERPARAMETER.format(n): v for n, v in known.items()}
    return OptunaSearch(
        space=space,
        metric="objective",
        mode="min",
        points_to_evaluate=[{name: start[name] for name in space}],
        sampler=TPESampler(
            seed=seed_of(spec.seed, group.search, group.levels[-1]),
            n_startup_trials=STARTUP_TRIALS,
            multivariate=True,
            constant_liar=True,
        ),
    )


class Runs:
    """Runs of Ray Tune over a question's fits."""

    def __init__(self, spec: JobSpec, slots: int, folder: str) -> None:
        self._spec = spec
        self._slots = slots
        self._folder = folder
        data = datasets.load(spec.dataset.source)
        self._trainable = tune.with_resources(
            tune.with_parameters(Trial, spec=spec, data=data), {"cpu": spec.resources.cpus}
        )

    def run(self, fit: Any, searcher: Searcher | None = None, samples: int = 1) -> list[Done]:
        """Runs Ray Tune and returns every trial's fit, in the order of their making.

        Args:
            fit: What "fit" is in a trial's configuration, or a grid of it.
            searcher: What fills in the rest.
            samples: How many trials; of a grid, how often it is run.
        """
        grid = tune.Tuner(
            self._trainable,
            param_space={"fit": fit},
            tune_config=tune.TuneConfig(
                search_alg=searcher,
                num_samples=samples,
                reuse_actors=True,
                max_concurrent_trials=self._slots,
            ),
            run_config=tune.RunConfig(
                storage_path=self._folder,
                verbose=0,
                checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
            ),
        ).fit()
        if grid.errors:
            raise RuntimeError(f"{grid.num_errors} trials failed") from grid.errors[0]
        return [self._done(r.config["fit"], r.metrics) for r in grid]

    def _done(self, fit: dict[str, Any], metrics: dict[str, Any]) -> Done:
        group = Group(fit["search"], tuple(fit["levels"]))
        return Done(
            group.search,
            group.levels,
            Phase(fit["phase"]),
            fit["replicate"],
            whole(self._spec, group, fit["setting"]),
            tuple(metrics["scores"]),
            metrics["seconds"],
            metrics["ended"],
        )

    def tune(self, together: bool) -> list[Done]:
        """Tunes every level."""
        parts, trials = groups(self._spec, together), self._spec.tuning.trials
        if together:
            return self.run({}, Levels(self._spec, parts), trials * len(parts))
        return [
            done
            for group in parts
            for done in self.run(tuning_fit(group), study_of(self._spec, group), trials)
        ]


def run(
    name: str, way: str, quick: bool, slots: int, isolated: Callable[..., list[Finish]]
) -> list[Finish]:
    """Puts a question to plain Ray Tune, from a script of its own; arguments as `script`'s."""
    return isolated(script, name, way, quick, slots, time.time())


def script(name: str, way: str, quick: bool, slots: int, began: float) -> list[Finish]:
    """Tunes, measures and judges.

    Args:
        name: The question's name.
        way: One of `WAYS`.
        quick: Whether to ask the small question.
        slots: Trials at once.
        began: `time.time()` when this process was asked for.

    Returns:
        How it went with all replicates; and what of it the fewest would have taken, and said.
    """
    spec, together = question(name, quick), WAYS[way]
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    start = time.monotonic()
    ray.init(num_cpus=slots, log_to_driver=False, logging_level="ERROR")
    ray_seconds = time.monotonic() - start
    try:
        with tempfile.TemporaryDirectory(prefix="tuner-race-") as folder:
            runs = Runs(spec, slots, folder)
            done = runs.tune(together)
            done += runs.run(tune.grid_search(to_measure(spec, done, together)))
            start = time.monotonic()
            said = answers(spec, done, spec.measuring.max_replicates)
            judging = time.monotonic() - start
            ended = time.time()
    finally:
        ray.shutdown()
    first = min(d.ended for d in done) - began - ray_seconds
    fewest = spec.measuring.min_replicates
    enough = max(d.ended for d in done if d.phase is Phase.TUNING or d.replicate < fewest)
    return [
        Finish(way, ended - began - ray_seconds, ray_seconds, first, said),
        Finish(
            f"{way}, {fewest} replicates",
            enough - began - ray_seconds + judging,
            ray_seconds,
            first,
            answers(spec, done, fewest),
        ),
    ]
