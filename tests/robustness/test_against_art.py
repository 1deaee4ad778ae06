"""FGSM and PGD are the reference implementation's: as strong, and point by point alike."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from attacked import error, trained

from benchmarks import attacks
from tuner.learners.base import Device
from tuner.robustness.base import Effort, Victim
from tuner.robustness.gradients import fgsm, pgd

DEVICE = Device()
STEPS = 10


@pytest.fixture(scope="module")
def victim() -> Victim:
    found = trained("cnn", epochs=8, filters=4)
    found = replace(found, x=found.x[:300], y=found.y[:300])
    assert error(found, found.x) < 0.1
    return found


@pytest.mark.parametrize("strength", [0.05, 0.1, 0.3])
def test_one_step_goes_where_the_references_goes(victim: Victim, strength: float) -> None:
    ours = fgsm(victim, strength, Effort(), 0, DEVICE).x
    theirs = attacks.art_fgsm(victim, strength)
    right = victim.model.predict(victim.x).argmax(axis=1) == victim.y
    # Where its loss, in single precision, is sure, the reference doesn't move.
    moved = (theirs != victim.x).any(axis=(1, 2, 3)) & right
    assert moved.sum() > 0.9 * right.sum()
    apart = np.abs(ours - theirs)[moved] > 1e-6
    assert apart.mean() < 1e-3  # where a slope is 0 but for rounding
    assert error(victim, ours) >= error(victim, theirs) - 0.002
    assert error(victim, ours) == pytest.approx(error(victim, theirs), abs=0.01)


@pytest.mark.parametrize("strength", [0.05, 0.1])
def test_many_steps_are_as_strong_as_the_references(victim: Victim, strength: float) -> None:
    ours = error(victim, pgd(victim, strength, Effort(steps=STEPS), 0, DEVICE).x)
    theirs = error(victim, attacks.art_pgd(victim, strength, STEPS))
    # Starts differ, and ours keep what was wrong on the way.
    noise = 3 * np.sqrt(max(theirs * (1 - theirs), 0.002) / len(victim.y))
    assert ours == pytest.approx(theirs, abs=noise)
    assert ours >= theirs - 0.01
