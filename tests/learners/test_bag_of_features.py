"""Features made by hand tell digits apart, follow from their own image, and see no test."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tuner import scoring
from tuner.datasets import registry
from tuner.datasets.base import Fold
from tuner.datasets.splits import Splits
from tuner.learners.bag_of_features import BagModel, BagOfFeatures
from tuner.learners.base import Device, Result
from tuner.learners.features.descriptors import VALUES, describe, places
from tuner.learners.features.gradients import planes, pooled, windows
from tuner.learners.features.hog import hog
from tuner.learners.features.words import count_words, learn_codebook
from tuner.record import Outcome, make_setting
from tuner.spec import Split
from tuner.testing import tiny_images, tiny_table

DEFAULTS = {
    "features": "both",
    "classifier": "svm",
    "C": 10.0,
    "kernel": "linear",
    "trees": 20,
    "pyramid": True,
}


def fit(fold: Fold, words: int, **changes: float | str) -> Result:
    setting = make_setting({**DEFAULTS, **changes})
    [result] = BagOfFeatures().evaluate("words", [setting], [words], [fold], Device())
    return result


def error(fold: Fold, result: Result) -> float:
    assert result.outcome is Outcome.COMPLETED, result.error
    assert result.predictions is not None
    return scoring.scores(result.predictions, fold.y_score)["error"]


@pytest.fixture(scope="module")
def forty() -> Fold:
    data = registry.load("digits")
    return Splits(data, Split(train_limit=40, train_fraction=1), 0).measuring(0)


@pytest.mark.parametrize("classifier", ["svm", "forest"])
def test_forty_digits_are_enough_to_be_far_above_chance(forty: Fold, classifier: str) -> None:
    assert error(forty, fit(forty, 128, classifier=classifier)) < 0.3


def test_more_words_tell_more(forty: Fold) -> None:
    few, many = (fit(forty, words, features="words") for words in (2, 128))
    assert error(forty, many) + 0.1 < error(forty, few)


def test_a_pixels_gradient_is_divided_between_directions_and_cells_without_loss() -> None:
    x = np.random.default_rng(0).normal(size=(3, 2, 12, 12)).astype(np.float32)
    found = planes(x, 9, signed=False)
    assert found.shape == (3, 9, 12, 12)
    across = x[0, :, 5, 6] - x[0, :, 5, 4], x[0, :, 6, 5] - x[0, :, 4, 5]
    assert found[0, :, 5, 5].sum() == pytest.approx(np.hypot(*across).max(), rel=1e-5)
    cells = windows(np.arange(4) * 3 + 1.5, 3, 12)
    # Between the outer cells' centres each pixel counts as one in all.
    np.testing.assert_allclose(cells.sum(axis=0)[2:10], 1, atol=1e-6)
    assert pooled(found, cells, cells).shape == (3, 9, 4, 4)


@pytest.mark.parametrize("side", [4, 8, 28, 33, 224])
def test_images_of_any_size_have_features_of_length_one(side: int) -> None:
    x = np.random.default_rng(0).normal(size=(4, 3, side, side + 1)).astype(np.float32)
    np.testing.assert_allclose(np.linalg.norm(hog(x), axis=1), 1, rtol=1e-4)
    down, across = places(side, side + 1)
    assert describe(x).shape == (4, down, across, VALUES)
    codebook = learn_codebook(x, 4, 0, Device())
    for pyramid, values in ((True, 20), (False, 4)):
        counted = count_words(x, codebook, pyramid=pyramid)
        assert counted.shape == (4, values)
        np.testing.assert_allclose(np.linalg.norm(counted, axis=1), 1, rtol=1e-4)


def test_a_flat_image_has_features_too() -> None:
    x = np.ones((2, 1, 8, 8), dtype=np.float32)
    assert not hog(x).any()
    codebook = np.random.default_rng(0).normal(size=(4, VALUES)).astype(np.float32)
    assert np.isfinite(count_words(x, codebook, pyramid=True)).all()


def test_nothing_is_learnt_from_what_is_scored() -> None:
    fold = tiny_images()
    setting = {**DEFAULTS, "words": 8}
    one = BagOfFeatures().train(setting, fold, Device())
    other = BagOfFeatures().train(setting, replace(fold, x_score=fold.x_score * 9), Device())
    assert one.maker.codebook.tobytes() == other.maker.codebook.tobytes()
    assert one.maker.spread == other.maker.spread


def test_more_words_than_descriptors_are_refused_in_plain_words() -> None:
    result = fit(tiny_images(n=6), 1_000)
    assert result.outcome is Outcome.CRASHED
    assert "1000 words need as many descriptors" in result.error
    assert "6 images of 8 by 8 pixels have 150" in result.error


def test_tables_and_specks_are_refused() -> None:
    learner = BagOfFeatures()
    assert "this is a table of shape" in str(learner.problem_with(tiny_table().x, 3))
    tiny = np.zeros((5, 1, 3, 8), dtype=np.float32)
    assert "4 by 4 pixels or more; these are 3 by 8" in str(learner.problem_with(tiny, 3))


@pytest.mark.parametrize("classifier", ["svm", "forest"])
def test_a_class_that_the_fold_lacks_has_probability_zero(classifier: str) -> None:
    fold = tiny_images()
    present = fold.y != 1
    fold = replace(fold, x=fold.x[present], y=fold.y[present])
    result = fit(fold, 4, classifier=classifier)
    assert result.predictions is not None
    assert (result.predictions[:, 1] == 0).all()
    assert "of one class" in fit(replace(fold, y=np.zeros_like(fold.y)), 4).error


def test_a_codebook_of_another_classifier_is_refused(tmp_path: Path) -> None:
    fold = tiny_images()
    for name, words in (("a", 4), ("b", 8)):
        (tmp_path / name).mkdir()
        BagOfFeatures().train({**DEFAULTS, "words": words}, fold, Device()).save(tmp_path / name)
    (tmp_path / "a" / "codebook.safetensors").replace(tmp_path / "b" / "codebook.safetensors")
    with pytest.raises(ValueError, match="of other features"):
        BagModel.load(tmp_path / "b")
