"""Convolutional networks without shortcuts, searched by depth, filters or epochs."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import cast

import torch
from torch import nn

from tuner.catalog import Value
from tuner.datasets.base import Fold
from tuner.learners.base import Device
from tuner.learners.fits import TRAIN_SCORED, Fitted
from tuner.learners.fusing import Failure, FusingLearner, Part
from tuner.learners.nets.fused import FusedNet
from tuner.learners.nets.inputs import Inputs
from tuner.learners.nets.kept import Architecture, NetModel
from tuner.learners.nets.learner import ImageNetLearner, image_shape, labels, schedule, warm_up
from tuner.learners.nets.state import settings_for, within_memory
from tuner.learners.nets.together import Lesson, train_together
from tuner.learners.nets.training import predict, seconds_a_step
from tuner.learners.nets.weights import copied


class Cnn(ImageNetLearner, FusingLearner):
    """A plain stack of convolutions with batch normalisation; see `nets.plain`.

    Members of one shape train as one network (`nets.fused`). The standalone cost of
    such a member is calibrated, not measured: before the batch starts, the first
    member is set up and takes a few steps alone, and what a step took is multiplied
    by the steps of a fit; predictions are made one by one and are timed as they are.
    The record tells such members by their packet, which holds several replicates or
    settings of one level.
    """

    name = "cnn"
    fused = frozenset({"learning_rate", "weight_decay", "dropout"})

    def architecture(self, setting: Mapping[str, Value], fold: Fold) -> Architecture:
        """Returns a plain stack."""
        return _architecture(setting, fold)

    def fit_together(
        self, parts: Sequence[Part], level: int, device: Device
    ) -> Sequence[Fitted | Failure]:
        """Trains networks of one shape as one and asks each for its predictions."""
        warm_up(device.name)
        with settings_for(device):
            return within_memory(lambda: _fit_together(parts, level, device), device)


def _fit_together(parts: Sequence[Part], level: int, device: Device) -> list[Fitted | Failure]:
    setup, a_step = _alone(parts[0], device)
    folds = {id(part.fold): part.fold for part in parts}
    places = {key: place for place, key in enumerate(folds)}
    scales = [Inputs.standard(fold.x) for fold in folds.values()]
    x = torch.empty((len(folds), *parts[0].fold.x.shape), device=device.name)
    for mine, scale, fold in zip(x, scales, folds.values(), strict=True):
        mine.copy_(scale(fold.x))
    y = torch.stack([labels(fold, device) for fold in folds.values()])
    nets = [_net(part.setting, part.fold, device) for part in parts]
    net, fused = nets[0], FusedNet(nets)
    del nets
    lessons = [
        Lesson(
            schedule(part.setting),
            float(part.setting["dropout"]),
            part.fold.seed,
            places[id(part.fold)],
        )
        for part in parts
    ]
    stopped = train_together(fused, x, y, lessons, device)
    trained = setup + a_step * lessons[0].schedule.steps(x.shape[1])
    found: list[Fitted | Failure] = []
    for member, (part, lesson, reason) in enumerate(zip(parts, lessons, stopped, strict=True)):
        if reason is not None:
            found.append(Failure(reason.error, setup + a_step * reason.steps))
            continue
        clock = time.perf_counter()
        fused.unload(member, net)
        score = predict(net, scales[lesson.data](part.fold.x_score).to(device.name))
        seen = predict(net, x[lesson.data, :TRAIN_SCORED])
        size = sum(p.numel() for p in net.parameters())
        seconds = trained + time.perf_counter() - clock
        model = None
        if device.models:
            architecture = _architecture(part.setting, part.fold)
            asked = Device(device.name, device.threads)
            model = NetModel(architecture, copied(net), scales[lesson.data], asked)
        found.append(Fitted(level, score, seen, size, seconds, model=model))
    return found


def _alone(part: Part, device: Device) -> tuple[float, float]:
    """Returns the seconds until a lone fit's first step, and those of each step."""
    clock = time.perf_counter()
    net = _net(part.setting, part.fold, device)
    x = Inputs.standard(part.fold.x)(part.fold.x).to(device.name)
    y = labels(part.fold, device)
    setup = time.perf_counter() - clock
    return setup, seconds_a_step(net, x, y, schedule(part.setting), part.fold.seed)


def _net(setting: Mapping[str, Value], fold: Fold, device: Device) -> nn.Sequential:
    return cast(nn.Sequential, _architecture(setting, fold).build(fold.seed, device.name))


def _architecture(setting: Mapping[str, Value], fold: Fold) -> Architecture:
    options: dict[str, Value] = {
        "depth": int(setting["depth"]),
        "filters": int(setting["filters"]),
        "dropout": float(setting["dropout"]),
    }
    return Architecture("plain", image_shape(fold), fold.classes, options)
