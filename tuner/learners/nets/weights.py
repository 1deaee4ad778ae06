"""Storage and first weights of a network that was made without either."""

from __future__ import annotations

import copy

import torch
from torch import nn


class Hidden(nn.Linear):
    """A linear layer before a ReLU; its weights are drawn for one."""


def drawn(net: nn.Module, seed: int, device: str) -> None:
    """Gives a network storage, draws its weights and moves it to the device.

    The weights are drawn on the CPU (He et al. 2015), alike for every device.

    Args:
        net: A network without storage ("meta"), of convolutions, linear layers and
            normalisations.
        seed: Of the weights.
        device: torch's name of where it shall live.
    """
    net.to_empty(device="cpu")
    _draw(net, torch.Generator().manual_seed(seed))
    laid_out(net)
    net.to(device)


def laid_out(net: nn.Module) -> None:
    """Lays filters out with their channels last, where kernels are faster."""
    # Typed as if it took no memory format, which it does.
    net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def copied(net: nn.Module) -> nn.Module:
    """Returns a copy that has no generator, for one can't be copied and it never drops."""
    memo = {
        id(part.generator): None
        for part in net.modules()
        if getattr(part, "generator", None) is not None
    }
    return copy.deepcopy(net, memo)


def _draw(net: nn.Module, generator: torch.Generator) -> None:
    """Fills every parameter and buffer."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=generator)
        elif isinstance(module, nn.LayerNorm):
            nn.init.ones_(module.weight)
            nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.reset_running_stats()
            nn.init.ones_(module.weight)
            nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Linear):
            if isinstance(module, Hidden):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=generator)
            else:
                nn.init.kaiming_normal_(module.weight, nonlinearity="linear", generator=generator)
            assert module.bias is not None
            nn.init.zeros_(module.bias)
