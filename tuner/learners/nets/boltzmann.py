"""Restricted Boltzmann machines of Bernoulli units, one stacked on the other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from tuner.learners.base import Device
from tuner.learners.fits import TimedOutError
from tuner.record import seed_of
from tuner.scoring import DivergedError

SPREAD = 0.01
"""Standard deviation of the first weights (Hinton 2012, section 8)."""

MOMENTUM = (0.5, 0.9)
"""Of the first `SLOW` epochs, and of those after them (Hinton 2012, section 9).

Persistent fantasies keep to the first: they must follow the weights (Tieleman 2008).
"""

SLOW = 5


@dataclass(frozen=True)
class Layer:
    """One machine, as what its hidden units see.

    Attributes:
        weights: Shape (units, visible).
        bias: Shape (units,).
    """

    weights: Tensor
    bias: Tensor

    def up(self, visible: Tensor) -> Tensor:
        """Returns the probability that each hidden unit is on, shape (examples, units)."""
        return torch.sigmoid(visible @ self.weights.T + self.bias)


@dataclass(frozen=True)
class Learning:
    """How a machine is trained.

    Attributes:
        epochs: Passes over the data.
        batch_size: Most examples a step.
        learning_rate: Size of a step along the difference of statistics.
        weight_decay: Pulls weights, not biases, to 0 (Hinton 2012, section 10).
        persistent: Whether fantasies go on from step to step (Tieleman 2008) or begin
            at the data (contrastive divergence with one step, Hinton 2002).
    """

    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    persistent: bool


def stack(
    x: Tensor, units: Sequence[int], learning: Learning, seed: int, device: Device
) -> list[Layer]:
    """Trains one machine after the other, each on what the one below says of the data.

    Greedy, as in Hinton, Osindero & Teh (2006); lower layers stay as they are.

    Args:
        x: Shape (examples, features), 0 to 1: probabilities that a unit is on.
        units: Hidden units of each layer, the lowest first.
        learning: How each is trained.
        seed: Of weights, batches and samples; each layer has a seed of its own, so the
            lower layers are the same whatever stands on them.
        device: Whose deadline counts.

    Raises:
        DivergedError: A weight became NaN or infinite.
        TimedOutError: The deadline passed.
    """
    layers: list[Layer] = []
    for number, size in enumerate(units):
        if layers:
            x = layers[-1].up(x)
        after = f"{number} of {len(units)} layers"
        own = seed_of(seed, "layer", number)
        layer, _ = train_layer(x, size, learning, own, device, after)
        layers.append(layer)
    return layers


def train_layer(
    x: Tensor, units: int, learning: Learning, seed: int, device: Device, after: str = "no layers"
) -> tuple[Layer, Tensor]:
    """Trains one machine.

    Args:
        x: As for `stack`.
        units: Hidden units.
        learning: How it is trained.
        seed: Of weights, batches and samples.
        device: Whose deadline counts.
        after: What was done before, should the deadline pass.

    Returns:
        Its hidden units, and the visible units' bias, shape (features,), by which it
        dreams: features need only the former.

    Raises:
        DivergedError: A weight became NaN or infinite.
        TimedOutError: The deadline passed.
    """
    # Drawn on the CPU, alike for every device, as far as it is drawn once.
    generator = torch.Generator().manual_seed(seed)
    weights = torch.randn((units, x.shape[1]), generator=generator).to(x.device) * SPREAD
    hidden = torch.zeros(units, device=x.device)
    # As often on as in the data before anything is learnt (Hinton 2012, section 8).
    share = x.mean(dim=0).clamp(0.01, 0.99)
    visible = torch.log(share / (1 - share))
    state = [weights, hidden, visible]
    speed = [torch.zeros_like(part) for part in state]
    drawing = torch.Generator(x.device).manual_seed(seed)
    parts = math.ceil(len(x) / learning.batch_size)
    fantasies: Tensor | None = None
    for epoch in range(learning.epochs):
        if device.expired():
            raise TimedOutError(f"{after} and {epoch} of {learning.epochs} epochs")
        momentum = MOMENTUM[epoch >= SLOW and not learning.persistent]
        for batch in torch.randperm(len(x), generator=generator).tensor_split(parts):
            seen = x[batch.to(x.device)]
            on = torch.sigmoid(seen @ weights.T + hidden)
            start = _drawn(on, drawing) if fantasies is None else fantasies
            dreamt = torch.sigmoid(start @ weights + visible)
            if learning.persistent:
                dreamt = _drawn(dreamt, drawing)
            back = torch.sigmoid(dreamt @ weights.T + hidden)
            if learning.persistent:
                fantasies = _drawn(back, drawing)
            steps = (
                on.T @ seen / len(seen)
                - back.T @ dreamt / len(dreamt)
                - learning.weight_decay * weights,
                on.mean(dim=0) - back.mean(dim=0),
                seen.mean(dim=0) - dreamt.mean(dim=0),
            )
            for part, moving, step in zip(state, speed, steps, strict=True):
                part += moving.mul_(momentum).add_(step, alpha=learning.learning_rate)
        if not all(bool(torch.isfinite(part).all()) for part in state):
            raise DivergedError(f"a weight is NaN or infinite after epoch {epoch + 1}")
    return Layer(weights, hidden), visible


def _drawn(on: Tensor, drawing: torch.Generator) -> Tensor:
    """Returns 1 for units that are on and 0 for others; off where a probability is NaN."""
    return (torch.rand(on.shape, generator=drawing, device=on.device) < on).float()
