"""Hidden Markov models of sequences, one a class (Rabiner 1989), fitted by hmmlearn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from hmmlearn.base import ConvergenceMonitor
from hmmlearn.hmm import GaussianHMM
from scipy.special import logsumexp, softmax
from sklearn.cluster import KMeans

from tuner.catalog import Value
from tuner.datasets.base import Features, Fold
from tuner.learners import arrays
from tuner.learners.base import Device
from tuner.learners.fits import TimedOutError, UnsuitableDataError
from tuner.learners.models import ModelLearner
from tuner.learners.threads import limited
from tuner.record import seed_of
from tuner.scoring import DivergedError, Predictions

Floats = npt.NDArray[np.float64]

_FILE = "hmm.safetensors"

_AXES = {"start": 2, "moves": 3, "means": 3, "covars": 3, "prior": 1, "middle": 1, "spread": 1}

_SEEN = 1e-2
"""Times that every start and move counts as seen before the data: none is impossible."""

_HELD = 1e-6
"""Steps' worth of weight at zero that holds the mean of a state in which no step lies."""

_ENOUGH = 1e-3
"""EM ends where an iteration gains less than this, in nats a step."""

_AT_ONCE = 512
"""Sequences that are scored at once."""


class Hmm(ModelLearner):
    """A Gaussian HMM a class; the answer is the class under which a sequence is likeliest.

    An image, shape (channels, height, width), is a sequence of `height` steps of
    channels x width values; a table's row is a sequence of single values. Values are
    scaled to mean 0 and variance 1 over the training part, so `min_covar` is a share
    of the variance.

    Probabilities are the softmax of log likelihood plus log share of the class. Steps
    are independent given the states, which pixels are not: evidence is counted again
    and again, and the probabilities are overconfident. Judge it by its error.
    """

    name = "hmm"

    def train(self, setting: Mapping[str, Value], fold: Fold, device: Device) -> HmmModel:
        """Fits one HMM after the other.

        Raises:
            UnsuitableDataError: A class has too few values for so many states.
            DivergedError: The likelihood is NaN or infinite.
            TimedOutError: The deadline passed.
        """
        steps = _steps(fold.x)
        middle, spread = steps.mean(axis=(0, 1)), steps.std(axis=(0, 1))
        spread[spread == 0] = 1  # a column of one value
        steps = (steps - middle) / spread
        states, width = int(setting["states"]), steps.shape[2]
        counts = np.bincount(fold.y.astype(np.int64), minlength=fold.classes)
        found = HmmModel(
            start=np.full((fold.classes, states), 1 / states),
            moves=np.full((fold.classes, states, states), 1 / states),
            means=np.zeros((fold.classes, states, width)),
            covars=np.ones((fold.classes, states, width)),
            # A class that the training part lacks is never the answer.
            prior=np.where(counts, np.log(np.maximum(counts, 1) / len(fold.y)), -np.inf),
            middle=middle,
            spread=spread,
        )
        with limited(device.threads):
            for label in np.flatnonzero(counts):
                hmm = _fit(steps[fold.y == label], int(label), setting, fold.seed, device)
                found.start[label], found.moves[label] = hmm.startprob_, hmm.transmat_
                found.means[label], found.covars[label] = hmm.means_, hmm._covars_
        return found


