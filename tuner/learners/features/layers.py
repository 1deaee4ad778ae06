"""The convolutions of a plain network as a maker of features for images of any size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from tuner.catalog import Value
from tuner.datasets.base import Features, Labels
from tuner.learners.base import Device
from tuner.learners.features import arrays
from tuner.learners.features.gradients import Floats32
from tuner.learners.fits import UnsuitableDataError
from tuner.learners.nets.plain import plain_net
from tuner.learners.nets.training import Schedule, train

_FILE = "layers.safetensors"

_AT_ONCE = 256
"""Images that features are made of at once; fixed, for other sums round differently."""

_SHAPE = ("channels", "height", "width", "depth", "filters")


@dataclass(frozen=True)
class Layers:
    """Trained convolutions.

    Attributes:
        body: The convolutions without the head; it is in eval mode.
        shape: Channels, height and width of the images that it was trained on, its depth
            and its filters.
        mean: Shape (channels,): what scales to 0.
        spread: Shape (channels,): what scales to 1.
    """

    body: nn.Sequential
    shape: tuple[int, int, int, int, int]
    mean: Floats32
    spread: Floats32

    @property
    def parameters(self) -> int:
        """Number of weights."""
        return sum(p.numel() for p in self.body.parameters())

    def up_to(self, depth: int) -> Self:
        """Returns the first so many convolutions of them.

        Raises:
            UnsuitableDataError: There aren't so many.
        """
        ends = [place for place, module in enumerate(self.body, 1) if isinstance(module, nn.ReLU)]
        if depth > len(ends):
            raise UnsuitableDataError(
                f"pretrained: the network has {len(ends)} convolutions; depth is {depth}. "
                "Take no more than it has"
            )
        if depth == len(ends):
            return self
        return replace(self, body=nn.Sequential(*list(self.body)[: ends[depth - 1]]))

    def features(self, x: Features, grid: int, device: str) -> Floats32:
        """Returns what the last layer sees, averaged over a grid of places, length 1.

        Images of other channels than it was trained on are averaged over them and
        repeated; the grid makes their size free. Features are scaled to length 1.

        Args:
            x: Shape (n, channels, height, width), scaled as `scaled` does.
            grid: Places a side; 1 averages over the whole image.
            device: torch's name of where.

        Returns:
            Shape (n, filters of the last layer x grid x grid).
        """
        body = self.body.to(device)
        found = []
        with torch.inference_mode():
            for first in range(0, len(x), _AT_ONCE):
                some = torch.from_numpy(np.ascontiguousarray(x[first : first + _AT_ONCE]))
                maps = body(some.to(device).contiguous(memory_format=torch.channels_last))
                places = functional.adaptive_avg_pool2d(maps, grid).flatten(1)
                found.append(functional.normalize(places, dim=1).cpu().numpy())
        return np.concatenate(found) if found else np.empty((0, 0), dtype=np.float32)

    def save(self, folder: Path) -> None:
        """Writes the weights as safetensors."""
        weights = {f"body.{k}": v.cpu().numpy() for k, v in self.body.state_dict().items()}
        left = sum(isinstance(module, nn.ReLU) for module in self.body)
        shape = np.array([*self.shape, left])
        more = {"mean": self.mean, "spread": self.spread, "shape": shape}
        arrays.write(folder / _FILE, {**weights, **more})

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Returns the layers that were saved there. Raises ValueError where they are damaged."""
        found: dict[str, Any] = arrays.read_any(folder / _FILE)
        try:
            shape = tuple(int(side) for side in found.pop("shape"))
            mean, spread = found.pop("mean"), found.pop("spread")
            channels, height, width, depth, filters, left = shape
            body = _body(
                plain_net(
                    (channels, height, width), 1, depth=depth, filters=filters, dropout=0.0,
                    seed=0, device="cpu",
                )
            )  # fmt: skip
            state = {k.removeprefix("body."): torch.from_numpy(v) for k, v in found.items()}
            layers = cls(body.eval(), (channels, height, width, depth, filters), mean, spread)
            layers = layers.up_to(left)
            layers.body.load_state_dict(state)
        except (KeyError, ValueError, TypeError, RuntimeError) as error:
            raise ValueError(f"{folder / _FILE} is damaged: {error}") from error
        return layers


def train_layers(
    x: Features, y: Labels, classes: int, setting: Mapping[str, Value], seed: int, device: Device
) -> Layers:
    """Trains a plain network and returns it without its head.

    Args:
        x: Images, shape (n, channels, height, width).
        y: Their classes.
        classes: Number of classes.
        setting: `depth`, `filters` and how to train, as the cnn's.
        seed: Of the weights, the shuffles and what is dropped.
        device: Where; its deadline counts.

    Raises:
        DivergedError: The loss became NaN or infinite.
        TimedOutError: The deadline passed.
    """
    channels, height, width = x.shape[1:]
    depth, filters = int(setting["depth"]), int(setting["filters"])
    net = plain_net(
        (channels, height, width), classes, depth=depth, filters=filters,
        dropout=float(setting["dropout"]), seed=seed, device=device.name,
    )  # fmt: skip
    mean, spread = moments(x)
    scaled = torch.from_numpy(scale(x, mean, spread)).to(device.name)
    schedule = Schedule(
        epochs=int(setting["epochs"]),
        batch_size=int(setting["batch_size"]),
        learning_rate=float(setting["learning_rate"]),
        weight_decay=float(setting["weight_decay"]),
    )
    labels: Tensor = torch.tensor(y, device=device.name)
    train(net, scaled, labels, schedule, seed, device)
    return Layers(_body(net).eval(), (channels, height, width, depth, filters), mean, spread)


def moments(x: Features) -> tuple[Floats32, Floats32]:
    """Returns each channel's mean and spread, shape (channels,) each; a constant's spread is 1."""
    spread = x.std(axis=(0, 2, 3), dtype=np.float64)
    spread[spread == 0] = 1
    return x.mean(axis=(0, 2, 3), dtype=np.float64).astype(np.float32), spread.astype(np.float32)


def scale(x: Features, mean: Floats32, spread: Floats32) -> Floats32:
    """Returns images whose channels have mean 0 and spread 1 where they had these."""
    return (x - mean[:, None, None]) / spread[:, None, None]


def with_channels(x: Floats32, channels: int) -> Floats32:
    """Returns images of so many channels: the mean of all, repeated, where they have others."""
    if x.shape[1] == channels:
        return x
    return np.repeat(x.mean(axis=1, keepdims=True), channels, axis=1)


def _body(net: nn.Sequential) -> nn.Sequential:
    """Returns all up to the last ReLU, and the halvings behind it where layers are few."""
    modules = list(net)
    end = next(i for i, m in enumerate(modules) if isinstance(m, nn.AdaptiveAvgPool2d | nn.Flatten))
    return nn.Sequential(*modules[:end])
