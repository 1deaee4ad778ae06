"""scikit-learn's estimators on disk, by skops: nothing is run when they are read."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np

FILE = "estimator.skops"

TREE = "sklearn.tree._tree.Tree"
"""What skops doesn't trust, for it would follow any number as a node's; here it is judged."""


def write(folder: Path, estimator: object) -> None:
    """Writes a fitted estimator, or a list of trees, into a folder."""
    import skops.io  # it loads torch, which few learners need

    skops.io.dump(estimator, folder / FILE)


def read(folder: Path, features: int | None, trusted: tuple[str, ...] = ()) -> Any:
    """Returns the estimator that was written there, or the list of trees.

    Args:
        folder: Where.
        features: How many values an example has; None where whoever asks looks.
        trusted: Types that are safe to read and that skops doesn't know.

    Raises:
        ValueError: The file is damaged, holds what isn't an estimator's, or is of other
            features.
    """
    import skops.io
    from skops.io.exceptions import UntrustedTypesFoundException

    file = folder / FILE
    try:
        found = skops.io.load(file, trusted=list(trusted))
    except UntrustedTypesFoundException as error:
        raise ValueError(f"{file} holds what isn't read: {str(error).splitlines()[0]}") from error
    except (OSError, zipfile.BadZipFile, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{file} is missing or damaged") from error
    for part in found if isinstance(found, list) else [found, *_trees(found)]:
        held = getattr(part, "n_features_in_", None)
        if not isinstance(held, int) or (features is not None and held != features):
            raise ValueError(f"{file}: the model is of other features than the {features} here")
        if (tree := getattr(part, "tree_", None)) is not None and not _is_sound(tree, held):
            raise ValueError(f"{file}: a tree's nodes point to where there is nothing")
    return found


def _trees(estimator: Any) -> list[Any]:
    """Returns the trees that an estimator is made of."""
    return list(getattr(estimator, "estimators_", ()))


def _is_sound(tree: Any, features: int) -> bool:
    """Tells whether every node leads on, to a leaf in the end, and asks of a feature there is."""
    here = np.arange(tree.node_count)
    inner = tree.children_left != -1
    left, right = tree.children_left[inner], tree.children_right[inner]
    asked = tree.feature[inner]
    return bool(
        len(here)
        and all((side > here[inner]).all() and (side < len(here)).all() for side in (left, right))
        and (tree.children_right[~inner] == -1).all()
        and ((asked >= 0) & (asked < features)).all()
    )
