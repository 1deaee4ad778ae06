"""A network's features carry over to other data, at a cost that is told, and know no test."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tuner import scoring
from tuner.datasets import registry
from tuner.datasets.base import Fold
from tuner.datasets.splits import Splits
from tuner.learners import saved
from tuner.learners.base import Device, Result
from tuner.learners.deep_features import DeepFeatures, DeepModel
from tuner.learners.features import pretrained
from tuner.record import Outcome, make_setting
from tuner.spec import Split
from tuner.testing import tiny_images, tiny_table

DEFAULTS = {
    "pretrained": "own",
    "classifier": "svm",
    "C": 10.0,
    "kernel": "linear",
    "trees": 20,
    "grid": 4,
    "learning_rate": 3e-3,
    "weight_decay": 1e-3,
    "dropout": 0.1,
    "filters": 4,
    "epochs": 2,
    "batch_size": 64,
}


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    pretrained.forget()
    yield
    pretrained.forget()


def fit(fold: Fold, depth: int, **changes: float | str) -> Result:
    setting = make_setting({**DEFAULTS, **changes})
    [result] = DeepFeatures().evaluate("depth", [setting], [depth], [fold], Device())
    return result


def forty() -> Fold:
    data = registry.load("digits")
    return Splits(data, Split(train_limit=40, train_fraction=1), 0).measuring(0)


def test_forty_digits_are_enough_to_be_far_above_chance() -> None:
    fold = forty()
    result = fit(fold, 2, epochs=8, filters=16)
    assert result.predictions is not None, result.error
    assert scoring.scores(result.predictions, fold.y_score)["error"] < 0.3


def test_a_network_that_would_know_the_test_is_refused() -> None:
    result = fit(forty(), 1, pretrained="digits")
    assert result.outcome is Outcome.CRASHED
    assert "40 of the 40 training images are digits's own" in result.error
    assert "would know the test" in result.error


def test_a_pretrained_network_is_trained_once_and_paid_for_each_time() -> None:
    first, second = (fit(tiny_images(), 1, pretrained="digits") for _ in range(2))
    [kept] = pretrained._cache.values()
    assert second.standalone_seconds >= kept.seconds
    assert first.standalone_seconds >= kept.seconds
    assert first.predictions is not None
    assert second.predictions is not None
    assert first.predictions.tobytes() == second.predictions.tobytes()
    pretrained.forget()
    again = fit(tiny_images(), 1, pretrained="digits")
    assert again.predictions is not None
    assert again.predictions.tobytes() == first.predictions.tobytes()


def test_no_more_networks_are_kept_than_a_search_needs() -> None:
    for filters in range(1, 11):
        fit(tiny_images(), 1, pretrained="digits", filters=filters, epochs=1, batch_size=1024)
    assert len(pretrained._cache) == 8


def test_another_number_of_channels_and_another_size_go_in() -> None:
    fold = tiny_images()

    def wide(x: np.ndarray) -> np.ndarray:
        return np.repeat(np.pad(x, ((0, 0), (0, 0), (2, 2), (5, 5))), 3, axis=1)

    fold = replace(fold, x=wide(fold.x), x_score=wide(fold.x_score))
    for grid in (1, 2, 4):
        model = DeepFeatures().train(
            {**DEFAULTS, "pretrained": "digits", "depth": 3, "grid": grid}, fold, Device()
        )
        assert model.maker(fold.x).shape == (60, 8 * grid * grid)


def test_a_kept_network_is_cut_at_any_of_its_depths(tmp_path: Path) -> None:
    fold = tiny_images()
    kept = DeepFeatures().train({**DEFAULTS, "depth": 4}, fold, Device())
    saved.save(kept, tmp_path / "model", {})
    name = f"model:{tmp_path / 'model'}"
    whole, cut = (
        DeepFeatures().train({**DEFAULTS, "depth": d, "pretrained": name}, fold, Device())
        for d in (4, 2)
    )
    assert whole.predict(fold.x_score).tobytes() == kept.predict(fold.x_score).tobytes()
    # Of its four convolutions two are of 4 filters, and two of 8.
    assert cut.maker(fold.x).shape == (60, 4 * 16)
    cut.save(tmp_path)
    assert DeepModel.load(tmp_path).predict(fold.x).tobytes() == cut.predict(fold.x).tobytes()
    assert "has 4 convolutions; depth is 5" in fit(fold, 5, pretrained=name).error


def test_tables_are_refused() -> None:
    said = DeepFeatures().problem_with(tiny_table().x, 3)
    assert "needs images" in str(said)


def test_damaged_weights_are_refused(tmp_path: Path) -> None:
    DeepFeatures().train({**DEFAULTS, "depth": 1}, tiny_images(), Device()).save(tmp_path)
    DeepModel.load(tmp_path)
    (tmp_path / "layers.safetensors").write_bytes(b"no tensors")
    with pytest.raises(ValueError, match="can't be read as safetensors"):
        DeepModel.load(tmp_path)
