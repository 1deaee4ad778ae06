"""Training under a schedule that doesn't know its horizon: a shorter one is its beginning."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from tuner.learners.base import Device
from tuner.learners.fits import TimedOutError
from tuner.record import seed_of
from tuner.scoring import DivergedError

WARM_UP = 30
"""Steps over which the learning rate rises linearly to its peak."""

FLAT = 1_000
"""Steps, about, before the learning rate begins to fall: as 1 / sqrt(1 + step / FLAT)."""

ORDER = 8
"""Of the average of weights: the last steps' share of about 1 / (ORDER + 1) counts most."""

_STEPS_BETWEEN_LOOKS = 16
"""Steps before loss and deadline are looked at again: a look waits for the device."""

Loss = Callable[[Tensor, Tensor], Tensor]
"""Of (outputs, targets): one number."""


@dataclass(frozen=True)
class Steady:
    """How a network is trained, however long.

    Attributes:
        batch_size: Most examples a step.
        learning_rate: Its peak.
        weight_decay: AdamW's decay of weights; biases and normalisation have none.
    """

    batch_size: int
    learning_rate: float
    weight_decay: float


def rate_at(step: int) -> float:
    """Returns the learning rate at a step, counted from 0, as a share of its peak.

    No part of it hangs on how many steps there will be.
    """
    return min(1.0, (step + 1) / WARM_UP) / math.sqrt(1 + step / FLAT)


def share_at(step: int) -> float:
    """Returns how much the weights after a step, counted from 0, count in their average.

    Polynomial-decay averaging (Shamir & Zhang 2013): the average is over about the last
    ninth of the steps taken so far, whenever one looks. It stands in for the fall of the
    learning rate to zero, which needs to know the end.
    """
    return (ORDER + 1) / (step + ORDER + 1)


def train_steadily(
    net: nn.Module,
    x: Tensor,
    y: Tensor,
    loss: Loss,
    steady: Steady,
    epochs: int,
    seed: int,
    device: Device,
) -> Iterator[nn.Module]:
    """Trains by AdamW and yields after each epoch a network of the average weights.

    What is yielded is one network that moves on with the training; asking it changes
    nothing of what comes. The batches of an epoch follow from the seed and its number
    alone, so the first epochs of a long training are the bits of a short one.

    Args:
        net: The network, on the device; it is trained in place.
        x: Shape (examples, features), on the device.
        y: The targets, as the loss wants them, on the device.
        loss: What is made small.
        steady: How to train.
        epochs: Passes over the data.
        seed: Of the shuffles.
        device: Whose deadline counts.

    Raises:
        DivergedError: The loss became NaN or infinite.
        TimedOutError: The deadline passed.
    """
    optimizer = torch.optim.AdamW(
        _groups(net), lr=steady.learning_rate, weight_decay=steady.weight_decay, fused=True
    )
    average = copy.deepcopy(net).eval().requires_grad_(False)
    pairs = _pairs(average, net)
    net.train()
    step = 0
    for epoch in range(epochs):
        batches = _batches(len(x), steady.batch_size, seed, epoch)
        for place, batch in enumerate(batches):
            for group in optimizer.param_groups:
                group["lr"] = steady.learning_rate * rate_at(step)
            chosen = batch.to(x.device)
            found = loss(net(x[chosen]), y[chosen])
            optimizer.zero_grad()
            torch.autograd.backward(found)
            optimizer.step()
            with torch.no_grad():
                torch._foreach_lerp_(pairs[0], pairs[1], share_at(step))
            if step % _STEPS_BETWEEN_LOOKS == 0 or place + 1 == len(batches):
                _look(found.item(), epoch, epochs, device)
            step += 1
        yield average


def _look(loss: float, epoch: int, epochs: int, device: Device) -> None:
    if not math.isfinite(loss):
        raise DivergedError(f"the loss is {loss} in epoch {epoch + 1}")
    if device.expired():
        raise TimedOutError(f"{epoch} of {epochs} epochs")


def _groups(net: nn.Module) -> list[dict[str, Any]]:
    return [
        {"params": [p for p in net.parameters() if p.ndim > 1]},
        {"params": [p for p in net.parameters() if p.ndim <= 1], "weight_decay": 0.0},
    ]


def _pairs(average: nn.Module, net: nn.Module) -> tuple[list[Tensor], list[Tensor]]:
    """Returns what is averaged, parameters and running means and variances, of both."""
    ours, theirs = average.state_dict(), net.state_dict()
    names = [name for name, tensor in ours.items() if tensor.is_floating_point()]
    return [ours[name] for name in names], [theirs[name].detach() for name in names]


def _batches(examples: int, size: int, seed: int, epoch: int) -> tuple[Tensor, ...]:
    """Returns an epoch's batches, of nearly one size, as places in the training part.

    A last batch of a single example would have no variance to normalise by.
    """
    generator = torch.Generator().manual_seed(seed_of(seed, "epoch", epoch))
    order = torch.randperm(examples, generator=generator)
    return order.tensor_split(math.ceil(examples / size))
