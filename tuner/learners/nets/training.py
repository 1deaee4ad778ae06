"""Trains a classifier and asks it, repeatably and within a deadline."""

from __future__ import annotations

import itertools
import math
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from tuner.learners.base import Device
from tuner.learners.fits import TimedOutError
from tuner.scoring import DivergedError

Loss = Callable[[Tensor, Tensor], Tensor]
"""Of what a network answers and what is true, the mean over a batch."""

Slope = Callable[[npt.NDArray[np.float64], npt.NDArray[Any]], npt.NDArray[np.float64]]
"""Of what a network answers and what is true, which way each example's loss rises."""

WARM_UP = 0.2
"""Share of the steps in which the learning rate rises."""

_STEPS_BETWEEN_LOOKS = 16
"""Steps before loss and deadline are looked at again: a look waits for the device."""

_ASKED_AT_ONCE = 512
"""Examples predicted at once; fixed, for sums of another length round differently."""

_TIMED_AT_ONCE = 4
"""Steps between two looks at the clock when steps are timed: a look waits for the device."""

_TIMINGS = 3
"""Timings of that many steps each, of which the median counts; one before them warms up."""


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

    def steps(self, examples: int) -> int:
        """Returns the steps that a training on so many examples takes."""
        return self.epochs * self._a_pass(examples)

    def epoch(self, step: int, examples: int) -> int:
        """Returns the epoch of a step; both count from 0."""
        return step // self._a_pass(examples)

    def batches(self, examples: int, seed: int, device: torch.device) -> Iterator[Tensor]:
        """Yields the examples of every step, as their places in the training part.

        Batches are of nearly one size: a last one of a single example would have no
        variance to normalise by.

        Args:
            examples: Size of the training part.
            seed: Of the shuffles.
            device: Where the places shall be.
        """
        generator = torch.Generator().manual_seed(seed)
        for _ in range(self.epochs):
            order = torch.randperm(examples, generator=generator).to(device)
            yield from order.tensor_split(self._a_pass(examples))

    def _a_pass(self, examples: int) -> int:
        return math.ceil(examples / self.batch_size)


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
    net: nn.Module,
    x: Tensor,
    y: Tensor,
    schedule: Schedule,
    seed: int,
    device: Device,
    loss_of: Loss = functional.cross_entropy,
) -> None:
    """Trains the network in place by AdamW.

    Args:
        net: The network, on the device.
        x: Shape (examples, channels, height, width) or (examples, features), on the device.
        y: Shape (examples,), on the device.
        schedule: How to train.
        seed: Of the shuffles.
        device: Whose deadline counts.
        loss_of: A batch's loss, of what the network answers and what is true.

    Raises:
        DivergedError: The loss became NaN or infinite.
        TimedOutError: The deadline passed.
    """
    steps = schedule.steps(len(x))
    for step, loss in enumerate(_take_steps(net, x, y, schedule, seed, loss_of)):
        if is_look(step, steps):
            epoch = schedule.epoch(step, len(x))
            if not math.isfinite(loss.item()):
                raise diverged(loss.item(), epoch)
            if device.expired():
                raise TimedOutError(f"{epoch} of {schedule.epochs} epochs")


def is_look(step: int, steps: int) -> bool:
    """Tells whether loss and deadline are looked at after this step, counted from 0."""
    return (step + 1) % _STEPS_BETWEEN_LOOKS == 0 or step + 1 == steps


def diverged(loss: float, epoch: int) -> DivergedError:
    """Returns what is raised of a loss that is no number, in an epoch counted from 0."""
    return DivergedError(f"the loss is {loss} in epoch {epoch + 1}")


def seconds_a_step(net: nn.Module, x: Tensor, y: Tensor, schedule: Schedule, seed: int) -> float:
    """Returns what a step of `train` takes, from a few that are really taken.

    It is the median of three timings of four steps each, after four that aren't timed;
    of fewer where the schedule has no more. The network is of no use afterwards.

    Args:
        net: An untrained network, on the device.
        x: As for `train`.
        y: As for `train`.
        schedule: As for `train`.
        seed: As for `train`.
    """
    taken = _take_steps(net, x, y, schedule, seed, functional.cross_entropy)
    times = []
    for _ in range(1 + _TIMINGS):
        start = time.perf_counter()
        losses = list(itertools.islice(taken, _TIMED_AT_ONCE))
        if losses:
            losses[-1].item()  # waits until the device is done
            times.append((time.perf_counter() - start) / len(losses))
    return statistics.median(times[1:] or times)


def _take_steps(
    net: nn.Module, x: Tensor, y: Tensor, schedule: Schedule, seed: int, loss_of: Loss
) -> Iterator[Tensor]:
    """Takes one step after the other and yields the loss of each."""
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
    steps = schedule.steps(len(x))
    for step, batch in enumerate(schedule.batches(len(x), seed, x.device)):
        for group in optimizer.param_groups:
            group["lr"] = schedule.learning_rate * rate_at(step, steps)
        loss = loss_of(net(laid_out(x[batch])), y[batch])
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        yield loss


def predict(net: nn.Module, x: Tensor) -> npt.NDArray[np.float64]:
    """Returns the probabilities of the classes, shape (examples, classes)."""
    # In double precision, so that each row sums to 1 to the last digits.
    return _outputs(net, x).softmax(dim=1).cpu().numpy()


def values(net: nn.Module, x: Tensor) -> npt.NDArray[np.float64]:
    """Returns what a network of one output predicts, shape (examples,), in its own units."""
    return _outputs(net, x).squeeze(1).cpu().numpy()


def _outputs(net: nn.Module, x: Tensor) -> Tensor:
    net.eval()
    with torch.inference_mode():
        return torch.cat([net(laid_out(part)) for part in torch.split(x, _ASKED_AT_ONCE)]).double()


def gradient(
    net: nn.Module, x: Tensor, y: npt.NDArray[Any], slope_of: Slope
) -> npt.NDArray[np.float64]:
    """Returns which way each example's loss rises with its own values, in the shape of x.

    It leaves nothing behind in the network, whatever it is asked within.

    Args:
        net: The network, on the device.
        x: As for `predict`.
        y: Shape (examples, ...): what is true.
        slope_of: Which way it rises with what the network answers, in shape (examples, outputs).
    """
    net.eval()
    found = []
    with torch.inference_mode(False), torch.enable_grad():
        for part, true in zip(
            torch.split(x, _ASKED_AT_ONCE),
            np.split(y, range(_ASKED_AT_ONCE, len(x), _ASKED_AT_ONCE)),
            strict=True,
        ):
            seen = laid_out(part).clone().requires_grad_()
            answers = net(seen)
            slope = slope_of(answers.detach().double().cpu().numpy(), true)
            by_answers = torch.from_numpy(slope).to(answers)
            [by_inputs] = torch.autograd.grad(answers, seen, by_answers)
            found.append(by_inputs.double().cpu().numpy())
    return np.concatenate(found)


def laid_out(x: Tensor) -> Tensor:
    """Returns images in the memory format that kernels are fastest in, and tables as they are."""
    return x.contiguous(memory_format=torch.channels_last) if x.ndim == 4 else x
