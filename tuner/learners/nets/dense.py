"""A stack of fully connected layers: Rosenblatt's perceptron in several layers."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from tuner.learners.nets.plain import SeededDropout


@dataclass(frozen=True)
class DenseShape:
    """What a stack is made of.

    Attributes:
        features: Values of an example.
        outputs: Values that come out: a class each, or one.
        depth: Hidden layers.
        units: Units of each hidden layer.
        normalisation: What follows each hidden layer's weights: "batch" (Ioffe & Szegedy
            2015), "layer" (Ba et al. 2016), or "none".
    """

    features: int
    outputs: int
    depth: int
    units: int
    normalisation: str


def dense_net(
    shape: DenseShape, *, dropout: float = 0.0, seed: int = 0, device: str = "cpu"
) -> nn.Sequential:
    """Returns an untrained network: `depth` times weights, normalisation, ReLU, dropout; a head.

    The weights are drawn on the CPU (He et al. 2015), alike for every device. Those of
    the head are small, so that at first no class, and no value, is preferred much.

    Args:
        shape: What it is made of.
        dropout: Share of each hidden layer's units that is dropped (Srivastava et al. 2014).
        seed: Of the weights and of what is dropped.
        device: torch's name of where it shall live.

    Raises:
        ValueError: There is no such normalisation.
    """
    if shape.normalisation not in ("none", "batch", "layer"):
        raise ValueError(
            f"normalisation is {shape.normalisation!r}; it is one of none, batch, layer"
        )
    modules: list[nn.Module] = []
    dropped = torch.Generator(device).manual_seed(seed)
    before = shape.features
    # Made without storage, because torch would fill it from the global random state.
    with torch.device("meta"):
        for _ in range(shape.depth):
            # A normalisation that subtracts the mean leaves nothing for a bias to do.
            modules.append(nn.Linear(before, shape.units, bias=shape.normalisation != "batch"))
            if shape.normalisation == "batch":
                modules.append(nn.BatchNorm1d(shape.units))
            elif shape.normalisation == "layer":
                modules.append(nn.LayerNorm(shape.units))
            modules += [nn.ReLU(), SeededDropout(dropout, dropped)]
            before = shape.units
        modules.append(nn.Linear(before, shape.outputs))
        net = nn.Sequential(*modules)
    net.to_empty(device="cpu")
    _draw(net, torch.Generator().manual_seed(seed))
    return net.to(device)


def _draw(net: nn.Sequential, generator: torch.Generator) -> None:
    """Fills every parameter and buffer."""
    for module in net:
        if isinstance(module, nn.Linear):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=generator)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm1d):
            module.reset_running_stats()
        if isinstance(module, nn.BatchNorm1d | nn.LayerNorm):
            nn.init.ones_(module.weight)
            nn.init.zeros_(module.bias)
    head = net[-1]
    assert isinstance(head, nn.Linear)
    with torch.no_grad():
        head.weight.mul_(0.1)
