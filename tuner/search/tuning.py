"""Tuning within a level: which settings to try next, by Optuna's ask and tell."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping, Sequence

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import FrozenTrial

from tuner.catalog import Choice, Hyperparameter, Number, Value
from tuner.record import Setting, make_setting
from tuner.spec import Fixed
from tuner.spec.scaling import clipped, significant

STARTUP_TRIALS = 4
"""Random settings before a model-based sampler trusts its model."""

POPULATION = 4
"""Settings to a generation of the genetic sampler: Optuna's 50 would outlast any level."""

WARM_TRIALS = 10
"""Trials that CMA-ES needs to take a tenth of them as its start."""

ROUNDING = 1e-3
"""Share by which a number may be off after it was moved to another level and back."""

_ASKS_PER_SETTING = 20
"""Asks after which a space that gives nothing new counts as exhausted."""

MakeSampler = Callable[[int, Sequence[FrozenTrial]], optuna.samplers.BaseSampler]
"""From a seed and what was tried."""

Ranges = Mapping[str, Fixed | Hyperparameter]


def default_setting(ranges: Ranges) -> Setting:
    """Returns every hyperparameter at its fixed value or default."""
    return make_setting(
        {
            name: _typed(r, r.fixed if isinstance(r, Fixed) else r.default)
            for name, r in ranges.items()
        }
    )


def is_fixed(ranges: Ranges) -> bool:
    """Tells whether there is nothing to tune."""
    return all(isinstance(r, Fixed) for r in ranges.values())


def propose(
    ranges: Ranges,
    *,
    tried: Sequence[tuple[Setting, float | None]],
    first: Sequence[Setting],
    count: int,
    sampler: str,
    seed: int,
) -> list[Setting]:
    """Returns settings to try next.

    A fresh study is built at every call from what was tried, in that order, with
    a fresh sampler: the answer follows from the arguments alone (design.md, "The
    record is the truth").

    Args:
        ranges: What every hyperparameter may be.
        tried: Settings and their scores, lower better; None where it failed.
        first: Settings to try before the sampler is asked: warm starts, the default.
        count: How many.
        sampler: "tpe", "gp", "cmaes", "genetic" or "random".
        seed: The sampler's seed.

    Returns:
        Settings that weren't tried before; fewer than asked where the space
        holds no more. Of the first ones none that differs from another by rounding alone.
    """
    seen = {setting for setting, _ in tried}
    chosen: list[Setting] = []
    for setting in first:
        if len(chosen) < count and not any(_alike(setting, other) for other in seen):
            chosen.append(setting)
            seen.add(setting)
    if len(chosen) == count or is_fixed(ranges):
        return chosen
    tuned = {name: r for name, r in ranges.items() if not isinstance(r, Fixed)}
    fixed = {name: r.fixed for name, r in ranges.items() if isinstance(r, Fixed)}
    space = {name: _distribution(r) for name, r in tuned.items()}
    # Random search learns nothing from what was tried.
    told = [] if sampler == "random" else [_trial(space, dict(s), score) for s, score in tried]
    study = _study(_SAMPLERS[sampler], seed, told)
    for trial in told:
        study.add_trial(trial)
    for setting in chosen:
        study.enqueue_trial({k: v for k, v in setting if k in space})
        study.ask(space)
    for _ in range(_ASKS_PER_SETTING * (count - len(chosen))):
        asked = study.ask(space).params
        setting = make_setting({**fixed, **{n: _typed(tuned[n], v) for n, v in asked.items()}})
        if setting not in seen:
            seen.add(setting)
            chosen.append(setting)
            if len(chosen) == count:
                break
    return chosen


def _alike(one: Setting, other: Setting) -> bool:
    return all(
        a == b
        or (isinstance(a, float) and isinstance(b, float) and math.isclose(a, b, rel_tol=ROUNDING))
        for (_, a), (_, b) in zip(one, other, strict=True)
    )


def _study(make: MakeSampler, seed: int, told: Sequence[FrozenTrial]) -> optuna.Study:
    """Returns a fresh study, which is no news: one is made at every step."""
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            return optuna.create_study(sampler=make(seed, told), direction="minimize")
    finally:
        optuna.logging.set_verbosity(verbosity)


