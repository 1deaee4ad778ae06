"""Multilayer perceptrons learn what no line divides; a long training holds every shorter one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuner import catalog, scoring
from tuner.catalog import Choice, Value
from tuner.datasets.base import Fold
from tuner.learners.base import Device, Result
from tuner.learners.mlp import Mlp
from tuner.record import Outcome, make_setting
from tuner.testing import tiny_table, tiny_values


def evaluate(fold: Fold, axis: str, levels: tuple[int, ...], **changes: Value) -> list[Result]:
    values: dict[str, Value] = {
        name: known.default
        if isinstance(known, Choice) or not known.integer
        else int(known.default)
        for name, known in catalog.LEARNERS["mlp"].hyperparameters.items()
        if name != axis
    }
    setting = make_setting(values | changes)
    return list(Mlp().evaluate(axis, [setting], levels, [fold], Device()))


def corners(seed: int) -> Fold:
    """Returns clouds around the unit square's corners; opposite corners are of one class."""
    random = np.random.default_rng(seed)

    def draw(n: int) -> tuple[np.ndarray, np.ndarray]:
        at = random.integers(0, 2, size=(n, 2))
        x = at + random.normal(0, 0.1, size=(n, 2))
        return x.astype(np.float32), at[:, 0] ^ at[:, 1]

    (x, y), (x_score, y_score) = draw(200), draw(400)
    return Fold(0, seed, x, y, x_score, y_score, 2)


@pytest.mark.parametrize("normalisation", ["batch", "layer", "none"])
@pytest.mark.parametrize("seed", range(3))
def test_xor_is_learnt(normalisation: str, seed: int) -> None:
    fold = corners(seed)
    (result,) = evaluate(fold, "depth", (2,), normalisation=normalisation)
    assert result.predictions is not None, result.error
    assert scoring.scores(result.predictions, fold.y_score)["accuracy"] > 0.95


@settings(max_examples=15, deadline=None)
@given(
    levels=st.sets(st.integers(1, 8), min_size=1, max_size=4).map(lambda s: tuple(sorted(s))),
    batch_size=st.integers(8, 100),
    normalisation=st.sampled_from(["batch", "layer", "none"]),
    values=st.booleans(),
)
def test_a_level_of_a_long_training_is_the_training_that_ends_there(
    levels: tuple[int, ...], batch_size: int, normalisation: str, values: bool
) -> None:
    fold = tiny_values() if values else tiny_table()
    changes = {"units": 4, "batch_size": batch_size, "normalisation": normalisation}
    for result in evaluate(fold, "epochs", levels, **changes):
        (alone,) = evaluate(fold, "epochs", (result.member.level,), **changes)
        assert result.predictions is not None and alone.predictions is not None
        assert result.predictions.tobytes() == alone.predictions.tobytes()


@settings(max_examples=10, deadline=None)
@given(shift=st.floats(-1e4, 1e4), factor=st.floats(1e-3, 1e4))
def test_values_are_predicted_in_their_own_units(shift: float, factor: float) -> None:
    fold = tiny_values()
    moved = Fold(
        0, fold.seed, fold.x, fold.y * factor + shift, fold.x_score, fold.y_score, classes=0
    )
    (plain,) = evaluate(fold, "depth", (1,), units=8, epochs=3)
    (found,) = evaluate(moved, "depth", (1,), units=8, epochs=3)
    assert plain.predictions is not None and found.predictions is not None
    expected = plain.predictions * factor + shift
    np.testing.assert_allclose(found.predictions, expected, atol=1e-3 * factor + 1e-9 * abs(shift))


def test_values_on_a_plane_are_found() -> None:
    fold = tiny_values(n=400)
    (result,) = evaluate(fold, "depth", (1,), epochs=60)
    assert result.predictions is not None, result.error
    assert scoring.scores(result.predictions, fold.y_score)["r2"] > 0.9


def test_a_loss_that_is_no_number_is_told_with_its_epoch() -> None:
    (result,) = evaluate(tiny_table(), "depth", (1,), learning_rate=1e30, normalisation="none")
    assert result.outcome is Outcome.DIVERGED
    assert "in epoch" in result.error
