"""Simulated curves as worlds: their truth is known, not estimated."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from tuner.search.simulation.world import Noise, World
from tuner.testing.noise import PAIRED
from tuner.testing.noise import Noise as CurveNoise
from tuner.testing.truths import CASES, SIX, Case

MARGIN = 0.01
"""Accuracy that a truth's margin stands for: they are told in margins."""

RATES = tuple(10 ** (-4 + i / 3) for i in range(10))
"""Learning rates to tune."""

BEST_RATE = 5
DEFAULT_RATE = 6

PENALTY = 0.25
"""Margins that a rate one place off the best loses; with the square of the places."""

_TOP = 0.8
"""Accuracy of a mean of no margins."""

FIVE = {
    "plateau_early": CASES["plateau early"],
    "plateau_late": CASES["plateau late"],
    "rising": CASES["rising"],
    "declining": CASES["decline"],
    "noisy": Case("noisy", SIX["plateau early"], CurveNoise(3 * PAIRED)),
}
"""The curves that policies are compared on."""


def _named() -> Mapping[str, Case]:
    others = {
        re.sub(r"\W+", "_", name): case for name, case in CASES.items() if case.noise.gaussian
    }
    return MappingProxyType({**others, **FIVE})


TRUTHS: Mapping[str, Case] = _named()
"""Every Gaussian case of `tuner.testing.truths` by its name in one word, and the five."""


def load(name: str) -> World:
    """Returns a simulated curve as a world.

    A level has its truth's mean at the best learning rate, and costs as many
    device-seconds as it is large. Raises KeyError where there is no such truth.
    """
    case = TRUTHS[name]
    levels = tuple(int(level) for level in case.truth.levels)
    lost = PENALTY * (np.arange(len(RATES)) - BEST_RATE) ** 2
    means = np.asarray(case.truth.means)[:, None] - lost[None, :]
    own = np.broadcast_to(np.asarray(case.noise.paired) / 2**0.5, len(levels))
    return World(
        name=f"simulated/{name}",
        axis="level",
        levels=levels,
        grid={"learning_rate": RATES},
        defaults={"learning_rate": DEFAULT_RATE},
        means=_TOP + MARGIN * means,
        seconds=np.repeat(np.asarray(levels, dtype=np.float64)[:, None], len(RATES), axis=1),
        noise=Noise(tuple((MARGIN * own).tolist()), MARGIN * case.noise.luck),
    )
