"""What learners share that train one network a member: data in, a model that is kept out."""

from __future__ import annotations

import functools
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor

from tuner.catalog import Value
from tuner.datasets.base import Features, Fold
from tuner.learners.base import Device
from tuner.learners.fits import Fitted
from tuner.learners.models import ModelLearner
from tuner.learners.nets.inputs import Inputs
from tuner.learners.nets.kept import Architecture, NetModel
from tuner.learners.nets.plain import plain_net
from tuner.learners.nets.state import settings_for, within_memory
from tuner.learners.nets.training import Schedule, predict, train


class ImageNetLearner(ModelLearner):
    """A learner of networks on images; a family says only what its network is.

    Everything random in a fit comes from generators seeded by the fold; torch's
    global random state and thread count are as before when a fit is over.
    """

    @abstractmethod
    def architecture(self, setting: Mapping[str, Value], fold: Fold) -> Architecture:
        """Returns what is built of complete hyperparameters for a fold's images."""

    def problem_with(self, x: Features, classes: int) -> str | None:
        """Says that tables have no neighbourhoods to convolve, where x is one."""
        if x.ndim == 4:
            return None
        return (
            f"{self.name} needs images, shape (n, channels, height, width) or (n, height, width); "
            f"this is a table of shape {x.shape}. Use forest or perceptron for it"
        )

    def train(self, setting: Mapping[str, Value], fold: Fold, device: Device) -> NetModel:
        """Trains one network."""
        with settings_for(device):
            return within_memory(lambda: self._train(setting, fold, device), device)

    def fit(
        self,
        axis: str,
        setting: Mapping[str, Value],
        levels: Sequence[int],
        fold: Fold,
        device: Device,
    ) -> Iterator[Fitted]:
        """Trains one network and yields its one level."""
        warm_up(device.name)
        # A list, so that the network is gone when its memory is given back.
        one = super().fit
        yield from within_memory(lambda: list(one(axis, setting, levels, fold, device)), device)

    def _train(self, setting: Mapping[str, Value], fold: Fold, device: Device) -> NetModel:
        architecture, inputs = self.architecture(setting, fold), Inputs.standard(fold.x)
        net = architecture.build(fold.seed, device.name)
        x, y = inputs(fold.x).to(device.name), labels(fold, device)
        train(net, x, y, schedule(setting), fold.seed, device)
        # It answers whenever it is asked: the deadline was the training's.
        asked = Device(device.name, device.threads)
        return NetModel(architecture, net, inputs, asked)


def image_shape(fold: Fold) -> tuple[int, int, int]:
    """Returns an image's (channels, height, width)."""
    channels, height, width = fold.x.shape[1:]
    return channels, height, width


def schedule(setting: Mapping[str, Value]) -> Schedule:
    """Returns how hyperparameters say to train."""
    return Schedule(
        epochs=int(setting["epochs"]),
        batch_size=int(setting["batch_size"]),
        learning_rate=float(setting["learning_rate"]),
        weight_decay=float(setting["weight_decay"]),
    )


def labels(fold: Fold, device: Device) -> Tensor:
    """Returns the training labels on the device."""
    return torch.tensor(fold.y, device=device.name)


@functools.cache
def warm_up(device: str) -> None:
    """Makes torch load what it loads on first use, some seconds, so that no fit's cost has it."""
    with settings_for(Device(device)):
        net = plain_net((1, 8, 8), 2, depth=1, filters=1, dropout=0.5, seed=0, device=device)
        x, y = torch.zeros((2, 1, 8, 8), device=device), torch.tensor([0, 1], device=device)
        train(net, x, y, Schedule(1, 2, 0.1, 0.1), 0, Device(device))
        predict(net, x)
