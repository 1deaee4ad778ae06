"""On MNIST the networks are as good as promised."""

from __future__ import annotations

from pathlib import Path

import pytest

from tuner import scoring
from tuner.datasets import registry
from tuner.datasets.base import Request
from tuner.datasets.splits import Splits
from tuner.learners.base import Device
from tuner.learners.cnn import Cnn
from tuner.record import make_setting
from tuner.search.tuning import default_setting
from tuner.spec import Search, Split

MNIST = Path(__file__).parents[3] / "shared" / "data" / "mnist"


@pytest.mark.slow
@pytest.mark.skipif(not MNIST.is_dir(), reason="MNIST's IDX files aren't beside the repository")
def test_the_best_level_errs_on_less_than_three_percent() -> None:
    data = registry.load("idx", Request(MNIST))
    fold = Splits(data, Split(train_limit=6000), 0).measuring(0)
    setting = default_setting(Search("cnn", axis="depth").ranges())
    errors = {}
    for result in Cnn().evaluate("depth", [setting], (1, 4), [fold], Device()):
        assert result.predictions is not None, result.error
        found = scoring.scores(result.predictions, fold.y_score)
        errors[result.member.level] = found["error"]
    assert errors[4] < 0.03
    assert errors[4] < errors[1] - 0.02


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.skipif(not MNIST.is_dir(), reason="MNIST's IDX files aren't beside the repository")
def test_on_all_images_a_cnn_errs_on_less_than_one_percent() -> None:
    """Four epochs at depth 4: two minutes on one core, 1.2 GB with the data."""
    fold = Splits(registry.load("idx", Request(MNIST)), Split(), 0).measuring(0)
    setting = dict(default_setting(Search("cnn", axis="depth").ranges()))
    setting |= {"epochs": 4, "learning_rate": 0.01}
    [result] = Cnn().evaluate("depth", [make_setting(setting)], (4,), [fold], Device())
    assert result.predictions is not None, result.error
    assert scoring.scores(result.predictions, fold.y_score)["error"] < 0.01
