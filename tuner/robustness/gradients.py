"""Attacks by a model's own gradients, in the L-infinity norm: one step up the loss, and many.

Both try to make right answers wrong. An example that the model gets wrong undisturbed stays
as it is, so that no attack makes a model better. What is disturbed stays in the ball around
its example and in the range of values that training has (`Reach.clip`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import numpy.typing as npt

from tuner import catalog
from tuner.datasets.base import Features, Labels
from tuner.learners.base import Device, Differentiable
from tuner.learners.fits import TimedOutError
from tuner.learners.uphill import like
from tuner.robustness import masking
from tuner.robustness.base import Disturbed, Effort, Victim
from tuner.robustness.reach import Reach

STRIDE = 2.5
"""Length of all steps together, in radii of the ball: enough to get anywhere in it, and to
make up for a wrong turn (Madry et al. 2018)."""

WHOLE_RANGE_EXAMPLES, WHOLE_RANGE_STEPS = 50, 10
"""Of the attack that checks whether gradients lead anywhere."""

_AT_ONCE = 256
"""Examples attacked at once; fixed, so that memory is bounded."""

_Places = npt.NDArray[np.int64]


def fgsm(victim: Victim, strength: float, effort: Effort, seed: int, device: Device) -> Disturbed:
    """Moves every value by the strength, the way the loss rises (Goodfellow et al. 2015).

    Args:
        victim: A classifier that is `Differentiable`, and its inputs.
        strength: Radius of the ball, in units of `Reach`.
        effort: Unused: it is one step.
        seed: Unused: nothing in it is random.
        device: Until when.

    Raises:
        TimedOutError: The deadline passed.
        ValueError: The model tells no gradients, or predicts no classes.
    """
    attack = _Attack.on("fgsm", victim, strength, device)
    found = victim.x.copy()
    flat = right = 0
    for places in _batches(found):
        attack.look(f"fgsm on {places[0]} of {len(found)} examples")
        still = places[attack.right(found[places], places)]
        uphill = attack.uphill(found[still], still)
        found[still] = attack.moved(found[still], still, strength * uphill)
        flat, right = flat + _zeros(uphill), right + len(still)
    return Disturbed(found, note=masking.of_flat(flat, right))


def pgd(victim: Victim, strength: float, effort: Effort, seed: int, device: Device) -> Disturbed:
    """Goes up the loss in many steps from a random point of the ball (Madry et al. 2018).

    An example goes on until the model gets it wrong and keeps the first such point, the start
    among them: a later step may lose it again. Steps are `STRIDE` times the strength, divided
    by how many they are.

    Where examples stay right, up to 50 of them are attacked once more, with every value free
    to become any that there is. Hardly any should stay right then; where more do, the
    gradients lead nowhere, and the note says so.

    Args:
        victim: A classifier that is `Differentiable`, and its inputs.
        strength: Radius of the ball, in units of `Reach`.
        effort: How many steps.
        seed: Of the starts.
        device: Until when.

    Raises:
        TimedOutError: The deadline passed.
        ValueError: The model tells no gradients, or predicts no classes.
    """
    attack = _Attack.on("pgd", victim, strength, device)
    random = np.random.default_rng(seed)
    found = victim.x.copy()
    left: list[_Places] = []
    flat = 0
    for places in _batches(found):
        # Drawn for all, so that an example's start doesn't depend on what the model gets right.
        start = attack.start(places, random)
        right = attack.right(found[places], places)
        at = start[right]
        climbed = attack.climb(at, places[right], effort.steps)
        found[places[right]] = climbed.x
        left.append(places[right][climbed.left])
        flat += climbed.flat
    still = np.concatenate(left)
    if not len(still):
        return Disturbed(found)
    masked = _in_the_whole_range(attack, still)
    if masked and _one_answer(victim):
        return Disturbed(found, note=masking.of_one_answer(len(found)))
    told = filter(None, (masking.of_flat(flat, len(still)), masked))
    return Disturbed(found, note=" ".join(told))


def ascended(victim: Victim, strength: float, steps: int, seed: int, device: Device) -> Features:
    """Returns examples as far up the model's loss as so many steps lead from random starts.

    Unlike under `pgd` all of them go on to the end, whatever the model answers on the way.

    Args:
        victim: A classifier that is `Differentiable`, and its inputs.
        strength: Radius of the ball, in units of `Reach`.
        steps: How many steps, of `STRIDE` times the strength together.
        seed: Of the starts.
        device: Until when.

    Raises:
        TimedOutError: The deadline passed.
        ValueError: The model tells no gradients, or predicts no classes.
    """
    attack = _Attack.on("an ascent", victim, strength, device)
    random = np.random.default_rng(seed)
    found = victim.x.copy()
    for places in _batches(found):
        at = attack.start(places, random)
        for step in range(steps):
            attack.look(f"{step} of {steps} steps on {places[0]} of {len(found)} examples")
            at = attack.moved(at, places, attack.stride(steps) * attack.uphill(at, places))
        found[places] = at
    return found


@dataclass(frozen=True)
class _Climbed:
    """Where an ascent ended.

    Attributes:
        x: Shape (examples, ...): the first point that the model gets wrong, or the last.
        left: Shape (examples still right,): their places in x, rising.
        flat: How many of them have a gradient of zero where they were last asked for it.
    """

    x: Features
    left: _Places
    flat: int


@dataclass(frozen=True)
class _Attack:
    """What is attacked, and how far it may be moved.

    Attributes:
        name: The attack's name.
        model: The model.
        x: Shape (examples, ...): undisturbed.
        y: Shape (examples,): the truth.
        reach: The units of strengths.
        strength: The ball's radius.
        device: Until when.
        signs: Whether every value moves as far, or as the gradient's sizes say.
    """

    name: str
    model: Differentiable
    x: Features
    y: Labels
    reach: Reach
    strength: float
    device: Device
    signs: bool = True

    @classmethod
    def on(cls, name: str, victim: Victim, strength: float, device: Device) -> Self:
        """Returns the attack. Raises ValueError where the victim can't be attacked so."""
        known = catalog.PERTURBATIONS.values()
        if not victim.fold.classes:
            able = ", ".join(other.name for other in known if "regression" in other.tasks)
            raise ValueError(f"{name} is for classifiers, and this predicts a number; {able} can")
        model = victim.model
        if isinstance(model, Differentiable):
            reach = Reach.of(victim.fold.x)
            return cls(name, model, victim.x, victim.y, reach, strength, device)
        able = " and ".join(
            other.name for other in known if other.group == "attack" and not other.gradients
        )
        raise ValueError(
            f"{name} goes by gradients, and models of the kind {model.kind!r} tell none; {able} "
            "attack any classifier"
        )

    def look(self, after: str) -> None:
        """Raises TimedOutError where the deadline has passed."""
        if self.device.expired():
            raise TimedOutError(after)

    def right(self, at: Features, places: _Places) -> npt.NDArray[np.bool_]:
        """Tells of each point whether the model gets it right."""
        if not len(at):
            return np.zeros(0, dtype=np.bool_)
        answers: npt.NDArray[np.bool_] = self.model.predict(at).argmax(axis=1) == self.y[places]
        return answers

    def uphill(self, at: Features, places: _Places) -> Features:
        """Returns which way the loss rises, in units; nowhere where the gradient is no number."""
        if not len(at):
            return at
        gradient = self.model.gradient(at, self.y[places])
        if gradient.shape != at.shape:
            raise ValueError(
                f"the model's gradient is of shape {gradient.shape}; that of its inputs, "
                f"{at.shape}, is needed"
            )
        by_units = np.nan_to_num(gradient) * self.reach.unit.astype(np.float64)
        return np.sign(by_units).astype(np.float32) if self.signs else like(by_units, at)

    def moved(self, at: Features, places: _Places, by: Features) -> Features:
        """Returns points moved by so much, in units, and back into what they may be."""
        return self.reach.clip(at + by * self.reach.unit, self.x[places], self.strength)

    def start(self, places: _Places, random: np.random.Generator) -> Features:
        """Returns a random point of the ball about each of these examples."""
        x = self.x[places]
        by = random.random(x.shape, dtype=np.float32) * 2 - 1
        return self.moved(x, places, self.strength * by)

    def stride(self, steps: int) -> np.float32:
        """Returns how long each of so many steps is, in units."""
        return np.float32(STRIDE * self.strength / steps)

    def climb(self, at: Features, places: _Places, steps: int) -> _Climbed:
        """Goes up the loss from given points, each until the model gets it wrong."""
        at, length = at.copy(), self.stride(steps)
        left = np.flatnonzero(self.right(at, places))
        flat = 0
        for step in range(steps):
            if not len(left):
                break
            self.look(
                f"{step} of {steps} steps of {self.name} on {places[0]} of {len(self.x)} examples"
            )
            uphill = self.uphill(at[left], places[left])
            at[left] = self.moved(at[left], places[left], length * uphill)
            right = self.right(at[left], places[left])
            left, flat = left[right], _zeros(uphill[right])
        return _Climbed(at, left, flat)


