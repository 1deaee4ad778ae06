"""Optuna's studies, made quietly: a comparison makes thousands."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping

import optuna
from optuna.distributions import IntDistribution

MakeSampler = Callable[[int], optuna.samplers.BaseSampler]


def new_study(make: MakeSampler, seed: int) -> optuna.Study:
    """Returns a study that maximises; Optuna's log level stays its user's."""
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            return optuna.create_study(sampler=make(seed), direction="maximize")
    finally:
        optuna.logging.set_verbosity(verbosity)


def places(sizes: Mapping[str, int]) -> dict[str, optuna.distributions.BaseDistribution]:
    """Returns a space of places on lists of so many values."""
    return {name: IntDistribution(0, size - 1) for name, size in sizes.items()}


def tpe(seed: int) -> optuna.samplers.BaseSampler:
    """Returns the TPE sampler as it comes."""
    return optuna.samplers.TPESampler(seed=seed)


def parallel_tpe(seed: int) -> optuna.samplers.BaseSampler:
    """Returns the TPE sampler that reckons with what runs at once."""
    return optuna.samplers.TPESampler(seed=seed, constant_liar=True)


def gp(seed: int) -> optuna.samplers.BaseSampler:
    """Returns the Gaussian-process sampler for noisy objectives."""
    return optuna.samplers.GPSampler(seed=seed, deterministic_objective=False)