def _trial(
    space: Mapping[str, BaseDistribution], values: Mapping[str, Value], score: float | None
) -> FrozenTrial:
    """Returns what was tried as Optuna has it; without a score it failed."""
    failed = score is None
    return optuna.trial.create_trial(
        state=optuna.trial.TrialState.FAIL if failed else optuna.trial.TrialState.COMPLETE,
        params={name: values[name] for name in space},
        distributions=dict(space),
        value=score,
    )


def _distribution(r: Hyperparameter) -> BaseDistribution:
    if isinstance(r, Choice):
        return CategoricalDistribution(r.values)
    if r.integer:
        return IntDistribution(int(r.low), int(r.high), log=r.log)
    return FloatDistribution(r.low, r.high, log=r.log)


def _typed(r: Fixed | Hyperparameter, value: Value) -> Value:
    """Returns the value as it is recorded: floats at four significant digits, within the range.

    The record's ids, its reports and a person who types a setting again then
    speak of the same number.
    """
    if isinstance(r, Number):
        if r.integer:
            return int(value)
        return clipped(significant(float(value)), r)
    return value


def _tpe(seed: int, told: Sequence[FrozenTrial]) -> optuna.samplers.BaseSampler:
    return optuna.samplers.TPESampler(
        seed=seed, n_startup_trials=STARTUP_TRIALS, multivariate=True, constant_liar=True
    )


def _gp(seed: int, told: Sequence[FrozenTrial]) -> optuna.samplers.BaseSampler:
    return optuna.samplers.GPSampler(
        seed=seed, n_startup_trials=STARTUP_TRIALS, deterministic_objective=False
    )


def _cmaes(seed: int, told: Sequence[FrozenTrial]) -> optuna.samplers.BaseSampler:
    """Returns CMA-ES whose first generation is drawn around the best of what was tried.

    Its own state doesn't outlive a step, so every step starts it warm (Nomura et al.
    2021, "Warm starting CMA-ES for hyperparameter optimization").
    """
    done = [t for t in told if t.state is optuna.trial.TrialState.COMPLETE]
    numeric = {
        name: distribution
        for name, distribution in (done[0].distributions if done else {}).items()
        if not isinstance(distribution, CategoricalDistribution)
    }
    if len(done) < STARTUP_TRIALS or not numeric:
        return _random(seed, told)
    # It knows numbers only; choices are drawn at random.
    sources = [_trial(numeric, trial.params, trial.value) for trial in done]
    return optuna.samplers.CmaEsSampler(
        seed=seed,
        # It starts at their best tenth: where they are few, at the best one, told repeatedly.
        source_trials=sources * math.ceil(WARM_TRIALS / len(sources)),
        n_startup_trials=0,
        warn_independent_sampling=False,
    )


class _Genetic(optuna.samplers.NSGAIISampler):
    """NSGA-II whose generations are what was tried, in order: its own marks don't outlive a step.

    Deb et al. 2002, "A fast and elitist multiobjective genetic algorithm: NSGA-II"; of one
    objective it is an elitist genetic algorithm.
    """

    def get_trial_generation(self, study: optuna.Study, trial: FrozenTrial) -> int:
        """Returns the generation of a trial that is asked for now, counted from 0."""
        return len(_completed(study)) // POPULATION

    def get_population(self, study: optuna.Study, generation: int) -> list[FrozenTrial]:
        """Returns the trials of a generation."""
        return _completed(study)[generation * POPULATION : (generation + 1) * POPULATION]


def _completed(study: optuna.Study) -> list[FrozenTrial]:
    return study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,))


def _genetic(seed: int, told: Sequence[FrozenTrial]) -> optuna.samplers.BaseSampler:
    return _Genetic(seed=seed, population_size=POPULATION)


def _random(seed: int, told: Sequence[FrozenTrial]) -> optuna.samplers.BaseSampler:
    return optuna.samplers.RandomSampler(seed)


_SAMPLERS: Mapping[str, MakeSampler] = {
    "tpe": _tpe,
    "gp": _gp,
    "cmaes": _cmaes,
    "genetic": _genetic,
    "random": _random,
}
