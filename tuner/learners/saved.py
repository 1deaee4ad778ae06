"""Models on disk: a folder with the model, and what it is in `model.json`."""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import cast

from tuner.learners.base import Model

ABOUT = "model.json"

TRAINED_ON = "trained_on"
"""There: the SHA-256 of every data set that went into the model."""

# Imported only when asked for, as learners are.
_KINDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "bag_of_features": ("tuner.learners.bag_of_features", "BagModel"),
        "boosting": ("tuner.learners.boosting", "BoostingModel"),
        "forest": ("tuner.learners.forest", "ForestModel"),
        "estimator": ("tuner.learners.estimators", "EstimatorModel"),
        "perceptron": ("tuner.learners.perceptron", "PerceptronModel"),
        "deep_features": ("tuner.learners.deep_features", "DeepModel"),
        "logistic": ("tuner.learners.logistic", "LogisticModel"),
        "hmm": ("tuner.learners.hmm", "HmmModel"),
        "net": ("tuner.learners.nets.kept", "NetModel"),
        "rbm": ("tuner.learners.rbm", "RbmModel"),
    }
)


def save(model: Model, folder: Path, about: Mapping[str, object]) -> None:
    """Writes a model into an empty or missing folder.

    Args:
        model: The model.
        folder: Where.
        about: Plain data to be written beside it: learner, level, hyperparameters.

    Raises:
        FileExistsError: The folder holds something.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise FileExistsError(f"{folder} isn't empty; give a folder that is, or a new one")
    model.save(folder)
    text = json.dumps({"kind": model.kind, **about}, indent=1, sort_keys=True)
    (folder / ABOUT).write_text(text + "\n", encoding="utf-8")


def load(folder: Path) -> Model:
    """Returns the model that was saved there. Nothing in the folder is run.

    Raises:
        ValueError: It holds no model, one of an unknown kind, or a damaged one.
    """
    try:
        about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        kind = about["kind"]
    except (OSError, UnicodeDecodeError, ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{folder} holds no model: {ABOUT} is missing or damaged") from error
    if kind not in _KINDS:
        raise ValueError(
            f"{folder / ABOUT}: there is no kind {kind!r}; there are " + ", ".join(sorted(_KINDS))
        )
    module, name = _KINDS[kind]
    return cast(type[Model], getattr(importlib.import_module(module), name)).load(folder)
