"""Training sets that are spoilt: wrong labels, and classes that are rare.

What is scored on stays as it is. What is drawn follows from the seed and from how many
examples of which class there are, so that of two strengths with one seed the milder one's
damage is a part of the worse one's.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tuner.datasets.base import Fold


def label_noise(fold: Fold, strength: float, seed: int) -> Fold:
    """Replaces a share of the labels by another class each, any of the others alike likely.

    It is the symmetric noise of Patrini et al. 2017, "Making Deep Neural Networks Robust to
    Label Noise: a Loss Correction Approach". The share is rounded to whole examples of the
    training part, whichever their classes.

    Args:
        fold: The fold.
        strength: The share.
        seed: Of the examples, and of their new classes.

    Raises:
        ValueError: There are no two classes.
    """
    _check_classes("label_noise", fold)
    random = np.random.default_rng(seed)
    size = len(fold.y)
    flipped = random.permutation(size)[: round(strength * size)]
    steps = random.integers(1, fold.classes, size)
    y = fold.y.copy()
    y[flipped] = (y[flipped] + steps[flipped]) % fold.classes
    return replace(fold, y=y)


def imbalance(fold: Fold, strength: float, seed: int) -> Fold:
    """Thins classes out, so that their sizes fall geometrically: a long tail.

    The classes come in an order that the seed gives. The first keeps all its examples, the
    last the share `strength`, and those between lie at equal ratios, each of its own size;
    every class keeps at least one. It is the long tail of Cui et al. 2019, "Class-Balanced
    Loss Based on Effective Number of Samples", with the order drawn.

    Args:
        fold: The fold.
        strength: The share that the rarest class keeps.
        seed: Of the order of classes, and of the examples that stay.

    Raises:
        ValueError: There are no two classes.
    """
    _check_classes("imbalance", fold)
    random = np.random.default_rng(seed)
    classes = random.permutation(np.unique(fold.y))
    shuffled = random.permutation(len(fold.y))
    steps = max(len(classes) - 1, 1)
    kept = []
    for rank, label in enumerate(classes):
        mine = shuffled[fold.y[shuffled] == label]
        kept.append(mine[: max(1, round(len(mine) * strength ** (rank / steps)))])
    stay = np.sort(np.concatenate(kept))
    return replace(fold, x=fold.x[stay], y=fold.y[stay])


def _check_classes(name: str, fold: Fold) -> None:
    if fold.classes < 2:
        predicted = "one class" if fold.classes else "a number"
        raise ValueError(f"{name} is for two classes or more, and {predicted} is predicted here")