@dataclass(frozen=True)
class HmmModel:
    """A fitted HMM of each class.

    Attributes:
        start: Shape (classes, states): probabilities of the first state.
        moves: Shape (classes, states, states): probabilities from a state to the next.
        means: Shape (classes, states, values a step).
        covars: Shape (classes, states, values a step): variances.
        prior: Shape (classes,): log shares of the classes in training.
        middle: Shape (values a step,): what scales to 0.
        spread: Shape (values a step,): what scales to 1.
    """

    kind: ClassVar[str] = "hmm"

    start: Floats
    moves: Floats
    means: Floats
    covars: Floats
    prior: Floats
    middle: Floats
    spread: Floats

    @property
    def parameters(self) -> int:
        """Fitted numbers, classes that were not seen in training left out."""
        return int(np.isfinite(self.prior).sum()) * _free(*self.means.shape[1:])

    def log_likelihood(self, x: Features) -> Floats:
        """Returns each sequence's log likelihood under each class, shape (examples, classes)."""
        parts = [self._forward(x[i : i + _AT_ONCE]) for i in range(0, len(x), _AT_ONCE)]
        return np.concatenate([np.empty((0, len(self.prior))), *parts])

    def predict(self, x: Features) -> Predictions:
        """Returns probabilities, shape (examples, classes)."""
        return softmax(self.log_likelihood(x) + self.prior, axis=1)

    def save(self, folder: Path) -> None:
        """Writes its arrays as safetensors."""
        arrays.write(folder / _FILE, {name: getattr(self, name) for name in _AXES})

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Returns the model that was saved there."""
        found: dict[str, Any] = arrays.read(folder / _FILE, _AXES)
        classes, states, width = found["means"].shape
        shapes = {
            "start": (classes, states),
            "moves": (classes, states, states),
            "covars": (classes, states, width),
            "prior": (classes,),
            "middle": (width,),
            "spread": (width,),
        }
        for name, shape in shapes.items():
            if found[name].shape != shape:
                raise ValueError(
                    f"{folder / _FILE}: {name} has the shape {found[name].shape}; beside "
                    f"these means it must be {shape}"
                )
        return cls(**found)

    def _forward(self, x: Features) -> Floats:
        """The forward algorithm in logarithms, all sequences at once: they are equally long."""
        steps = (_steps(x) - self.middle) / self.spread
        found = np.empty((len(x), len(self.prior)))
        with np.errstate(divide="ignore"):
            start, moves = np.log(self.start), np.log(self.moves)
        for label, (means, covars) in enumerate(zip(self.means, self.covars, strict=True)):
            scale = np.log(2 * np.pi * covars).sum(axis=1)
            likely = np.stack(
                [
                    -0.5 * (((steps - mean) ** 2 / covar).sum(axis=2) + size)
                    for mean, covar, size in zip(means, covars, scale, strict=True)
                ],
                axis=2,
            )
            at = start[label] + likely[:, 0]
            for step in range(1, likely.shape[1]):
                at = logsumexp(at[:, :, None] + moves[label], axis=1) + likely[:, step]
            found[:, label] = logsumexp(at, axis=1)
        return found


def _steps(x: Features) -> Floats:
    """Returns sequences, shape (examples, steps, values a step)."""
    if x.ndim == 4:
        x = x.transpose(0, 2, 1, 3).reshape(len(x), x.shape[2], -1)
    return x.reshape(*x.shape[:2], -1).astype(np.float64)


def _free(states: int, width: int) -> int:
    """Returns how many numbers of an HMM can be chosen freely."""
    return states - 1 + states * (states - 1) + 2 * states * width


class _Monitor(ConvergenceMonitor):
    """Ends EM; hmmlearn's own writes to its log where the likelihood falls by a rounding."""

    def __init__(self, gain: float, iterations: int, device: Device) -> None:
        super().__init__(gain, iterations, verbose=False)
        self.device = device

    def report(self, log_prob: float) -> None:
        """Takes an iteration's log likelihood."""
        self.history.append(log_prob)
        self.iter += 1
        if not np.isfinite(log_prob):
            raise DivergedError(f"the log likelihood is {log_prob} in iteration {self.iter}")
        if self.device.expired():
            raise TimedOutError(f"{self.iter} of {self.n_iter} iterations of a class")


class _Floored(GaussianHMM):
    """Keeps every variance at `min_covar` or above, which hmmlearn does at the start alone."""

    _covars_: Floats

    def _do_mstep(self, stats: dict[str, Any]) -> None:
        super()._do_mstep(stats)
        self._covars_ = np.maximum(self._covars_, self.min_covar)


def _fit(
    steps: Floats, label: int, setting: Mapping[str, Value], seed: int, device: Device
) -> GaussianHMM:
    """Returns the HMM of one class's sequences, shape (examples, steps, values a step)."""
    states, (examples, length, width) = int(setting["states"]), steps.shape
    flat = steps.reshape(-1, width)
    needed = _free(states, width)
    if flat.size < needed or len(np.unique(flat, axis=0)) < states:
        raise UnsuitableDataError(
            f"class {label} has {examples} sequences of {length} steps of {width} values, too "
            f"few for {states} states: they are {needed} numbers to fit, and each state needs "
            "a step unlike the others'. Take fewer states, or more examples"
        )
    hmm = _Floored(
        states,
        covariance_type="diag",
        min_covar=float(setting["min_covar"]),
        startprob_prior=1 + _SEEN,
        transmat_prior=1 + _SEEN,
        means_weight=_HELD,
        covars_prior=0.0,
        n_iter=int(setting["iterations"]),
        init_params="c",
    )
    # hmmlearn would draw starts and moves, some so close to 0 that they are forbidden for good.
    hmm.startprob_ = np.full(states, 1 / states)
    hmm.transmat_ = np.full((states, states), 1 / states)
    kmeans = KMeans(states, n_init=1, random_state=seed_of(seed, "class", label))
    hmm.means_ = kmeans.fit(flat).cluster_centers_
    hmm.monitor_ = _Monitor(_ENOUGH * len(flat), hmm.n_iter, device)
    return hmm.fit(flat, [length] * examples)
