"""A forest holds every smaller forest, bit for bit, and judges like a forest should."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier

from tuner import scoring
from tuner.datasets import registry
from tuner.datasets.base import Fold
from tuner.datasets.splits import Splits
from tuner.learners.base import Device, Result
from tuner.learners.forest import Forest
from tuner.record import Outcome, make_setting
from tuner.spec import Split
from tuner.testing import tiny_table

DEFAULTS = {
    "max_features": 0.5,
    "min_samples_leaf": 1,
    "bootstrap": True,
    "criterion": "gini",
    "splitter": "best",
    "leaves": 0,
}


def grow(fold: Fold, levels: tuple[int, ...], threads: int = 1, **changes: object) -> list[Result]:
    setting = make_setting({**DEFAULTS, **changes})  # type: ignore[dict-item]
    return list(Forest().evaluate("trees", [setting], levels, [fold], Device(threads=threads)))


@pytest.mark.parametrize("bootstrap", [True, False])
def test_one_fit_scores_every_smaller_forest_bit_for_bit(bootstrap: bool) -> None:
    fold = tiny_table()
    nested = grow(fold, (1, 2, 5, 13), bootstrap=bootstrap)
    for result in nested:
        (alone,) = grow(fold, (result.member.level,), bootstrap=bootstrap)
        assert result.predictions is not None
        assert alone.predictions is not None
        assert result.predictions.tobytes() == alone.predictions.tobytes()
        assert result.parameters == alone.parameters


def test_threads_change_no_bit() -> None:
    one, three = grow(tiny_table(), (1, 4, 9)), grow(tiny_table(), (1, 4, 9), threads=3)
    for a, b in zip(one, three, strict=True):
        assert a.predictions is not None
        assert b.predictions is not None
        assert a.predictions.tobytes() == b.predictions.tobytes()


def test_cost_and_nodes_cumulate() -> None:
    results = grow(tiny_table(), (1, 4, 16))
    assert np.all(np.diff([r.parameters for r in results]) > 0)
    assert np.all(np.diff([r.standalone_seconds for r in results]) > 0)


def test_a_class_that_the_fold_lacks_has_probability_zero() -> None:
    fold = tiny_table(classes=3)
    present = fold.y != 1
    (result,) = grow(replace(fold, x=fold.x[present], y=fold.y[present]), (7,))
    assert result.outcome is Outcome.COMPLETED
    assert result.predictions is not None
    assert (result.predictions[:, 1] == 0).all()
    np.testing.assert_allclose(result.predictions.sum(axis=1), 1)


def test_trees_of_one_forest_differ_and_so_do_replicates() -> None:
    fold = tiny_table()
    one, two = grow(fold, (1, 2))
    assert one.predictions is not None
    assert two.predictions is not None
    assert not np.array_equal(one.predictions, two.predictions)
    (other,) = grow(replace(fold, seed=fold.seed + 1), (1,))
    assert other.predictions is not None
    assert not np.array_equal(one.predictions, other.predictions)


def test_it_is_as_good_as_scikit_learns_forest() -> None:
    fold = Splits(registry.load("digits"), Split(), 0).measuring(0)
    small, large = grow(fold, (4, 100), max_features=0.125)
    assert small.predictions is not None
    assert large.predictions is not None
    ours = scoring.scores(large.predictions, fold.y_score)
    peer = RandomForestClassifier(100, max_features=0.125, random_state=0)
    peer.fit(fold.x.reshape(len(fold.x), -1), fold.y)
    p = peer.predict_proba(fold.x_score.reshape(len(fold.x_score), -1))
    theirs = scoring.scores(p, fold.y_score)
    assert ours["brier"] == pytest.approx(theirs["brier"], abs=0.02)
    assert ours["error"] == pytest.approx(theirs["error"], abs=0.02)
    assert ours["brier"] < scoring.scores(small.predictions, fold.y_score)["brier"]


def test_it_needs_no_torch() -> None:
    code = (
        "import sys; from tuner.learners import registry; registry.get('forest');"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
