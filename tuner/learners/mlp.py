"""Multilayer perceptrons by backpropagation (Rumelhart, Hinton & Williams 1986)."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from tuner.catalog import Value
from tuner.datasets.base import Fold
from tuner.learners.base import Device
from tuner.learners.fits import TRAIN_SCORED, Fitted, LoopingLearner
from tuner.learners.nets.endless import epochs
from tuner.learners.nets.inputs import Inputs
from tuner.learners.nets.kept import Architecture, NetModel
from tuner.learners.nets.learner import schedule, warm_up
from tuner.learners.nets.state import settings_for, within_memory


class Mlp(LoopingLearner):
    """Fully connected layers on tables, and on images whose pixels are put in a row.

    One fit scores every shorter training: the schedule doesn't know how many epochs
    there will be, and what is asked on the way is an average of the weights that
    training never sees (`nets.endless`). Classes are learnt by cross-entropy, values by
    the squared error, scaled by the training part's mean and spread.
    """

    name = "mlp"
    nested = frozenset({"epochs"})

    def train(self, setting: Mapping[str, Value], fold: Fold, device: Device) -> NetModel:
        """Trains one network for all its epochs."""
        with settings_for(device):
            return within_memory(lambda: list(_models(setting, fold, device))[-1], device)

    def fit(
        self,
        axis: str,
        setting: Mapping[str, Value],
        levels: Sequence[int],
        fold: Fold,
        device: Device,
    ) -> Iterator[Fitted]:
        """Trains one network and yields what it was at each level."""
        warm_up(device.name)
        full = {**setting, axis: levels[-1]}
        wanted = dict(zip(levels, levels, strict=True))
        if axis not in self.nested:
            wanted = {int(full["epochs"]): levels[0]}
        training = seconds = 0.0
        models = _models(full, fold, device)
        for epoch in range(1, int(full["epochs"]) + 1):
            clock = time.perf_counter()
            # Between two results the thread count is the caller's again.
            with settings_for(device):
                model = within_memory(lambda: next(models), device)
            training += time.perf_counter() - clock
            if epoch in wanted:
                clock = time.perf_counter()
                score = model.predict(fold.x_score)
                seen = model.predict(fold.x[:TRAIN_SCORED])
                # A short training's answers may take longer than a long one's by chance.
                seconds = max(seconds, training + time.perf_counter() - clock)
                size = model.parameters
                yield Fitted(wanted[epoch], score, seen, size, seconds, model=model)


def _models(setting: Mapping[str, Value], fold: Fold, device: Device) -> Iterator[NetModel]:
    """Trains, and yields after each epoch the model that training for so long would give."""
    architecture = Architecture(
        "hidden",
        fold.x.shape[1:],
        fold.classes or 1,
        {
            "depth": int(setting["depth"]),
            "units": int(setting["units"]),
            "normalisation": str(setting["normalisation"]),
            "dropout": float(setting["dropout"]),
        },
    )
    net = architecture.build(fold.seed, device.name)
    inputs = Inputs.standard(fold.x)
    target = None if fold.classes else (float(fold.y.mean()), float(fold.y.std()) or 1.0)
    x = inputs(fold.x).to(device.name)
    y = torch.tensor(fold.y, device=device.name)
    if target:
        y = ((y - target[0]) / target[1]).float()
    loss = _squared if target else functional.cross_entropy
    # It answers whenever it is asked: the deadline was the training's.
    asked = Device(device.name, device.threads)
    how = schedule(setting)
    for average in epochs(net, x, y, how, fold.seed, device, loss):
        yield NetModel(architecture, average, inputs, asked, target)


def _squared(outputs: Tensor, y: Tensor) -> Tensor:
    return functional.mse_loss(outputs.squeeze(1), y)
