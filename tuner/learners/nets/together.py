"""Trains many networks as one, each by its own schedule and seed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from tuner.learners.base import Device
from tuner.learners.fits import TimedOutError
from tuner.learners.nets.fused import FusedNet
from tuner.learners.nets.training import Schedule, diverged, is_look, rate_at


@dataclass(frozen=True)
class Lesson:
    """How one of the networks is trained.

    Attributes:
        schedule: Its own; epochs and batch size are the same for all.
        dropout: Share dropped before the last layer.
        seed: Of its shuffles and of what is dropped.
        data: Which of the training parts is its own.
    """

    schedule: Schedule
    dropout: float
    seed: int
    data: int


@dataclass(frozen=True)
class Stopped:
    """Why a network wasn't trained to its end, and after how many steps."""

    error: Exception
    steps: int


def train_together(
    net: FusedNet, x: Tensor, y: Tensor, lessons: Sequence[Lesson], device: Device
) -> list[Stopped | None]:
    """Trains the networks in place, each as `training.train` would it alone.

    A network whose loss is NaN or infinite is stopped: it goes on in the batch, where
    it disturbs none, and is of no use.

    Args:
        net: The networks, on the device.
        x: Shape (parts, examples, channels, height, width), on the device.
        y: Shape (parts, examples), on the device.
        lessons: One a network, in their order.
        device: Whose deadline counts.

    Returns:
        Of each network why it was stopped, or None.
    """
    examples = x.shape[1]
    schedule = lessons[0].schedule
    steps = schedule.steps(examples)
    dropout = _Dropout(lessons, x.device)
    optimizer = _AdamW(net, [lesson.schedule for lesson in lessons])
    part = torch.tensor([[lesson.data] for lesson in lessons], device=x.device)
    stopped: list[Stopped | None] = [None] * len(lessons)
    orders = [schedule.batches(examples, lesson.seed, x.device) for lesson in lessons]
    for step, places in enumerate(zip(*orders, strict=True)):
        batch = torch.stack(places)
        losses = _losses(net, x[part, batch], y[part, batch], dropout)
        # Summed, not averaged: a member's gradients are then those of its own loss.
        torch.autograd.backward(losses.sum())
        optimizer.step(rate_at(step, steps))
        if is_look(step, steps):
            epoch = schedule.epoch(step, examples)
            for member, loss in enumerate(losses.tolist()):
                if stopped[member] is None and not math.isfinite(loss):
                    stopped[member] = Stopped(diverged(loss, epoch), step + 1)
            if None in stopped and device.expired():
                late = Stopped(TimedOutError(f"{epoch} of {schedule.epochs} epochs"), step + 1)
                return [reason or late for reason in stopped]
            if None not in stopped:
                break
    return stopped


def _losses(net: FusedNet, x: Tensor, y: Tensor, dropout: _Dropout) -> Tensor:
    """Returns each member's loss.

    Args:
        net: The networks.
        x: Shape (members, batch, channels, height, width).
        y: Shape (members, batch).
        dropout: Of all members.
    """
    # Side by side in the memory format that kernels are fastest in.
    images = x.permute(1, 3, 4, 0, 2).flatten(3).permute(0, 3, 1, 2)
    logits = net.logits(images, dropout).flatten(0, 1)
    losses = functional.cross_entropy(logits, y.flatten(), reduction="none")
    return losses.view(y.shape).mean(dim=1)


class _Dropout:
    """Draws what each member drops as its own `SeededDropout` does when it is alone."""

    def __init__(self, lessons: Sequence[Lesson], device: torch.device) -> None:
        self._shares = [lesson.dropout for lesson in lessons]
        self._kept = torch.tensor([[[1 - share]] for share in self._shares], device=device)
        self._generators = [torch.Generator(device).manual_seed(part.seed) for part in lessons]

    def __call__(self, x: Tensor) -> Tensor:
        """Drops of shape (members, batch, features) each member's share."""
        if not any(self._shares):
            return x
        kept = torch.ones(x.shape, device=x.device)
        for mine, share, generator in zip(kept, self._shares, self._generators, strict=True):
            if share:
                mine.bernoulli_(1 - share, generator=generator)
        return x * kept / self._kept


class _AdamW:
    """AdamW with rates and decays of each member's own."""

    def __init__(self, net: FusedNet, schedules: Sequence[Schedule]) -> None:
        def of_all(values: list[float]) -> Tensor:
            return torch.tensor(values, device=net.weights.device)

        self._weights = net.weights
        self._rates = net.spread(of_all([s.learning_rate for s in schedules]))
        decays = of_all([s.learning_rate * s.weight_decay for s in schedules])
        self._decays = net.spread(decays, decayed=True)
        # torch's knows one rate for all. At rate 1 and from 0 it gives the step's direction,
        # which is the same at any rate.
        self._direction = torch.zeros_like(net.weights, requires_grad=False)
        self._torchs = torch.optim.AdamW([self._direction], lr=1.0, weight_decay=0.0, fused=True)

    def step(self, share: float) -> None:
        """Takes a step by the gradients, at a share of each member's rate, and forgets them."""
        self._direction.zero_()
        self._direction.grad, self._weights.grad = self._weights.grad, None
        self._torchs.step()
        with torch.no_grad():
            self._weights.addcmul_(self._weights, self._decays, value=-share)
            self._weights.addcmul_(self._direction, self._rates, value=share)
