"""The features of a trained network, into a support vector machine or a forest."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from tuner.catalog import Value
from tuner.datasets.base import Features, Fold
from tuner.learners import arrays
from tuner.learners.base import Device, Model
from tuner.learners.features import pretrained
from tuner.learners.features.gradients import Floats32
from tuner.learners.features.heads import Head, fit_head
from tuner.learners.features.layers import Layers, moments, scale, train_layers, with_channels
from tuner.learners.fits import TRAIN_SCORED, Fitted, LoopingLearner, UnsuitableDataError
from tuner.learners.nets.kept import NetModel
from tuner.learners.nets.state import settings_for, within_memory
from tuner.learners.threads import limited
from tuner.scoring import DivergedError, Predictions

OWN = "own"
"""`pretrained`: the network is trained on the fold's own training part."""

KEPT = "kept"
"""`pretrained`: the network is of a kept model, whose training was paid for."""

_FILE, _AXES = "scale.safetensors", {"mean": 1, "spread": 1, "grid": 0}

_TRAINING = ("depth", "filters", "learning_rate", "weight_decay", "dropout", "epochs", "batch_size")
"""Hyperparameters that a network's weights follow from."""


class DeepFeatures(LoopingLearner):
    """Trains a plain network, takes off its head and gives what is left to a classifier.

    `depth` is how many convolutions the features have passed: the network has just so
    many. `pretrained` says what it is trained on: "own", the fold's training part, with
    the fold's seed; or a data set of the catalog, whole and with one seed, so that all
    replicates share one network and differ in nothing but the classifier and its data:
    intervals hold given that network. It is trained once in a process; each member's
    standalone cost has the whole of its training all the same, for alone it would pay it.

    "kept" is the network of a model that was kept (of this learner, cnn or resnet), cut
    after `depth` convolutions; its cost isn't counted again, and what it was trained on isn't
    known here.

    A job's own images must not be the source's: then the network would know the test.
    Images of any size and number of channels go into any network. Their pixels are scaled
    by their own training part.
    """

    name = "deep_features"

    def __init__(self, kept: Layers | None = None) -> None:
        """Takes the network of a kept model, where there is one."""
        self._kept = kept

    def with_model(self, model: Model) -> DeepFeatures:
        """Does Transferring.with_model: takes the network of a kept model."""
        if isinstance(model, DeepModel):
            return DeepFeatures(model.maker.layers)
        if isinstance(model, NetModel):
            return DeepFeatures(Layers.of(model))
        raise ValueError(
            f"it is of the kind {model.kind!r}, which has no convolutions; take one of cnn, resnet "
            "or deep_features"
        )

    def problem_with_levels(self, levels: Mapping[str, Collection[int]]) -> str | None:
        """Does Transferring.problem_with_levels: the kept network must be as deep."""
        if self._kept is None:
            return None
        return next(filter(None, map(self._kept.problem_with_depth, levels["depth"])), None)

    def problem_with(self, x: Features, classes: int) -> str | None:
        """Says that tables have no neighbourhoods to convolve, where x is one."""
        if x.ndim == 4:
            return self._too_small(x)
        return (
            "deep_features needs images, shape (n, channels, height, width) or (n, height, "
            f"width); this is a table of shape {x.shape}. Use forest or svm for it"
        )

    def _too_small(self, x: Features) -> str | None:
        """Says that a kept network leaves nothing of such images, or None."""
        if self._kept is None:
            return None
        channels, height, width = self._kept.shape[0], *x.shape[2:]
        try:
            self._kept.features(np.zeros((1, channels, height, width), np.float32), 1, "cpu")
        except RuntimeError:
            return (
                f"images of {height} x {width} are too small for the kept network, which was "
                f"trained on {self._kept.shape[1]} x {self._kept.shape[2]}"
            )
        return None

    def train(self, setting: Mapping[str, Value], fold: Fold, device: Device) -> DeepModel:
        """Trains a network, or takes the one that is there, and fits a classifier on it."""
        return self._train(setting, fold, device)[0]

    def fit(
        self,
        axis: str,
        setting: Mapping[str, Value],
        levels: Sequence[int],
        fold: Fold,
        device: Device,
    ) -> Iterator[Fitted]:
        """Fits the one level and asks it."""
        clock = time.perf_counter()
        model, saved = self._train({**setting, axis: levels[0]}, fold, device)
        predictions = model.predict(fold.x_score)
        seen = model.predict(fold.x[:TRAIN_SCORED])
        seconds = time.perf_counter() - clock + saved
        size = model.parameters
        yield Fitted(levels[0], predictions, seen, size, seconds, model=model)

    def _train(
        self, setting: Mapping[str, Value], fold: Fold, device: Device
    ) -> tuple[DeepModel, float]:
        """Returns the model, and the seconds of a network's training that were spent before."""
        with settings_for(device), limited(device.threads):
            clock = time.perf_counter()
            layers, cost = within_memory(lambda: self._layers(setting, fold, device), device)
            saved = max(0.0, cost - (time.perf_counter() - clock))
            own = moments(fold.x)
            maker = Maker(layers, int(setting["grid"]), *own, device.name, device.threads)
            features = within_memory(lambda: maker(fold.x), device)
            if not np.isfinite(features).all():
                raise DivergedError("a feature of the trained network is NaN or infinite")
            head = fit_head(setting, features, fold.y, fold.classes, fold.seed, device)
        return DeepModel(maker, head), saved

    def _layers(
        self, setting: Mapping[str, Value], fold: Fold, device: Device
    ) -> tuple[Layers, float]:
        """Returns the network's convolutions and what their training cost; 0 where it was now."""
        name = str(setting["pretrained"])
        if name == OWN:
            return train_layers(fold.x, fold.y, fold.classes, setting, fold.seed, device), 0.0
        if name == KEPT:
            return self._cut(int(setting["depth"])), 0.0
        source = pretrained.source_of(name)
        pretrained.refuse_if_known(fold.x, source, name)
        key = (source.digest, *(setting[part] for part in _TRAINING))

        def train() -> Layers:
            classes = len(source.classes)
            return train_layers(source.x, source.y, classes, setting, pretrained.SEED, device)

        found = pretrained.trained_once(key, train, device)
        return found.layers, found.seconds

    def _cut(self, depth: int) -> Layers:
        if self._kept is None:
            raise UnsuitableDataError(
                f"pretrained: {KEPT!r} needs the kept model that a search's `model` names"
            )
        return self._kept.up_to(depth)


