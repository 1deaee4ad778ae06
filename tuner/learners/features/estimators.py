"""scikit-learn's estimators on disk, by skops: nothing is run when they are read."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import skops.io
from sklearn.base import BaseEstimator
from skops.io.exceptions import UntrustedTypesFoundException

_FILE, _ABOUT = "classifier.skops", "classifier.json"

_CHECKED = ("sklearn.tree._tree.Tree",)
"""What skops doesn't trust, for it would follow any number as a node's; here they are judged."""


def write(folder: Path, estimator: BaseEstimator, about: Mapping[str, object]) -> None:
    """Writes a fitted estimator, and plain data beside it, into a folder."""
    skops.io.dump(estimator, folder / _FILE)
    (folder / _ABOUT).write_text(json.dumps(about, sort_keys=True) + "\n", encoding="utf-8")


def read(
    folder: Path, kinds: tuple[type[BaseEstimator], ...], values: int
) -> tuple[Any, dict[str, Any]]:
    """Returns the estimator that was written there, and the plain data.

    Args:
        folder: Where.
        kinds: What it may be.
        values: How many features an example has.

    Raises:
        ValueError: The files are damaged, or hold what such an estimator hasn't.
    """
    file = folder / _FILE
    try:
        about = json.loads((folder / _ABOUT).read_text(encoding="utf-8"))
        estimator = skops.io.load(file, trusted=list(_CHECKED))
    except UntrustedTypesFoundException as error:
        raise ValueError(f"{file} holds what isn't read: {str(error).splitlines()[0]}") from error
    except (OSError, zipfile.BadZipFile, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{file}, or the data beside it, is missing or damaged") from error
    if type(estimator) not in kinds or not isinstance(about, dict):
        raise ValueError(
            f"{file} holds a {type(estimator).__name__}; a classifier's is one of "
            + ", ".join(kind.__name__ for kind in kinds)
        )
    if getattr(estimator, "n_features_in_", None) != values:
        raise ValueError(f"{file}: the classifier is of other features than the {values} here")
    for tree in getattr(estimator, "estimators_", ()):
        if not _is_sound(tree.tree_, values):
            raise ValueError(f"{file}: a tree's nodes point to where there is nothing")
    return estimator, about


def _is_sound(tree: Any, values: int) -> bool:
    """Tells whether every node leads on, to a leaf in the end, and asks of a feature there is."""
    here = np.arange(tree.node_count)
    inner = tree.children_left != -1
    left, right, feature = (
        tree.children_left[inner],
        tree.children_right[inner],
        tree.feature[inner],
    )
    return bool(
        len(here)
        and all((side > here[inner]).all() and (side < len(here)).all() for side in (left, right))
        and (tree.children_right[~inner] == -1).all()
        and ((feature >= 0) & (feature < values)).all()
    )
