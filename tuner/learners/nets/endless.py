"""Training under a schedule that knows no end, so that a long one holds every shorter one."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from tuner.learners.base import Device
from tuner.learners.fits import TimedOutError
from tuner.learners.nets.training import Schedule, diverged
from tuner.learners.nets.weights import copied

WARM_UP_STEPS = 50
"""Steps in which the learning rate rises; a count, for a share would have to know the end."""

_MOMENTUM = 8
"""How much the average leans to late steps: after t steps it spans about the last ninth."""

_STEPS_BETWEEN_LOOKS = 16


def epochs(
    net: nn.Module,
    x: Tensor,
    y: Tensor,
    schedule: Schedule,
    seed: int,
    device: Device,
    loss_of: Callable[[Tensor, Tensor], Tensor],
) -> Iterator[nn.Module]:
    """Trains by AdamW at a constant rate and yields, after each epoch, the averaged network.

    In place of a falling rate, noise is averaged out: what answers is the weights' average
    over the steps, leaning to late ones by a polynomial (Shamir & Zhang 2013); running means and
    variances are averaged with them. The network yielded is the same object each time.

    Args:
        net: The network, on the device.
        x: Training examples, on the device.
        y: Shape (examples,), on the device.
        schedule: How to train; its epochs are where it stops and change nothing before.
        seed: Of the shuffles.
        device: Whose deadline counts.
        loss_of: A batch's loss, of what the network answers and what is true.

    Raises:
        DivergedError: The loss became NaN or infinite.
        TimedOutError: The deadline passed.
    """
    weights = [p for p in net.parameters() if p.ndim > 1]
    others = [p for p in net.parameters() if p.ndim <= 1]
    groups: list[dict[str, Any]] = [
        {"params": weights},
        {"params": others, "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(
        groups,
        lr=schedule.learning_rate,
        weight_decay=schedule.weight_decay,
        fused=True,
    )
    averaged = copied(net)
    mine, theirs = _floats(averaged), _floats(net)
    steps_a_pass = schedule.steps(len(x)) // schedule.epochs
    net.train()
    for step, batch in enumerate(schedule.batches(len(x), seed, x.device)):
        for group in optimizer.param_groups:
            group["lr"] = schedule.learning_rate * min(1.0, (step + 1) / WARM_UP_STEPS)
        loss = loss_of(net(x[batch]), y[batch])
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        with torch.no_grad():
            torch._foreach_lerp_(mine, theirs, (_MOMENTUM + 1) / (step + 1 + _MOMENTUM))
        ends = (step + 1) % steps_a_pass == 0
        if ends or (step + 1) % _STEPS_BETWEEN_LOOKS == 0:
            epoch = schedule.epoch(step, len(x))
            if not math.isfinite(loss.item()):
                raise diverged(loss.item(), epoch)
            if device.expired():
                raise TimedOutError(f"{epoch} of {schedule.epochs} epochs")
        if ends:
            yield averaged


def _floats(net: nn.Module) -> list[Tensor]:
    held = [*net.parameters(), *net.buffers()]
    return [tensor.detach() for tensor in held if tensor.is_floating_point()]
