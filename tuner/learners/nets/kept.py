"""A trained network that is kept: its tensors as safetensors, and what it is as plain text."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar, Self, cast

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from tuner.catalog import Value
from tuner.datasets.base import Features, Labels
from tuner.learners import uphill
from tuner.learners.base import Device
from tuner.learners.nets.inputs import Inputs
from tuner.learners.nets.state import settings_for, within_memory
from tuner.learners.nets.training import gradient, predict, values
from tuner.learners.nets.weights import drawn, laid_out
from tuner.scoring import Predictions

# Imported only when asked for. Each takes shape, outputs, options and the generator of what
# is dropped, and gives a network without storage.
_FAMILIES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "hidden": ("tuner.learners.nets.layered", "hidden_layers"),
        "plain": ("tuner.learners.nets.plain", "plain_layers"),
        "residual": ("tuner.learners.nets.residual", "residual_layers"),
    }
)

_TENSORS, _ABOUT = "net.safetensors", "architecture.json"

_MOST = 65_536
"""Most of anything that is counted in an architecture: it is read from a file."""


@dataclass(frozen=True)
class Architecture:
    """What a network is, but for its weights.

    Attributes:
        family: Who builds it.
        shape: An example's shape: (channels, height, width) or (features,).
        outputs: Classes, or 1 where a value is predicted.
        options: What its builder is told beside them.
    """

    family: str
    shape: tuple[int, ...]
    outputs: int
    options: Mapping[str, Value]

    def build(self, seed: int, device: str) -> nn.Module:
        """Returns the network untrained on a device; the seed draws weights and what is dropped."""
        net = self.layers(torch.Generator(device).manual_seed(seed))
        drawn(net, seed, device)
        return net

    def layers(self, generator: torch.Generator | None = None) -> nn.Module:
        """Returns the network without storage. Raises ValueError where there is none such."""
        if self.family not in _FAMILIES:
            known = ", ".join(sorted(_FAMILIES))
            raise ValueError(f"there is no network {self.family!r}; there are {known}")
        numbers = [value for value in self.options.values() if not isinstance(value, str)]
        counted = [*self.shape, self.outputs, *numbers]
        if not all(0 <= value <= _MOST for value in counted):
            raise ValueError(f"sizes of a network are 0 to {_MOST}; it has {counted}")
        module, name = _FAMILIES[self.family]
        build = cast(Callable[..., nn.Module], getattr(importlib.import_module(module), name))
        try:
            return build(self.shape, self.outputs, generator=generator, **self.options)
        except (TypeError, RuntimeError) as error:
            raise ValueError(f"{self.family} networks aren't built of that: {error}") from error


@dataclass(frozen=True)
class NetModel:
    """A trained network and what it needs to be asked.

    Attributes:
        architecture: What it is.
        net: The network, on the device.
        inputs: How what it sees is scaled.
        device: Where it answers, and with how many threads.
        target: Mean and spread of the values that it predicts; None where it tells classes.
    """

    kind: ClassVar[str] = "net"

    architecture: Architecture
    net: nn.Module
    inputs: Inputs
    device: Device = field(default_factory=Device)
    target: tuple[float, float] | None = None

    @property
    def parameters(self) -> int:
        """The number of weights and biases."""
        return sum(p.numel() for p in self.net.parameters())

    def predict(self, x: Features) -> Predictions:
        """Returns probabilities, shape (examples, classes), or values, shape (examples,).

        Raises:
            ValueError: The examples are of another shape than those it was trained on.
        """
        self._check(x)
        with settings_for(self.device):
            return within_memory(lambda: self._answers(x), self.device)

    def gradient(self, x: Features, y: Labels) -> Features:
        """Returns which way each example's loss rises; see `base.Differentiable`.

        Raises:
            ValueError: The examples are of another shape than those it was trained on.
        """
        self._check(x)
        with settings_for(self.device):
            return within_memory(lambda: self._slope(x, y), self.device)

    def _check(self, x: Features) -> None:
        if x.shape[1:] != self.architecture.shape:
            raise ValueError(
                f"examples are of shape {x.shape[1:]}; this network was trained on "
                f"{self.architecture.shape}"
            )

    def _answers(self, x: Features) -> Predictions:
        seen = self.inputs(x).to(self.device.name)
        if self.target is None:
            return predict(self.net, seen)
        mean, spread = self.target
        return values(self.net, seen) * spread + mean

    def _slope(self, x: Features, y: Labels) -> Features:
        seen = self.inputs(x).to(self.device.name)
        if self.target is None:
            found = gradient(self.net, seen, y, uphill.by_scores)
        else:
            mean, spread = self.target
            found = gradient(self.net, seen, ((y - mean) / spread)[:, np.newaxis], np.subtract)
        return uphill.like(self.inputs.by_inputs(found), x)

    def save(self, folder: Path) -> None:
        """Writes the tensors and, beside them, the architecture."""
        save_file(
            {name: tensor.cpu().contiguous() for name, tensor in self.net.state_dict().items()},
            folder / _TENSORS,
        )
        about = {
            **asdict(self.architecture),
            "middle": self.inputs.middle.tolist(),
            "width": self.inputs.width.tolist(),
            "target": self.target,
        }
        (folder / _ABOUT).write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Returns the model that was saved there, on the CPU.

        Raises:
            ValueError: A file is missing, damaged, or of another network than the other.
        """
        try:
            about = json.loads((folder / _ABOUT).read_text(encoding="utf-8"))
            shape = tuple(about["shape"])
            architecture = Architecture(
                about["family"], shape, about["outputs"], dict(about["options"])
            )
            middle, width = (
                np.array(about[name], dtype=np.float32).reshape(shape[0])
                for name in ("middle", "width")
            )
            target = about["target"] and (float(about["target"][0]), float(about["target"][1]))
            tensors = load_file(folder / _TENSORS)
            net = architecture.layers()
        except (OSError, SafetensorError, LookupError, TypeError, ValueError) as error:
            raise ValueError(f"{folder} holds no network that can be read: {error}") from error
        _fill(net, tensors, folder / _TENSORS)
        return cls(architecture, net, Inputs(middle, width), target=target)


def _fill(net: nn.Module, tensors: Mapping[str, Tensor], file: Path) -> None:
    """Gives a network without storage what was saved of it."""
    needed = net.state_dict()
    wrong = sorted(
        name
        for name in needed.keys() | tensors.keys()
        if name not in needed
        or name not in tensors
        or needed[name].shape != tensors[name].shape
        or needed[name].dtype != tensors[name].dtype
    )
    if wrong:
        raise ValueError(f"{file} isn't of the network beside it: {', '.join(wrong[:5])}")
    net.to_empty(device="cpu")
    laid_out(net)
    net.load_state_dict(dict(tensors))
