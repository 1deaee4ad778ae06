"""A plain stack of convolutions, as He et al. (2015) compare residual networks with."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tuner.learners.nets.weights import drawn

GRID = 4
"""The head sees at most GRID by GRID places, whatever the image's size."""


def layers_by_stage(depth: int, size: int) -> tuple[int, ...]:
    """Returns how many of the layers stand at each resolution, the highest first.

    Resolution halves from stage to stage until another halving would leave less
    than `GRID` pixels. Each stage gets an equal share of the layers and what is
    left over goes to the last ones; layers fewer than stages stand in the first
    ones. The image shrinks as much at every depth, so that depth alone varies.

    Args:
        depth: Convolution layers.
        size: The image's shorter side, in pixels.
    """
    stages = max(1, (size // GRID).bit_length())
    if depth <= stages:
        return (1,) * depth + (0,) * (stages - depth)
    share, rest = divmod(depth, stages)
    return tuple(share + (stage >= stages - rest) for stage in range(stages))


class SeededDropout(nn.Module):
    """Dropout that draws from a generator of its own instead of the global one."""

    def __init__(self, share: float, generator: torch.Generator | None = None) -> None:
        """Without a generator it can't drop: a network that was read back only answers."""
        super().__init__()
        self.share = share
        self.generator = generator

    def forward(self, x: Tensor) -> Tensor:
        """Drops a share of the inputs while training, and scales up the others."""
        if not self.training or self.share == 0:
            return x
        kept = torch.empty_like(x).bernoulli_(1 - self.share, generator=self.generator)
        return x * kept / (1 - self.share)


def plain_layers(
    shape: tuple[int, int, int],
    classes: int,
    *,
    depth: int,
    filters: int,
    dropout: float = 0.0,
    generator: torch.Generator | None = None,
) -> nn.Sequential:
    """Returns a network without storage: `depth` times convolution, normalisation, ReLU, a head.

    Filters double whenever the resolution halves, so a layer costs about the
    same at every stage.

    Args:
        shape: An image's (channels, height, width).
        classes: Number of classes.
        depth: Convolution layers, 3 by 3.
        filters: Filters of the first stage.
        dropout: Share dropped before the last layer.
        generator: Draws what is dropped; a network that only answers needs none.
    """
    channels, height, width = shape
    modules: list[nn.Module] = []
    stages = layers_by_stage(depth, min(height, width))
    # Made without storage, because torch would fill it from the global random state.
    with torch.device("meta"):
        for stage, layers in enumerate(stages):
            halve = stage < len(stages) - 1
            for layer in range(layers):
                out = filters * 2**stage
                modules += [
                    nn.Conv2d(channels, out, 3, padding=1, bias=False),
                    nn.BatchNorm2d(out),
                ]
                # Equal to pooling after the ReLU, and a quarter of its work.
                if halve and layer == layers - 1:
                    modules.append(nn.MaxPool2d(2))
                modules.append(nn.ReLU(inplace=True))
                channels = out
            if halve and not layers:
                modules.append(nn.MaxPool2d(2))
        shrink = 2 ** (len(stages) - 1)
        left = (height // shrink, width // shrink)
        grid = (min(GRID, left[0]), min(GRID, left[1]))
        # Means of single places are those places, and not for nothing.
        if left != grid:
            modules.append(nn.AdaptiveAvgPool2d(grid))
        modules += [
            nn.Flatten(),
            SeededDropout(dropout, generator),
            nn.Linear(channels * grid[0] * grid[1], classes),
        ]
        return nn.Sequential(*modules)


def plain_net(
    shape: tuple[int, int, int],
    classes: int,
    *,
    depth: int,
    filters: int,
    dropout: float,
    seed: int,
    device: str,
) -> nn.Sequential:
    """Returns an untrained network of `plain_layers` with drawn weights.

    Args:
        shape: As of `plain_layers`.
        classes: As of `plain_layers`.
        depth: As of `plain_layers`.
        filters: As of `plain_layers`.
        dropout: Share dropped before the last layer.
        seed: Of the weights and of what is dropped.
        device: torch's name of where it shall live.
    """
    random = torch.Generator(device).manual_seed(seed)
    net = plain_layers(
        shape, classes, depth=depth, filters=filters, dropout=dropout, generator=random
    )
    drawn(net, seed, device)
    return net
