"""HMMs see order, are hmmlearn's own, and say where a class has too little to fit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hmmlearn.hmm import GaussianHMM

from tuner import scoring
from tuner.datasets.base import Fold
from tuner.learners import arrays
from tuner.learners.base import Device, Result
from tuner.learners.hmm import Hmm, HmmModel
from tuner.record import Outcome, make_setting
from tuner.testing import tiny_images, tiny_table

DEFAULTS = {"min_covar": 0.1, "iterations": 20}


def fit(fold: Fold, states: int, **changes: float) -> Result:
    setting = make_setting({**DEFAULTS, **changes})
    [result] = Hmm().evaluate("states", [setting], [states], [fold], Device())
    return result


def error(fold: Fold, result: Result) -> float:
    assert result.outcome is Outcome.COMPLETED, result.error
    assert result.predictions is not None
    return scoring.scores(result.predictions, fold.y_score)["error"]


def two_rhythms(n: int = 80) -> Fold:
    """Ten lows and ten highs a row: one class changes at every step, the other twice a row."""
    random = np.random.default_rng(3)
    quick = np.tile([-1.0, 1.0], 10)
    slow = np.repeat([-1.0, 1.0], 10)

    def draw(size: int) -> tuple[np.ndarray, np.ndarray]:
        y = random.permutation(np.arange(size) % 2)
        rows = [np.roll(slow if label else quick, random.integers(20)) for label in y]
        return (np.array(rows) + random.normal(0, 0.4, (size, 20))).astype(np.float32), y

    (x, y), (x_score, y_score) = draw(n), draw(n)
    return Fold(0, 5, x, y, x_score, y_score, classes=2)


def test_it_tells_apart_what_differs_in_nothing_but_its_order() -> None:
    fold = two_rhythms()
    assert error(fold, fit(fold, 2)) == 0
    # One state is a bag of values: it has nothing to go by.
    assert error(fold, fit(fold, 1)) > 0.3


def test_an_images_rows_are_its_steps() -> None:
    fold = tiny_images()
    as_image = fit(fold, 2)
    colours = np.concatenate([fold.x, 2 * fold.x], axis=1)
    assert error(fold, as_image) < 0.2
    model = Hmm().train({**DEFAULTS, "states": 2}, replace(fold, x=colours), Device())
    assert model.means.shape == (3, 2, 16)
    assert not np.allclose(model.means[:, :, :8], model.means[:, ::-1, 8:])
    np.testing.assert_allclose(model.means[:, :, :8], model.means[:, :, 8:], atol=1e-6)


def test_likelihoods_are_hmmlearns() -> None:
    fold = tiny_images()
    model = Hmm().train({**DEFAULTS, "states": 3}, fold, Device())
    found = model.log_likelihood(fold.x_score)
    for label in range(3):
        peer = GaussianHMM(3, covariance_type="diag")
        peer.startprob_, peer.transmat_ = model.start[label], model.moves[label]
        peer.means_, peer.covars_ = model.means[label], model.covars[label]
        for example in range(4):
            steps = (fold.x_score[example, 0] - model.middle) / model.spread
            assert found[example, label] == pytest.approx(peer.score(steps))


def test_no_variance_falls_below_its_floor_and_more_em_never_forgets_a_state() -> None:
    fold = tiny_table()
    model = Hmm().train({**DEFAULTS, "states": 2, "min_covar": 0.5}, fold, Device())
    assert model.covars.min() >= 0.5
    assert model.covars.min() == pytest.approx(0.5)
    assert (model.moves > 0).all()


def test_a_class_with_too_few_sequences_is_named() -> None:
    fold = tiny_table(n=12)
    result = fit(fold, 4)
    assert result.outcome is Outcome.CRASHED
    assert "class 0 has 4 sequences of 5 steps of 1 values, too few for 4 states" in result.error


def test_steps_that_are_all_alike_have_no_two_states() -> None:
    fold = tiny_table()
    same = replace(fold, x=np.ones_like(fold.x))
    assert "too few for 2 states" in fit(same, 2).error
    assert fit(same, 1).outcome is Outcome.COMPLETED


def test_a_class_that_the_fold_lacks_has_probability_zero() -> None:
    fold = tiny_images()
    present = fold.y != 1
    whole, lacking = fit(fold, 2), fit(replace(fold, x=fold.x[present], y=fold.y[present]), 2)
    assert lacking.predictions is not None
    assert (lacking.predictions[:, 1] == 0).all()
    assert lacking.parameters == whole.parameters * 2 // 3


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda file: file.write_bytes(b"no tensors"), "can't be read as safetensors"),
        (lambda file: arrays.write(file, {"start": np.zeros((2, 2))}), "moves .3 axes."),
        (
            lambda file: arrays.write(
                file, {name: np.zeros((size,) * axes) for name, (axes, size) in SHAPES.items()}
            ),
            "start has the shape",
        ),
    ],
)
def test_a_damaged_model_is_refused(
    tmp_path: Path, spoil: Callable[[Path], object], said: str
) -> None:
    Hmm().train({**DEFAULTS, "states": 2}, tiny_table(), Device()).save(tmp_path)
    [file] = tmp_path.iterdir()
    HmmModel.load(tmp_path)
    spoil(file)
    with pytest.raises(ValueError, match=said):
        HmmModel.load(tmp_path)


SHAPES = {
    "start": (2, 3),
    "moves": (3, 2),
    "means": (3, 2),
    "covars": (3, 2),
    "prior": (1, 2),
    "middle": (1, 2),
    "spread": (1, 2),
}
