"""An attack on a stand-in: what breaks a network trained on the same fold is tried on the victim.

Papernot, McDaniel & Goodfellow 2016, "Transferability in Machine Learning".
"""

from __future__ import annotations

import hashlib
import math
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar, cast

import numpy as np
import numpy.typing as npt

from tuner import catalog
from tuner.catalog import Value
from tuner.datasets.base import Features, Fold
from tuner.learners import registry
from tuner.learners.base import Device, Differentiable
from tuner.learners.samples import first_examples
from tuner.record import seed_of
from tuner.robustness.base import Disturbed, Effort, Victim
from tuner.robustness.gradients import ascended

EXAMPLES = 5_000
"""Training examples that a surrogate learns from at most: it is to be quick, not good."""

STEPS = 200
"""Steps that it is trained for at least: few examples are passed over more often."""

SMALLEST_IMAGE = 8
"""Pixels that an image needs each way for convolutions to be worth their time."""

SURROGATES, POINTS_BYTES = 8, 64 << 20
"""What a process keeps for the next level or learner: the surrogates asked for last, and about so
many bytes of what was found against them."""

T = TypeVar("T")

_surrogates: OrderedDict[str, Differentiable] = OrderedDict()
_points: OrderedDict[str, Features] = OrderedDict()


def transfer(
    victim: Victim, strength: float, effort: Effort, seed: int, device: Device
) -> Disturbed:
    """Returns what is found against a surrogate of the victim; see `base.Disturb`.

    All victims of one fold get the same points, whatever they answer. Each point is where
    projected gradient descent ends, not where the surrogate first gets it wrong
    (`gradients.pgd`): what has just crossed one network's border hasn't crossed another's.
    """
    if not victim.fold.classes:
        raise ValueError(
            "transfer raises a network's loss of classes, and a number is predicted here; "
            "noise and missing disturb what any learner sees"
        )
    of_fold = _digest(victim.fold.x, victim.fold.y, victim.fold.seed, device.name)
    told = (of_fold, strength, effort.steps, seed)
    of_points = _digest(victim.x, victim.y, *told)

    def attacked() -> Features:
        model = _kept(_surrogates, SURROGATES, of_fold, lambda: surrogate(victim.fold, device))
        found = ascended(replace(victim, model=model), strength, effort.steps, seed, device)
        found.flags.writeable = False  # others get it, too
        return found

    most = POINTS_BYTES // max(victim.x.nbytes, 1)
    return Disturbed(_kept(_points, most, of_points, attacked))


def surrogate(fold: Fold, device: Device) -> Differentiable:
    """Returns the network that is attacked in the victim's place.

    It is the catalog's `cnn` where examples are images, and else its `mlp`, with its default
    settings, trained on at most `EXAMPLES` of the fold's for `STEPS` at least. Its seed is none
    that a learner has.

    Raises:
        DivergedError: Its loss is NaN or infinite.
        TimedOutError: The deadline passed.
    """
    image = fold.x.ndim == 4 and min(fold.x.shape[2:]) >= SMALLEST_IMAGE
    name = "cnn" if image else "mlp"
    known = catalog.LEARNERS[name].hyperparameters
    setting: dict[str, Value] = {key: entry.default for key, entry in known.items()}
    mine = replace(first_examples(fold, EXAMPLES), seed=seed_of(fold.seed, "surrogate"))
    steps_an_epoch = math.ceil(len(mine.x) / int(setting["batch_size"]))
    setting["epochs"] = max(int(setting["epochs"]), math.ceil(STEPS / steps_an_epoch))
    return cast(Differentiable, registry.get(name).train(setting, mine, device))


def _kept(kept: OrderedDict[str, T], most: int, key: str, make: Callable[[], T]) -> T:
    """Returns what is kept under the key, or makes it and forgets what was asked for least."""
    found = kept.pop(key) if key in kept else make()
    kept[key] = found
    while len(kept) > most:
        kept.popitem(last=False)
    return found


def _digest(x: Features, y: npt.NDArray[np.generic], *about: str | float) -> str:
    """Returns what stands for these examples, and what else is told, among all others."""
    digest = hashlib.sha256(repr((x.shape, *about)).encode())
    for array in (x, y):
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
