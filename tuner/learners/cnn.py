"""Convolutional networks without shortcuts, searched by depth or by filters."""

from __future__ import annotations

import functools
import time
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from tuner.catalog import Value
from tuner.datasets.base import Features, Fold
from tuner.learners.base import Device
from tuner.learners.fits import TRAIN_SCORED, Fitted
from tuner.learners.fusing import Failure, FusingLearner, Part
from tuner.learners.nets.fused import FusedNet
from tuner.learners.nets.plain import plain_net
from tuner.learners.nets.state import settings_for, within_memory
from tuner.learners.nets.together import Lesson, train_together
from tuner.learners.nets.training import Schedule, predict, seconds_a_step, train


class Cnn(FusingLearner):
    """A plain stack of convolutions with batch normalisation; see `nets.plain`.

    Everything random in a fit comes from generators seeded by the fold; torch's
    global random state and thread count are as before when a fit is over.

    Members of one shape train as one network (`nets.fused`). The standalone cost of
    such a member is calibrated, not measured: before the batch starts, the first
    member is set up and takes a few steps alone, and what a step took is multiplied
    by the steps of a fit; predictions are made one by one and are timed as they are.
    The record tells such members by their packet, which holds several replicates or
    settings of one level.
    """

    name = "cnn"
    fused = frozenset({"learning_rate", "weight_decay", "dropout"})

    def problem_with(self, x: Features, classes: int) -> str | None:
        """Says that tables have no neighbourhoods to convolve, where x is one."""
        if x.ndim == 4:
            return None
        return (
            "cnn needs images, shape (n, channels, height, width) or (n, height, width); "
            f"this is a table of shape {x.shape}. Use forest or perceptron for it"
        )

    def fit(
        self,
        axis: str,
        setting: Mapping[str, Value],
        levels: Sequence[int],
        fold: Fold,
        device: Device,
    ) -> Iterator[Fitted]:
        """Trains one network and yields its one level."""
        full = {**setting, axis: levels[0]}
        _warm_up(device.name)
        with settings_for(device):
            fitted = within_memory(lambda: _fit(full, levels[0], fold, device), device)
        yield fitted

    def fit_together(
        self, parts: Sequence[Part], level: int, device: Device
    ) -> Sequence[Fitted | Failure]:
        """Trains networks of one shape as one and asks each for its predictions."""
        _warm_up(device.name)
        with settings_for(device):
            return within_memory(lambda: _fit_together(parts, level, device), device)


def _fit(setting: Mapping[str, Value], level: int, fold: Fold, device: Device) -> Fitted:
    clock = time.perf_counter()
    net = _net(setting, fold, device)
    scale = _Scale(fold, device)
    x = scale(fold.x)
    train(net, x, _labels(fold, device), _schedule(setting), fold.seed, device)
    return Fitted(
        level,
        predict(net, scale(fold.x_score)),
        predict(net, x[:TRAIN_SCORED]),
        sum(p.numel() for p in net.parameters()),
        time.perf_counter() - clock,
    )


def _fit_together(parts: Sequence[Part], level: int, device: Device) -> list[Fitted | Failure]:
    setup, a_step = _alone(parts[0], device)
    folds = {id(part.fold): part.fold for part in parts}
    places = {key: place for place, key in enumerate(folds)}
    scales = [_Scale(fold, device) for fold in folds.values()]
    x = torch.empty((len(folds), *parts[0].fold.x.shape), device=device.name)
    for mine, scale, fold in zip(x, scales, folds.values(), strict=True):
        mine.copy_(scale(fold.x))
    y = torch.stack([_labels(fold, device) for fold in folds.values()])
    nets = [_net(part.setting, part.fold, device) for part in parts]
    net, fused = nets[0], FusedNet(nets)
    del nets
    lessons = [
        Lesson(
            _schedule(part.setting),
            float(part.setting["dropout"]),
            part.fold.seed,
            places[id(part.fold)],
        )
        for part in parts
    ]
    stopped = train_together(fused, x, y, lessons, device)
    trained = setup + a_step * lessons[0].schedule.steps(x.shape[1])
    found: list[Fitted | Failure] = []
    for member, (part, lesson, reason) in enumerate(zip(parts, lessons, stopped, strict=True)):
        if reason is not None:
            found.append(Failure(reason.error, setup + a_step * reason.steps))
            continue
        clock = time.perf_counter()
        fused.unload(member, net)
        score = predict(net, scales[lesson.data](part.fold.x_score))
        seen = predict(net, x[lesson.data, :TRAIN_SCORED])
        size = sum(p.numel() for p in net.parameters())
        seconds = trained + time.perf_counter() - clock
        found.append(Fitted(level, score, seen, size, seconds))
    return found


def _alone(part: Part, device: Device) -> tuple[float, float]:
    """Returns the seconds until a lone fit's first step, and those of each step."""
    clock = time.perf_counter()
    net = _net(part.setting, part.fold, device)
    x = _Scale(part.fold, device)(part.fold.x)
    y = _labels(part.fold, device)
    setup = time.perf_counter() - clock
    return setup, seconds_a_step(net, x, y, _schedule(part.setting), part.fold.seed)


def _net(setting: Mapping[str, Value], fold: Fold, device: Device) -> nn.Sequential:
    channels, height, width = fold.x.shape[1:]
    return plain_net(
        (channels, height, width),
        fold.classes,
        depth=int(setting["depth"]),
        filters=int(setting["filters"]),
        dropout=float(setting["dropout"]),
        seed=fold.seed,
        device=device.name,
    )


def _schedule(setting: Mapping[str, Value]) -> Schedule:
    return Schedule(
        epochs=int(setting["epochs"]),
        batch_size=int(setting["batch_size"]),
        learning_rate=float(setting["learning_rate"]),
        weight_decay=float(setting["weight_decay"]),
    )


def _labels(fold: Fold, device: Device) -> Tensor:
    return torch.tensor(fold.y, device=device.name)


class _Scale:
    """Moves images to the device, each channel as its mean and spread in training are 0 and 1."""

    def __init__(self, fold: Fold, device: Device) -> None:
        self._mean = fold.x.mean(axis=(0, 2, 3), keepdims=True, dtype=np.float64)
        self._spread = fold.x.std(axis=(0, 2, 3), keepdims=True, dtype=np.float64)
        self._spread[self._spread == 0] = 1  # a channel of one colour
        self._device = device.name

    def __call__(self, x: Features) -> Tensor:
        """Returns the images, shape (examples, channels, height, width), scaled."""
        scaled = (x - self._mean.astype(np.float32)) / self._spread.astype(np.float32)
        return torch.from_numpy(scaled).to(self._device)


@functools.cache
def _warm_up(device: str) -> None:
    """Makes torch load what it loads on first use, some seconds, so that no fit's cost has it."""
    images = np.zeros((2, 1, 8, 8), dtype=np.float32)
    labels = np.array([0, 1])
    setting = {"depth": 1, "filters": 1, "dropout": 0.5, "epochs": 1, "batch_size": 2}
    setting |= {"learning_rate": 0.1, "weight_decay": 0.1}
    some = Fold(0, 0, images, labels, images, labels, classes=2)
    with settings_for(Device(device)):
        _fit(setting, 1, some, Device(device))
