"""Restricted Boltzmann machines, stacked to a deep belief net, and a classifier on top."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt
import torch
from scipy.special import expit, softmax
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from tuner.catalog import Value
from tuner.datasets.base import Features, Fold, Labels
from tuner.learners import arrays, uphill
from tuner.learners.base import Device
from tuner.learners.models import ModelLearner
from tuner.learners.nets.boltzmann import Layer, Learning, stack
from tuner.learners.nets.inputs import Inputs
from tuner.learners.nets.state import settings_for, within_memory
from tuner.learners.tables import Rows
from tuner.learners.threads import limited
from tuner.scoring import Predictions

_FILE = "rbm.safetensors"

_ASKED_AT_ONCE = 512
"""Examples sent up at once; fixed, for sums of another length round differently."""

_EDGE = 1e-5
"""How far scaling may take the least and the largest value out of 0 to 1 by rounding."""

_ITERATIONS = 500
"""Most steps of the classifier on top."""


class Rbm(ModelLearner):
    """Features learnt without labels (Hinton, Osindero & Teh 2006), and softmax regression.

    Inputs are brought to 0 to 1 by the training part's least and largest values (of a
    table's feature, of an image's channel) and taken for probabilities; what lies outside
    is clipped. The layers aren't trained
    again by the labels: the classifier sees the top layer's probabilities alone.
    """

    name = "rbm"

    def train(self, setting: Mapping[str, Value], fold: Fold, device: Device) -> RbmModel:
        """Trains the layers, then the classifier."""
        learning = Learning(
            int(setting["epochs"]),
            int(setting["batch_size"]),
            float(setting["learning_rate"]),
            float(setting["weight_decay"]),
            str(setting["algorithm"]) == "persistent",
        )
        units = [int(setting["units"])] * int(setting["depth"])
        inputs = Inputs.unit(fold.x)
        with settings_for(device), torch.no_grad(), limited(device.threads):
            x = _seen(inputs, fold.x).to(device.name)
            trained = within_memory(lambda: stack(x, units, learning, fold.seed, device), device)
            layers = tuple(Layer(layer.weights.cpu(), layer.bias.cpu()) for layer in trained)
            weights, bias = _classifier(_up(layers, x.cpu()), fold, float(setting["C"]))
        return RbmModel(inputs, layers, weights, bias, device.threads)


@dataclass(frozen=True)
class RbmModel:
    """Layers and the classifier on top; it answers on the CPU.

    Attributes:
        inputs: What brings the training part to 0 to 1.
        layers: The lowest first.
        weights: Shape (classes, units), of the classifier.
        bias: Shape (classes,); -inf of a class that training lacked.
        threads: Threads that predictions may use.
    """

    kind: ClassVar[str] = "rbm"

    inputs: Inputs
    layers: tuple[Layer, ...]
    weights: npt.NDArray[np.float64]
    bias: npt.NDArray[np.float64]
    threads: int = 1

    @property
    def parameters(self) -> int:
        """The number of weights and biases, the classifier's with them."""
        layers = sum(layer.weights.numel() + layer.bias.numel() for layer in self.layers)
        return layers + self.weights.size + self.bias.size

    def predict(self, x: Features) -> Predictions:
        """Returns probabilities, shape (examples, classes)."""
        device = Device(threads=self.threads)
        with settings_for(device), torch.no_grad(), limited(self.threads):
            top = _up(self.layers, _seen(self.inputs, x))
            found: Predictions = softmax(top @ self.weights.T + self.bias, axis=1)
            return found

    def gradient(self, x: Features, y: Labels) -> Features:
        """Returns which way each example's loss rises; see `base.Differentiable`.

        In double precision: units that are all but surely on have a slope in it. Values
        outside of what training had are clipped, so the loss doesn't move with them.
        """
        with settings_for(Device(threads=self.threads)), limited(self.threads):
            scaled = self.inputs(x).numpy()
            found = np.zeros(scaled.shape)
            for first in range(0, len(x), _ASKED_AT_ONCE):
                some = slice(first, first + _ASKED_AT_ONCE)
                found[some] = self._slope(scaled[some], y[some])
            return uphill.like(self.inputs.by_inputs(found), x)

    def _slope(self, scaled: npt.NDArray[np.float32], y: Labels) -> npt.NDArray[np.float64]:
        """Returns the gradient by scaled inputs, in their shape."""
        layers = [(layer.weights.double().numpy(), layer.bias.numpy()) for layer in self.layers]
        seen = np.clip(scaled.reshape(len(scaled), -1).astype(np.float64), 0, 1)
        slopes = []
        for weights, bias in layers:
            sums = seen @ weights.T + bias
            seen = expit(sums)
            slopes.append(seen * expit(-sums))
        found = uphill.by_scores(seen @ self.weights.T + self.bias, y) @ self.weights
        for (weights, _), slope in zip(reversed(layers), reversed(slopes), strict=True):
            found = (found * slope) @ weights
        moves = (scaled >= -_EDGE) & (scaled <= 1 + _EDGE)
        return found.reshape(scaled.shape) * moves

    def save(self, folder: Path) -> None:
        """Writes all of it as safetensors."""
        held: dict[str, npt.NDArray[np.generic]] = {
            "low": self.inputs.middle,
            "width": self.inputs.width,
            "top.weights": self.weights,
            "top.bias": self.bias,
        }
        for number, layer in enumerate(self.layers):
            held[f"{number}.weights"] = layer.weights.numpy()
            held[f"{number}.bias"] = layer.bias.numpy()
        arrays.write(folder / _FILE, held)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Returns the model that was saved there. Raises ValueError where it is damaged."""
        file = folder / _FILE
        held = arrays.read_any(file)
        try:
            low, width = (held.pop(name).astype(np.float32) for name in ("low", "width"))
            top = [held.pop(f"top.{name}").astype(np.float64) for name in ("weights", "bias")]
            layers = tuple(
                Layer(*(_tensor(held.pop(f"{number}.{name}")) for name in ("weights", "bias")))
                for number in range(len(held) // 2)
            )
        except KeyError as error:
            raise ValueError(f"{file} is damaged: it lacks {error}") from error
        model = cls(Inputs(low, width), layers, top[0], top[1])
        model._check(file, left=sorted(held))
        return model

    def _check(self, file: Path, left: list[str]) -> None:
        """Raises ValueError where shapes don't fit on each other, or something is left over."""
        pairs = [(layer.weights, layer.bias) for layer in self.layers]
        pairs.append((torch.from_numpy(self.weights), torch.from_numpy(self.bias)))
        fits = not left and len(pairs) > 1 and all(w.ndim == 2 and b.ndim == 1 for w, b in pairs)
        fits = fits and all(len(w) == len(b) for w, b in pairs)
        fits = fits and all(
            above.shape[1] == len(below) for (_, below), (above, _) in itertools.pairwise(pairs)
        )
        fits = fits and self.inputs.middle.shape == self.inputs.width.shape
        if not fits:
            raise ValueError(f"{file} is damaged: its layers don't fit on each other {left or ''}")


