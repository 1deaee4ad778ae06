"""Residual networks for small images: the family that He et al. (2015) trained on CIFAR-10."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

STAGES = 3
"""Groups of blocks; from one to the next the resolution halves and the filters double."""


def blocks_a_stage(depth: int) -> int:
    """Returns n of a depth of 6n + 2: blocks of two convolutions in each of three stages.

    The two other layers are the first convolution and the last, linear one.

    Raises:
        ValueError: The depth is no 6n + 2, or has no block.
    """
    blocks, rest = divmod(depth - 2, 2 * STAGES)
    if rest or blocks < 1:
        raise ValueError(f"a residual network has 6n + 2 layers, 8 or more; {depth} isn't one")
    return blocks


class Block(nn.Module):
    """Two convolutions beside a shortcut that has no weights.

    Where the shape changes, the shortcut takes every second place and fills up with
    channels of zeros: option A of the paper.
    """

    def __init__(self, channels: int, filters: int, stride: int, *, preactivation: bool) -> None:
        """Makes a block from `channels` to `filters` channels.

        With `preactivation`, normalisation and ReLU stand before each convolution and
        nothing stands on the way around them (He et al. 2016).
        """
        super().__init__()
        self._stride, self._added = stride, filters - channels
        self._preactivation = preactivation
        self.first = nn.Conv2d(channels, filters, 3, stride, padding=1, bias=False)
        self.second = nn.Conv2d(filters, filters, 3, padding=1, bias=False)
        self.first_norm = nn.BatchNorm2d(channels if preactivation else filters)
        self.second_norm = nn.BatchNorm2d(filters)

    def forward(self, x: Tensor) -> Tensor:
        """Returns shape (examples, filters, height / stride, width / stride), rounded up."""
        way = x[:, :, :: self._stride, :: self._stride]
        way = functional.pad(way, (0, 0, 0, 0, 0, self._added)) if self._added else way
        if self._preactivation:
            x = self.first(functional.relu(self.first_norm(x)))
            x = self.second(functional.relu(self.second_norm(x)))
            return x + way
        x = functional.relu(self.first_norm(self.first(x)))
        return functional.relu(self.second_norm(self.second(x)) + way)


def residual_layers(
    shape: tuple[int, int, int],
    classes: int,
    *,
    depth: int,
    filters: int,
    preactivation: bool,
    generator: torch.Generator | None = None,
) -> nn.Sequential:
    """Returns a network without storage, of `depth` layers with weights.

    The second and third stage begin with a stride of 2, which leaves at least one place
    of any image. The mean over all places goes into the last layer.

    Args:
        shape: An image's (channels, height, width).
        classes: Number of classes.
        depth: 6n + 2.
        filters: Filters of the first stage; 16 in the paper.
        preactivation: Whether blocks are those of He et al. (2016).
        generator: Unused, for nothing is dropped.

    Raises:
        ValueError: There is no such depth.
    """
    blocks = blocks_a_stage(depth)
    with torch.device("meta"):
        modules: list[nn.Module] = [nn.Conv2d(shape[0], filters, 3, padding=1, bias=False)]
        if not preactivation:
            modules += [nn.BatchNorm2d(filters), nn.ReLU(inplace=True)]
        channels = filters
        for stage in range(STAGES):
            out = filters * 2**stage
            for block in range(blocks):
                stride = 2 if stage and not block else 1
                modules.append(Block(channels, out, stride, preactivation=preactivation))
                channels = out
        if preactivation:
            modules += [nn.BatchNorm2d(channels), nn.ReLU(inplace=True)]
        modules += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes)]
        return nn.Sequential(*modules)
