"""Support vector machines (Cortes & Vapnik 1995), exact or on a Nyström map of their kernel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.kernel_approximation import Nystroem
from sklearn.pipeline import Pipeline
from sklearn.svm import SVC, SVR, LinearSVC, LinearSVR

from tuner.catalog import Value
from tuner.datasets.base import Fold
from tuner.learners.base import Device
from tuner.learners.estimators import EstimatorLearner, coefficients, decisions
from tuner.learners.fits import TimedOutError, UnsuitableDataError
from tuner.learners.tables import Rows
from tuner.learners.temperature import temperature
from tuner.record import seed_of

_ITERATIONS = 2_000
"""Most passes of a linear machine: more changed no answer on the digits."""


class Svm(EstimatorLearner):
    """A machine with a linear or an RBF kernel.

    A linear one has a class each against the rest; an exact RBF one has every pair of
    classes vote, and of as many votes the larger margins count.

    With `components` at 0 the kernel is exact, which takes time in the square of the
    examples and more; else a linear machine learns on so many features that approximate the
    kernel (Williams & Seeger 2001), of as many random training examples. More than there are
    examples are as many as there are.

    `gamma` is told in units of 1 / (features x variance), which is 1 / features here. A
    machine has no probabilities: they are the softmax of its decisions at the temperature
    that is likeliest for examples that it hasn't seen (`temperature`), so its answers stay
    the machine's.
    """

    name = "svm"

    def estimator(self, setting: Mapping[str, Value], fold: Fold, x: Rows) -> Any:
        """Returns the machine, on its map where there is one."""
        if fold.classes and len(np.unique(fold.y)) < 2:
            raise UnsuitableDataError("all training examples are of one class; two are needed")
        return _machine(setting, fold, x)

    def size(self, estimator: Any) -> int:
        """Returns the weights of a linear machine, or the numbers in its support vectors."""
        if isinstance(estimator, Pipeline):
            landmarks = estimator[0].components_.size + estimator[0].normalization_.size
            return int(landmarks) + coefficients(estimator[-1])
        if isinstance(estimator, SVC | SVR):
            kept = (estimator.support_vectors_, estimator.dual_coef_, estimator.intercept_)
            return sum(int(part.size) for part in kept)
        return coefficients(estimator)

    def temperature(
        self, setting: Mapping[str, Value], fold: Fold, x: Rows, device: Device
    ) -> float:
        """Returns the temperature, by three more fits on two thirds each."""
        y = fold.y.astype(np.int64)
        if len(np.unique(y)) < 2:
            return 1.0

        def decide(fitted: Any, left: Any) -> Any:
            if device.expired():
                raise TimedOutError("the temperature's fits")
            machine = _machine(setting, fold, x[fitted]).fit(x[fitted], y[fitted])
            return decisions(machine, x[left])

        found = temperature(y, seed_of(fold.seed, "temperature"), decide)
        if device.expired():
            raise TimedOutError("the temperature's fits")
        return found


def _machine(setting: Mapping[str, Value], fold: Fold, x: Rows) -> Any:
    c, components = float(setting["C"]), int(setting["components"])
    rbf = {"kernel": "rbf", "gamma": float(setting["gamma"]) / x.shape[1]}
    kernel = rbf if setting["kernel"] == "rbf" else {"kernel": "linear"}
    seed = seed_of(fold.seed, "svm")
    if components:
        count = min(components, len(x))
        mapped = Nystroem(n_components=count, random_state=seed, **kernel)
        return Pipeline([("map", mapped), ("machine", _linear(c, fold, seed))])
    if kernel is not rbf:
        return _linear(c, fold, seed)
    machine = (SVC if fold.classes else SVR)(C=c, **rbf)
    # It draws from the global state otherwise, and uses nothing of it.
    machine.random_state = seed
    return machine


def _linear(c: float, fold: Fold, seed: int) -> Any:
    # In the primal nothing is random; a seed all the same, for without it a global one is drawn.
    options = {"C": c, "dual": False, "max_iter": _ITERATIONS, "random_state": seed}
    if fold.classes:
        return LinearSVC(**options)
    return LinearSVR(loss="squared_epsilon_insensitive", **options)
