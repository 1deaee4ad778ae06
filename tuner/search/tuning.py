"""Tuning within a level: which settings to try next, by Optuna's ask and tell."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from tuner.catalog import Choice, Hyperparameter, Number, Value
from tuner.record import Setting, make_setting
from tuner.spec import Fixed

optuna.logging.set_verbosity(optuna.logging.WARNING)

STARTUP_TRIALS = 4
"""Random settings before a model-based sampler trusts its model."""

_ASKS_PER_SETTING = 20
"""Asks after which a space that gives nothing new counts as exhausted."""

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
        sampler: "tpe", "gp" or "random".
        seed: The sampler's seed.

    Returns:
        Settings that weren't tried before; fewer than asked where the space
        holds no more.
    """
    seen = {setting for setting, _ in tried}
    chosen: list[Setting] = []
    for setting in first:
        if setting not in seen and len(chosen) < count:
            chosen.append(setting)
            seen.add(setting)
    if len(chosen) == count or is_fixed(ranges):
        return chosen
    tuned = {name: r for name, r in ranges.items() if not isinstance(r, Fixed)}
    fixed = {name: r.fixed for name, r in ranges.items() if isinstance(r, Fixed)}
    space = {name: _distribution(r) for name, r in tuned.items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study = optuna.create_study(sampler=_SAMPLERS[sampler](seed), direction="minimize")
    if sampler != "random":  # which learns nothing from what was tried
        for setting, score in tried:
            _tell(study, space, dict(setting), score)
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


def _tell(
    study: optuna.Study,
    space: Mapping[str, BaseDistribution],
    values: Mapping[str, Value],
    score: float | None,
) -> None:
    failed = score is None
    trial = optuna.trial.create_trial(
        state=optuna.trial.TrialState.FAIL if failed else optuna.trial.TrialState.COMPLETE,
        params={name: values[name] for name in space},
        distributions=dict(space),
        value=score,
    )
    study.add_trial(trial)


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
        return min(max(float(f"{float(value):.4g}"), float(r.low)), float(r.high))
    return value


def _tpe(seed: int) -> optuna.samplers.BaseSampler:
    return optuna.samplers.TPESampler(
        seed=seed, n_startup_trials=STARTUP_TRIALS, multivariate=True, constant_liar=True
    )


def _gp(seed: int) -> optuna.samplers.BaseSampler:
    return optuna.samplers.GPSampler(
        seed=seed, n_startup_trials=STARTUP_TRIALS, deterministic_objective=False
    )


_SAMPLERS: Mapping[str, Callable[[int], Any]] = {
    "tpe": _tpe,
    "gp": _gp,
    "random": functools.partial(optuna.samplers.RandomSampler),
}
