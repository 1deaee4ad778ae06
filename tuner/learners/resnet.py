"""Residual networks (He et al. 2015), searched by depth, filters or epochs."""

from __future__ import annotations

from collections.abc import Mapping

from tuner.catalog import Value
from tuner.datasets.base import Fold
from tuner.learners.nets.kept import Architecture
from tuner.learners.nets.learner import ImageNetLearner, image_shape


class ResNet(ImageNetLearner):
    """The CIFAR family of 6n + 2 layers; see `nets.residual`.

    Shortcuts are the paper's option A, without weights: then it has no more parameters
    than a plain stack of its depth, and what it gains follows from the shortcuts.
    """

    name = "resnet"

    def architecture(self, setting: Mapping[str, Value], fold: Fold) -> Architecture:
        """Returns a residual network."""
        options: dict[str, Value] = {
            "depth": int(setting["depth"]),
            "filters": int(setting["filters"]),
            "preactivation": bool(setting["preactivation"]),
        }
        return Architecture("residual", image_shape(fold), fold.classes, options)
