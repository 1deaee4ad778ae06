"""The convolutions of a network as a maker of features for images of any size."""

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
from tuner.learners import arrays
from tuner.learners.base import Device
from tuner.learners.features.gradients import Floats32
from tuner.learners.fits import UnsuitableDataError
from tuner.learners.nets.kept import Architecture, NetModel
from tuner.learners.nets.plain import plain_net
from tuner.learners.nets.residual import Block
from tuner.learners.nets.training import Schedule, train
from tuner.learners.nets.weights import laid_out

_FILE = "layers.safetensors"

_AT_ONCE = 256
"""Images that features are made of at once; fixed, for other sums round differently."""

_FAMILIES = ("plain", "residual", "preactivation")
"""Whose convolutions they can be; saved by their place here, so the order stays."""


@dataclass(frozen=True)
class Layers:
    """Trained convolutions.

    Attributes:
        body: The convolutions without the head; it is in eval mode.
        shape: Channels, height and width of the images that it was trained on, its depth
            and its filters.
        mean: Shape (channels,): what scales to 0.
        spread: Shape (channels,): what scales to 1.
        family: One of `_FAMILIES`: a plain network's, a residual one's, or one's with
            preactivation.
    """

    body: nn.Sequential
    shape: tuple[int, int, int, int, int]
    mean: Floats32
    spread: Floats32
    family: str = "plain"

    @property
    def parameters(self) -> int:
        """Number of weights."""
        return sum(p.numel() for p in self.body.parameters())

    @classmethod
    def of(cls, model: NetModel) -> Self:
        """Returns a kept network's convolutions.

        Raises:
            ValueError: It isn't a plain or residual one.
        """
        known = model.architecture
        options, family = known.options, known.family
        if family == "residual" and options["preactivation"]:
            family = "preactivation"
        if family not in _FAMILIES or not isinstance(model.net, nn.Sequential):
            raise ValueError(f"{family!r} networks have no convolutions; take one of cnn or resnet")
        channels, height, width = known.shape
        shape = (channels, height, width, int(options["depth"]), int(options["filters"]))
        scaled = model.inputs
        return cls(_body(model.net).eval(), shape, scaled.middle, scaled.width, family)

    @property
    def cuts(self) -> tuple[int, ...]:
        """After how many convolutions they can be cut, rising; a residual block is whole."""
        return tuple(_ends(self.body))

    def up_to(self, depth: int) -> Self:
        """Returns the first so many convolutions of them.

        Raises:
            UnsuitableDataError: There aren't so many, or they end within a residual block.
        """
        if problem := self.problem_with_depth(depth):
            raise UnsuitableDataError(f"pretrained: {problem}")
        if depth == self.cuts[-1]:
            return self
        return replace(self, body=nn.Sequential(*list(self.body)[: _ends(self.body)[depth]]))

    def problem_with_depth(self, depth: int) -> str | None:
        """Says why they can't be cut after so many convolutions, or None."""
        cuts = self.cuts
        if depth > cuts[-1]:
            return (
                f"the network has {cuts[-1]} convolutions; depth is {depth}. Take no more than "
                "it has"
            )
        if depth not in cuts:
            shown = ", ".join(map(str, cuts))
            return f"the network can be cut after {shown} convolutions; depth is {depth}"
        return None

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
        shape, family = np.array([*self.shape, self.cuts[-1]]), _FAMILIES.index(self.family)
        more = {"mean": self.mean, "spread": self.spread, "shape": shape}
        arrays.write(folder / _FILE, {**weights, **more, "family": np.array(family)})

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Returns the layers that were saved there. Raises ValueError where they are damaged."""
        found: dict[str, Any] = arrays.read_any(folder / _FILE)
        try:
            shape = tuple(int(side) for side in found.pop("shape"))
            mean, spread = found.pop("mean"), found.pop("spread")
            family = _FAMILIES[int(found.pop("family", np.array(0)))]
            channels, height, width, depth, filters, left = shape
            options: dict[str, Value] = {"depth": depth, "filters": filters}
            if family != "plain":
                options["preactivation"] = family == "preactivation"
            kind = "plain" if family == "plain" else "residual"
            net = Architecture(kind, (channels, height, width), 1, options).layers()
            assert isinstance(net, nn.Sequential)
            whole = (channels, height, width, depth, filters)
            layers = cls(_body(net).eval(), whole, mean, spread, family).up_to(left)
            layers.body.to_empty(device="cpu")
            laid_out(layers.body)
            state = {k.removeprefix("body."): torch.from_numpy(v) for k, v in found.items()}
            layers.body.load_state_dict(state)
        except (LookupError, ValueError, TypeError, RuntimeError) as error:
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


def _ends(body: nn.Sequential) -> dict[int, int]:
    """Returns, by convolutions passed, how many modules stand up to the next convolution."""
    passed, found = 0, {}
    for place, module in enumerate(body, 1):
        passed += 2 if isinstance(module, Block) else isinstance(module, nn.Conv2d)
        found[passed] = place
    return found


def _body(net: nn.Sequential) -> nn.Sequential:
    """Returns all that stands before the head: halvings behind the last ReLU are of it."""
    modules = list(net)
    end = next(i for i, m in enumerate(modules) if isinstance(m, nn.AdaptiveAvgPool2d | nn.Flatten))
    return nn.Sequential(*modules[:end])