def _in_the_whole_range(attack: _Attack, still: _Places) -> str:
    """Attacks some that stayed right without bounds, and returns what is to be said of that.

    It starts at the examples themselves: a random point of the whole range is wrong already.
    What signs can't move, sizes get a try at: at XOR, where any one value decides, signs move
    all of them and end on the other side of the square, where the model is right again.
    """
    tried = still[np.linspace(0, len(still) - 1, min(len(still), WHOLE_RANGE_EXAMPLES)).astype(int)]
    low, high = attack.reach.low, attack.reach.high
    free = replace(attack, reach=Reach(high - low, low, high), strength=1.0)
    stuck = tried
    for signs in (True, False):
        if len(stuck):
            climbing = replace(free, signs=signs)
            stuck = stuck[climbing.climb(attack.x[stuck], stuck, WHOLE_RANGE_STEPS).left]
    return masking.of_whole_range(len(stuck), len(tried), len(still), len(attack.x))


def _one_answer(victim: Victim) -> bool:
    """Tells whether the model answers alike, undisturbed, where the truth differs."""
    answers = {
        answer
        for places in _batches(victim.x)
        for answer in victim.model.predict(victim.x[places]).argmax(axis=1).tolist()
    }
    return len(answers) == 1 and len(np.unique(victim.y)) > 1


def _batches(x: Features) -> Iterator[_Places]:
    """Yields the places of all examples, some at a time."""
    for first in range(0, len(x), _AT_ONCE):
        yield np.arange(first, min(first + _AT_ONCE, len(x)))


def _zeros(uphill: Features) -> int:
    """Returns at how many examples nothing rises."""
    return int((uphill.reshape(len(uphill), -1) == 0).all(axis=1).sum()) if len(uphill) else 0
