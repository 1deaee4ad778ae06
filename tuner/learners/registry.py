"""Every learner by its name in the catalog."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import cast

from tuner import catalog, own_code
from tuner.learners.base import Learner
from tuner.spec.own import is_own

# Imported only when asked for: a forest needs no torch.
_CLASSES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "perceptron": ("tuner.learners.perceptron", "Perceptron"),
        "logistic": ("tuner.learners.logistic", "Logistic"),
        "linear": ("tuner.learners.linear", "Linear"),
        "naive_bayes": ("tuner.learners.naive_bayes", "NaiveBayes"),
        "neighbors": ("tuner.learners.neighbors", "Neighbors"),
        "svm": ("tuner.learners.svm", "Svm"),
        "boosting": ("tuner.learners.boosting", "Boosting"),
        "forest": ("tuner.learners.forest", "Forest"),
        "mlp": ("tuner.learners.mlp", "Mlp"),
        "rbm": ("tuner.learners.rbm", "Rbm"),
        "cnn": ("tuner.learners.cnn", "Cnn"),
        "resnet": ("tuner.learners.resnet", "ResNet"),
        "bag_of_features": ("tuner.learners.bag_of_features", "BagOfFeatures"),
        "deep_features": ("tuner.learners.deep_features", "DeepFeatures"),
        "hmm": ("tuner.learners.hmm", "Hmm"),
        "simulated": ("tuner.learners.simulated", "Simulated"),
    }
)


def names() -> tuple[str, ...]:
    """Returns the names of all learners."""
    return tuple(_CLASSES)


def get(name: str) -> Learner:
    """Returns the learner of that name: one of the catalog, or the user's own "module:Class".

    Raises:
        KeyError: There is none.
        OwnCodeError: The user's own can't be imported, or can't be made.
    """
    if is_own(name):
        return _own(name)
    if name not in _CLASSES:
        raise KeyError(f"there is no learner {name!r}; there are {', '.join(_CLASSES)}")
    module, kind = _CLASSES[name]
    return cast(Learner, getattr(importlib.import_module(module), kind)())


def _own(name: str) -> Learner:
    kind = own_code.load(name)
    try:
        learner = kind()
    except (Exception, SystemExit) as error:
        raise own_code.OwnCodeError(
            f"{name} can't be made: {type(error).__name__}: {error}; it is called without arguments"
        ) from error
    if not isinstance(getattr(learner, "entry", None), catalog.Learner):
        raise own_code.OwnCodeError(
            f"{name} has no `entry` that is a tuner.catalog.Learner; give the class one"
        )
    for part in ("entry", "problem_with", "evaluate"):
        if not hasattr(learner, part):
            raise own_code.OwnCodeError(
                f"{name} has no {part!r}; subclass tuner.learners.models.ModelLearner, or write "
                "all that tuner.learners.base.Learner says"
            )
    return cast(Learner, learner)