@dataclass(frozen=True)
class Maker:
    """Makes features of images.

    Attributes:
        layers: The network's convolutions.
        grid: Places a side that features are averaged over.
        mean: Shape (channels,): of the training part's pixels.
        spread: Shape (channels,): of the training part's pixels.
        device: torch's name of where it runs.
        threads: Threads that it uses.
    """

    layers: Layers
    grid: int
    mean: Floats32
    spread: Floats32
    device: str = "cpu"
    threads: int = 1

    def __call__(self, x: Features) -> Floats32:
        """Returns features, shape (examples, values)."""
        scaled = with_channels(scale(x, self.mean, self.spread), self.layers.shape[0])
        with settings_for(Device(self.device, self.threads)):
            return self.layers.features(scaled, self.grid, self.device)


@dataclass(frozen=True)
class DeepModel:
    """A network's convolutions and the classifier of what they see.

    Attributes:
        maker: What makes the features.
        head: What classifies them.
    """

    kind: ClassVar[str] = "deep_features"

    maker: Maker
    head: Head

    @property
    def parameters(self) -> int:
        """The network's weights and the classifier's."""
        return self.maker.layers.parameters + self.head.parameters

    def predict(self, x: Features) -> Predictions:
        """Returns probabilities, shape (examples, classes)."""
        return self.head.predict(self.maker(x))

    def save(self, folder: Path) -> None:
        """Writes weights as safetensors and the classifier by skops."""
        maker = self.maker
        maker.layers.save(folder)
        parts = {"mean": maker.mean, "spread": maker.spread, "grid": np.array(maker.grid)}
        arrays.write(folder / _FILE, parts)
        self.head.save(folder)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Returns the model that was saved there."""
        found: dict[str, Any] = arrays.read(folder / _FILE, _AXES)
        maker = Maker(Layers.load(folder), int(found["grid"]), found["mean"], found["spread"])
        _, height, width, _, _ = maker.layers.shape
        one = np.zeros((1, len(maker.mean), height, width), dtype=np.float32)
        return cls(maker, Head.load(folder, maker(one).shape[1]))