def _tensor(array: npt.NDArray[np.generic]) -> torch.Tensor:
    return torch.from_numpy(array.astype(np.float32))


def _seen(inputs: Inputs, x: Features) -> torch.Tensor:
    """Returns rows of values from 0 to 1."""
    return inputs(x).flatten(1).clamp(0, 1)


def _up(layers: Sequence[Layer], x: torch.Tensor) -> Rows:
    """Returns the top layer's probabilities, in double precision."""
    parts = []
    for part in torch.split(x, _ASKED_AT_ONCE):
        for layer in layers:
            part = layer.up(part)
        parts.append(part)
    return torch.cat(parts).double().numpy()


def _classifier(
    top: Rows, fold: Fold, penalty: float
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Returns weights and biases of softmax regression by L-BFGS."""
    weights = np.zeros((fold.classes, top.shape[1]))
    bias = np.full(fold.classes, -np.inf)
    there = np.unique(fold.y)
    bias[there] = 0.0
    if len(there) < 2:
        return weights, bias
    # Centred, and about as wide as pixels are: layers of small weights say little apart.
    middle, width = top.mean(axis=0), top.std() or 1.0
    with warnings.catch_warnings():
        # A fit that needs more steps scores as it scores.
        warnings.simplefilter("ignore", ConvergenceWarning)
        fitted = LogisticRegression(C=penalty, max_iter=_ITERATIONS).fit(
            (top - middle) / width, fold.y
        )
    found, start = fitted.coef_ / width, fitted.intercept_
    if len(there) == 2:
        found, start = np.vstack([np.zeros_like(found), found]), np.array([0.0, start[0]])
    weights[there] = found
    bias[there] = start - found @ middle
    return weights, bias
