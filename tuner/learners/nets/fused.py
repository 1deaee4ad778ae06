"""Plain networks side by side as one: their weights in one vector, their channels in one image."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from tuner.learners.nets.plain import SeededDropout


class FusedNet:
    """Networks of `plain_net` of one shape that take a step together.

    A convolution of all is one grouped convolution, a normalisation of all is one over
    the channels of all, and the heads are one batched product, as in HFTA (Wang et al.
    2021, "Horizontally Fused Training Array"). No sum crosses from one member to
    another, so that a member which diverges stays alone with it.

    Attributes:
        members: How many networks there are.
        weights: All parameters, a vector: parameter by parameter, and of each of them
            member by member, so that a step of the optimiser is a few operations
            whatever the depth.
    """

    def __init__(self, nets: Sequence[nn.Sequential]) -> None:
        """Copies the networks' state.

        Args:
            nets: Untrained networks, alike in shape and on one device.
        """
        self.members = len(nets)
        self._layers = list(nets[0])
        self._shapes = [_stored(p).shape for p in nets[0].parameters()]
        stacked = zip(*(net.parameters() for net in nets), strict=True)
        vectors = [torch.stack([_stored(p.detach()) for p in some]).flatten() for some in stacked]
        self._lengths = [len(vector) for vector in vectors]
        self.weights = torch.cat(vectors).requires_grad_()
        # Of every normalisation all members' running means, and all members' running variances.
        self._statistics = [
            tuple(torch.stack(some) for some in zip(*map(_statistics, norms), strict=True))
            for norms in zip(*map(_norms, nets), strict=True)
        ]

    def logits(self, images: Tensor, dropped: Callable[[Tensor], Tensor]) -> Tensor:
        """Returns what the networks answer while training, shape (members, batch, classes).

        Args:
            images: Shape (batch, members * channels, height, width): the members'
                images side by side.
            dropped: What dropout makes of all members' features, shape (members,
                batch, features).
        """
        x, weights, statistics = images, self._pieces(), iter(self._statistics)
        for layer in self._layers:
            if isinstance(layer, nn.Conv2d):
                weight = next(weights).flatten(0, 1).permute(0, 3, 1, 2)
                x = functional.conv2d(x, weight, padding=1, groups=self.members)
            elif isinstance(layer, nn.BatchNorm2d):
                mean, variance = next(statistics)
                x = functional.batch_norm(
                    x,
                    mean.view(-1),
                    variance.view(-1),
                    next(weights).flatten(),
                    next(weights).flatten(),
                    training=True,
                    momentum=layer.momentum or 0.0,
                    eps=layer.eps,
                )
            elif isinstance(layer, nn.Flatten):
                x = x.reshape(len(x), self.members, -1).transpose(0, 1)
            elif isinstance(layer, SeededDropout):
                x = dropped(x)
            elif isinstance(layer, nn.Linear):
                weight, bias = next(weights), next(weights)
                x = torch.baddbmm(bias.unsqueeze(1), x, weight.transpose(1, 2))
            else:
                x = layer(x)
        return x

    def spread(self, values: Tensor, *, decayed: bool = False) -> Tensor:
        """Returns each member's value for every one of its weights, in the order of `weights`.

        Args:
            values: Shape (members,).
            decayed: Whether biases and normalisation get 0 in its place.
        """
        return torch.cat(
            [
                (values if len(shape) > 1 or not decayed else torch.zeros_like(values))
                .repeat_interleave(shape.numel())
                for shape in self._shapes
            ]
        )  # fmt: skip

    def unload(self, member: int, net: nn.Sequential) -> None:
        """Gives a member's weights and statistics to a network of the same shape."""
        with torch.no_grad():
            for p, piece in zip(net.parameters(), self._pieces(), strict=True):
                _stored(p).copy_(piece[member])
            for norm, mine in zip(_norms(net), self._statistics, strict=True):
                for own, some in zip(_statistics(norm), mine, strict=True):
                    own.copy_(some[member])

    def _pieces(self) -> Iterator[Tensor]:
        """Yields every parameter of all members, shape (members, the stored one's)."""
        for piece, shape in zip(
            torch.split(self.weights, self._lengths), self._shapes, strict=True
        ):
            yield piece.view(self.members, *shape)


def _stored(p: Tensor) -> Tensor:
    """Returns the parameter as it lies in the vector: filters with their channels last."""
    return p.permute(0, 2, 3, 1) if p.ndim == 4 else p


def _norms(net: nn.Sequential) -> list[nn.BatchNorm2d]:
    return [layer for layer in net if isinstance(layer, nn.BatchNorm2d)]


def _statistics(norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Returns the running mean and the running variance."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    return norm.running_mean, norm.running_var
