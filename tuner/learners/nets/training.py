"""Trains a classifier and asks it, repeatably and within a deadline."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from tuner.learners.base import Device
from tuner.learners.fits import TimedOutError
from tuner.learners.scoring import DivergedError

WARM_UP = 0.2
"""Share of the steps in which the learning rate rises."""

_STEPS_BETWEEN_LOOKS = 16
"""Steps before loss and deadline are looked at again: a look waits for the device."""

_ASKED_AT_ONCE = 512
"""Examples predicted at once; fixed, for sums of another length round differently."""


@dataclass(frozen=True)
class Schedule:
    """How a network is trained.

    Attributes:
        epochs: Passes over the data.
        batch_size: Most examples a step.
        learning_rate: Its peak.
        weight_decay: AdamW's decay of weights; biases and normalisation have none.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float


def rate_at(step: int, steps: int) -> float:
    """Returns the learning rate at a step as a share of its peak.

    It rises linearly over the first fifth and falls as a cosine to zero
    (Smith & Topin 2019; Loshchilov & Hutter 2017).
    """
    peak = max(1, round(WARM_UP * steps))
    if step < peak:
        return (step + 1) / peak
    return 0.5 * (1 + math.cos(math.pi * (step - peak + 1) / (steps - peak + 1)))


def train(
    net: nn.Module, x: Tensor, y: Tensor, schedule: Schedule, seed: int, device: Device
) -> None:
    """Trains the network in place by AdamW on the cross-entropy.

    Args:
        net: The network, on the device.
        x: Shape (examples, channels, height, width), on the device.
        y: Shape (examples,), on the device.
        schedule: How to train.
        seed: Of the shuffles.
        device: Whose deadline counts.

    Raises:
        DivergedError: The loss became NaN or infinite.
        TimedOutError: The deadline passed.
    """
    generator = torch.Generator().manual_seed(seed)
    # Batches of nearly one size: a last one of a single example has no variance to normalise by.
    batches = math.ceil(len(x) / schedule.batch_size)
    steps = schedule.epochs * batches
    groups: list[dict[str, Any]] = [
        {"params": [p for p in net.parameters() if p.ndim > 1]},
        {"params": [p for p in net.parameters() if p.ndim <= 1], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(
        groups,
        lr=schedule.learning_rate,
        weight_decay=schedule.weight_decay,
        fused=True,
    )
    net.train()
    step = 0
    for epoch in range(schedule.epochs):
        order = torch.randperm(len(x), generator=generator).to(x.device)
        for batch in order.tensor_split(batches):
            for group in optimizer.param_groups:
                group["lr"] = schedule.learning_rate * rate_at(step, steps)
            images = x[batch].contiguous(memory_format=torch.channels_last)
            loss = functional.cross_entropy(net(images), y[batch])
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
            step += 1
            if step % _STEPS_BETWEEN_LOOKS == 0 or step == steps:
                if not math.isfinite(loss.item()):
                    raise DivergedError(f"the loss is {loss.item()} in epoch {epoch + 1}")
                if device.expired():
                    raise TimedOutError(f"{epoch} of {schedule.epochs} epochs")


def predict(net: nn.Module, x: Tensor) -> npt.NDArray[np.float64]:
    """Returns the probabilities of the classes, shape (examples, classes)."""
    net.eval()
    with torch.inference_mode():
        logits = [
            net(part.contiguous(memory_format=torch.channels_last))
            for part in torch.split(x, _ASKED_AT_ONCE)
        ]
        # In double precision, so that each row sums to 1 to the last digits.
        return torch.cat(logits).double().softmax(dim=1).cpu().numpy()
