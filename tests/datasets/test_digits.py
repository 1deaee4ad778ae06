"""The digits are what the catalog says, and the registry knows what the catalog knows."""

from __future__ import annotations

import numpy as np

from tuner import catalog
from tuner.datasets import registry


def test_digits_are_small_images_between_0_and_1() -> None:
    data = registry.load("digits")
    assert data.x.shape == (1797, 1, 8, 8)
    assert data.x.dtype == np.float32
    assert (data.x.min(), data.x.max()) == (0.0, 1.0)
    assert data.classes == tuple("0123456789")
    assert data.x_test is None
    assert data.digest == registry.load("digits").digest


def test_every_source_of_the_catalog_can_be_loaded() -> None:
    assert set(registry.names()) == set(catalog.SOURCES)
