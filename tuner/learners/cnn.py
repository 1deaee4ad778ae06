"""Convolutional networks without shortcuts, searched by depth or by filters."""

from __future__ import annotations

import functools
import time
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from tuner.catalog import Value
from tuner.datasets.base import Features, Fold
from tuner.learners.base import Device
from tuner.learners.fits import TRAIN_SCORED, Fitted, LoopingLearner
from tuner.learners.nets.plain import plain_net
from tuner.learners.nets.state import settings_for, within_memory
from tuner.learners.nets.training import Schedule, predict, train


class Cnn(LoopingLearner):
    """A plain stack of convolutions with batch normalisation; see `nets.plain`.

    Everything random in a fit comes from generators seeded by the fold; torch's
    global random state and thread count are as before when a fit is over.
    """

    name = "cnn"

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


def _fit(setting: Mapping[str, Value], level: int, fold: Fold, device: Device) -> Fitted:
    clock = time.perf_counter()
    channels, height, width = fold.x.shape[1:]
    net = plain_net(
        (channels, height, width),
        fold.classes,
        depth=int(setting["depth"]),
        filters=int(setting["filters"]),
        dropout=float(setting["dropout"]),
        seed=fold.seed,
        device=device.name,
    )
    mean = fold.x.mean(axis=(0, 2, 3), keepdims=True, dtype=np.float64)
    spread = fold.x.std(axis=(0, 2, 3), keepdims=True, dtype=np.float64)
    spread[spread == 0] = 1  # a channel of one colour

    def normalised(x: Features) -> Tensor:
        scaled = (x - mean.astype(np.float32)) / spread.astype(np.float32)
        return torch.from_numpy(scaled).to(device.name)

    x = normalised(fold.x)
    schedule = Schedule(
        epochs=int(setting["epochs"]),
        batch_size=int(setting["batch_size"]),
        learning_rate=float(setting["learning_rate"]),
        weight_decay=float(setting["weight_decay"]),
    )
    train(net, x, torch.tensor(fold.y, device=device.name), schedule, fold.seed, device)
    return Fitted(
        level,
        predict(net, normalised(fold.x_score)),
        predict(net, x[:TRAIN_SCORED]),
        sum(p.numel() for p in net.parameters()),
        time.perf_counter() - clock,
    )


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
