"""Layers of units that are joined with all of the layer before: a multilayer perceptron."""

from __future__ import annotations

import torch
from torch import nn

from tuner.learners.nets.plain import SeededDropout
from tuner.learners.nets.weights import Hidden


def hidden_layers(
    shape: tuple[int, ...],
    outputs: int,
    *,
    depth: int,
    units: int,
    normalisation: str,
    dropout: float = 0.0,
    generator: torch.Generator | None = None,
) -> nn.Sequential:
    """Returns a network without storage: `depth` times linear, normalisation, ReLU, dropout.

    Args:
        shape: An example's shape; what isn't a row becomes one.
        outputs: Classes, or 1 where a value is predicted.
        depth: Hidden layers.
        units: Units of each.
        normalisation: "batch", "layer" or "none".
        dropout: Share of each hidden layer's units that is dropped.
        generator: Draws what is dropped; a network that only answers needs none.

    Raises:
        ValueError: There is no such normalisation.
    """
    norms = {"batch": nn.BatchNorm1d, "layer": nn.LayerNorm, "none": None}
    if normalisation not in norms:
        raise ValueError(f"normalisation is one of {', '.join(norms)}, not {normalisation!r}")
    norm = norms[normalisation]
    width = 1
    for size in shape:
        width *= size
    with torch.device("meta"):
        modules: list[nn.Module] = [nn.Flatten()]
        for _ in range(depth):
            modules.append(Hidden(width, units))
            if norm is not None:
                modules.append(norm(units))
            modules += [nn.ReLU(), SeededDropout(dropout, generator)]
            width = units
        modules.append(nn.Linear(width, outputs))
        return nn.Sequential(*modules)
