"""What can be done to inputs, or to a training set, to see what breaks a learner.

The strengths in words and pictures stand in docs/robustness.md.
"""

from __future__ import annotations

from tuner.catalog.kinds import Perturbation, Task

_BOTH: tuple[Task, ...] = ("classification", "regression")

_REACH = "share of an image's range of values, or standard deviations of a table's column"
"""How far an attack may move any one value: the radius of an L-infinity ball."""

_SEVERITY = "severity"

ALL = (
    Perturbation(
        "fgsm",
        "attack",
        "the fast gradient sign method: one step up the loss",
        _REACH,
        1e-6,
        10,
        0.1,
        gradients=True,
    ),
    Perturbation(
        "pgd",
        "attack",
        "projected gradient descent: many steps up the loss from a random start",
        _REACH,
        1e-6,
        10,
        0.1,
        gradients=True,
    ),
    Perturbation(
        "transfer",
        "attack",
        "what projected gradient descent finds against a network trained beside it",
        _REACH,
        1e-6,
        10,
        0.1,
    ),
    Perturbation(
        "decision",
        "attack",
        "a search along rays that sees nothing but the model's answers",
        _REACH,
        1e-6,
        10,
        0.1,
    ),
    Perturbation(
        "shift",
        "corruption",
        "moved up, down, left and right; the mean over the four",
        "pixels",
        1,
        16,
        1,
        integer=True,
        inputs=("images",),
    ),
    Perturbation(
        "noise",
        "corruption",
        "Gaussian noise on every value",
        _SEVERITY,
        1,
        5,
        3,
        integer=True,
        tasks=_BOTH,
    ),
    Perturbation(
        "blur",
        "corruption",
        "Gaussian blur",
        _SEVERITY,
        1,
        5,
        3,
        integer=True,
        inputs=("images",),
    ),
    Perturbation(
        "contrast",
        "corruption",
        "less contrast",
        _SEVERITY,
        1,
        5,
        3,
        integer=True,
        inputs=("images",),
    ),
    Perturbation(
        "missing",
        "corruption",
        "cells that are missing, and filled by the training part's medians",
        "share of the cells",
        1e-3,
        0.95,
        0.2,
        inputs=("tables",),
        tasks=_BOTH,
    ),
    Perturbation(
        "label_noise",
        "training",
        "training labels that are replaced by another class",
        "share of the labels",
        1e-3,
        0.95,
        0.2,
    ),
    Perturbation(
        "imbalance",
        "training",
        "classes thinned out, each by the same factor more than the one before it",
        "share that the rarest class keeps",
        1e-3,
        0.99,
        0.1,
    ),
)
