"""Every learner by its name in the catalog."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import cast

from tuner.learners.base import Learner

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
    """Returns the learner of that name.

    Raises:
        KeyError: There is none.
    """
    if name not in _CLASSES:
        raise KeyError(f"there is no learner {name!r}; there are {', '.join(_CLASSES)}")
    module, kind = _CLASSES[name]
    return cast(Learner, getattr(importlib.import_module(module), kind)())
