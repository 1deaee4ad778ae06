"""On MNIST the classical learners are as good as is known of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tuner import scoring
from tuner.datasets import registry as sources
from tuner.datasets.base import Data, Fold, Request
from tuner.learners import registry, samples
from tuner.learners.base import Device
from tuner.record import make_setting
from tuner.search.tuning import default_setting
from tuner.spec import Search

MNIST = Path(__file__).parents[3] / "shared" / "data" / "mnist"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(not MNIST.is_dir(), reason="MNIST's files aren't beside the repository"),
]


@pytest.fixture(scope="module")
def mnist() -> Data:
    return sources.load("idx", Request(MNIST))


def error(data: Data, name: str, axis: str, level: int, **changes: float | str) -> float:
    """Returns the error on the 10,000 of the test of one fit on all 60,000, or on a part."""
    assert data.x_test is not None
    assert data.y_test is not None
    fold = Fold(0, 0, data.x, data.y, data.x_test, data.y_test, len(data.classes))
    defaults = dict(default_setting(Search(name, axis=axis).ranges()))
    setting = make_setting({**defaults, **changes})
    packet = ([setting], [level], [fold], Device(threads=2))
    [result] = samples.evaluate(registry.get(name), axis, *packet)
    assert result.predictions is not None, result.error
    found = scoring.scores(result.predictions, fold.y_score)["error"]
    print(f"{name} {axis} {level}: error {found:.4f}, {result.standalone_seconds:.0f} s")
    return found


def test_a_forest_of_256_trees_errs_on_less_than_3_2_percent(mnist: Data) -> None:
    assert error(mnist, "forest", "trees", 256, max_features=0.036) < 0.032


def test_an_rbf_machine_on_10_000_images_errs_on_less_than_4_5_percent(mnist: Data) -> None:
    assert error(mnist, "svm", "samples", 10_000, C=5.0) < 0.045
