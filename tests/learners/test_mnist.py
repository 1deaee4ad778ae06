"""On MNIST the default network is as good as promised."""

from __future__ import annotations

from pathlib import Path

import pytest

from tuner import scoring
from tuner.datasets import registry
from tuner.datasets.base import Request
from tuner.datasets.splits import Splits
from tuner.learners.base import Device
from tuner.learners.cnn import Cnn
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
