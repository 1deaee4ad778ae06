"""Intervals where replicates are random splits of the same data."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from sklearn.datasets import load_digits

from benchmarks.validation.rows import Row, Share, covered, stream
from tuner.curve import Question
from tuner.returns.assessment import assess_evidence
from tuner.returns.designs import FIXED, Design, Resampled
from tuner.returns.evidence import Replicates
from tuner.testing.noise import Floats

SECTION = "Splits of the same data, the difference of two levels"
QUESTION = Question("two levels", "", "level", (1, 2), "accuracy", "maximize", 1.0, patience=1)
SPLITS = (5, 10, 50)
PARTS = {"a tenth held out": (1, 9), "a fifth held out": (1, 4)}
"""Test and training examples, in parts."""

REAL_SPLITS = 10
REAL_TEST, REAL_TRAIN = 20, 180
TRUTH_SETS = 1000
"""Training sets that the true difference is taken over."""

Labels = npt.NDArray[np.int64]


def assumed(case: str, curves: int, seed: int) -> list[Row]:
    """Returns coverage where splits correlate as Nadeau and Bengio take for granted."""
    test, train = PARTS[case]
    shared = test / (test + train)
    rng = stream(seed, case)
    rows = []
    for n in SPLITS:
        common, own = rng.standard_normal((curves, 1)), rng.standard_normal((curves, n))
        differences = np.sqrt(shared) * common + np.sqrt(1 - shared) * own
        corrected = _covered(differences, 0.0, Resampled(test, train))
        figures = {
            "covered": covered(corrected, curves, gated=True, rows=len(SPLITS) * len(PARTS)),
            "covered if ignored": Share(_covered(differences, 0.0, FIXED), curves),
        }
        rows.append(Row(SECTION, case, f"{n} splits", figures))
    return rows


def real(curves: int, seed: int) -> list[Row]:
    """Returns coverage for two classifiers on data sets drawn from the digits.

    The digits, drawn with replacement, are the population, so the true difference can
    be had: over many training sets, tested on all of the digits. Two learners stand in
    for two levels: nearest centroid, and nearest neighbour.
    """
    x, y = load_digits(return_X_y=True)
    x, y = x / 16, y.astype(np.int64)
    rng = stream(seed, "digits")
    size = REAL_TEST + REAL_TRAIN
    differences = np.empty((curves, REAL_SPLITS))
    for i in range(curves):
        drawn = rng.integers(len(y), size=size)
        for j in range(REAL_SPLITS):
            order = rng.permutation(drawn)
            test, train = order[:REAL_TEST], order[REAL_TEST:]
            differences[i, j] = _difference(x[train], y[train], x[test], y[test])
    truth = np.mean(
        [
            _difference(x[drawn], y[drawn], x, y)
            for drawn in rng.integers(len(y), size=(TRUTH_SETS, REAL_TRAIN))
        ]
    )
    corrected = _covered(differences, float(truth), Resampled(REAL_TEST, REAL_TRAIN))
    figures = {
        "covered": Share(corrected, curves),
        "covered if ignored": Share(_covered(differences, float(truth), FIXED), curves),
    }
    return [Row(SECTION, "digits, two real classifiers", f"{REAL_SPLITS} splits", figures)]


def _covered(differences: Floats, truth: float, design: Design) -> int:
    """Returns how many rows' gain has an interval that covers the truth."""
    hits = 0
    numbers = tuple(range(differences.shape[1]))
    for row in differences:
        scores = np.stack([np.zeros_like(row), row])
        gain = assess_evidence(QUESTION, Replicates((1, 2), numbers, scores, design)).gains[2]
        hits += gain.low <= truth <= gain.high
    return hits


def _difference(x: Floats, y: Labels, x_test: Floats, y_test: Labels) -> float:
    """Returns by how much nearest neighbour beats nearest centroid in accuracy."""
    classes, members = np.unique(y, return_inverse=True)
    centroids = np.stack([x[members == i].mean(axis=0) for i in range(len(classes))])
    by_neighbour = y[_nearest(x, x_test)]
    by_centroid = classes[_nearest(centroids, x_test)]
    return float(np.mean(by_neighbour == y_test) - np.mean(by_centroid == y_test))


def _nearest(points: Floats, x: Floats) -> npt.NDArray[np.intp]:
    """Returns the index of the point nearest to each row."""
    nearest: npt.NDArray[np.intp] = np.argmin(np.sum(points**2, axis=1) - 2 * x @ points.T, axis=1)
    return nearest
