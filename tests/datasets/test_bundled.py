"""The data sets that come with the library are what the catalog says."""

from __future__ import annotations

import numpy as np
import pytest

from tuner.datasets import registry
from tuner.datasets.base import DataError, Request


@pytest.mark.parametrize(
    ("source", "shape", "classes"),
    [
        ("breast_cancer", (569, 30), ("benign", "malignant")),
        ("wine", (178, 13), ("class_0", "class_1", "class_2")),
        ("iris", (150, 4), ("setosa", "versicolor", "virginica")),
    ],
)
def test_tables_have_their_names(
    source: str, shape: tuple[int, int], classes: tuple[str, ...]
) -> None:
    data = registry.load(source)
    assert data.x.shape == shape
    assert data.classes == classes
    assert len(data.features) == shape[1]
    assert data.digest == registry.load(source).digest
    assert data.x_test is None


def test_what_holds_classes_predicts_no_numbers() -> None:
    with pytest.raises(DataError, match="iris: holds classes; task: regression predicts numbers"):
        registry.load("iris", Request(task="regression"))


def test_xor_is_told_by_no_line_and_by_the_product_of_the_signs() -> None:
    data = registry.load("xor")
    assert data.x.shape == (1000, 2)
    same = (data.x.prod(axis=1) > 0).astype(int)
    np.testing.assert_array_equal(same, data.y)
    assert data.classes == ("different", "same")
    # No line parts them: along every direction both classes have the same mean.
    assert np.abs(data.x[data.y == 0].mean(axis=0) - data.x[data.y == 1].mean(axis=0)).max() < 0.05
    assert registry.load("xor").digest == data.digest


def test_xor_is_as_large_and_as_noisy_as_is_asked() -> None:
    noisy = registry.load("xor", Request(options={"n": "4000", "noise": "1"}))
    wrong = ((noisy.x.prod(axis=1) > 0).astype(int) != noisy.y).mean()
    assert len(noisy.x) == 4000
    assert wrong == pytest.approx(2 * 0.1587 * 0.8413, abs=0.03)
    exact = registry.load("xor", Request(options={"noise": "0"}))
    assert set(np.unique(exact.x)) == {-1.0, 1.0}
