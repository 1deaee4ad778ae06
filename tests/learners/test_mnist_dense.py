"""On all of MNIST a multilayer perceptron is as good as is known of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tuner import scoring
from tuner.datasets import registry
from tuner.datasets.base import Fold, Request
from tuner.learners.base import Device
from tuner.learners.mlp import Mlp
from tuner.record import make_setting
from tuner.search.tuning import default_setting
from tuner.spec import Search

MNIST = Path(__file__).parents[3] / "shared" / "data" / "mnist"


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.skipif(not MNIST.is_dir(), reason="MNIST's files aren't beside the repository")
def test_a_multilayer_perceptron_errs_on_less_than_2_2_percent() -> None:
    data = registry.load("idx", Request(MNIST))
    assert data.x_test is not None
    assert data.y_test is not None
    fold = Fold(0, 0, data.x, data.y, data.x_test, data.y_test, len(data.classes))
    setting = dict(default_setting(Search("mlp", axis="epochs").ranges()))
    setting |= {"units": 512, "dropout": 0.3}
    setting.pop("epochs", None)
    for result in Mlp().evaluate("epochs", [make_setting(setting)], (2, 5), [fold], Device()):
        assert result.predictions is not None, result.error
        error = scoring.scores(result.predictions, fold.y_score)["error"]
        print(f"{result.member.level} epochs: {error:.4f}, {result.standalone_seconds:.0f} s")
    assert error < 0.022
