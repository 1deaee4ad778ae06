"""Boltzmann machines learn what the data looks like; a stack grows without moving what is below."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch

from tuner.learners import arrays, saved
from tuner.learners.base import Device
from tuner.learners.nets.boltzmann import Layer, Learning, stack, train_layer
from tuner.learners.rbm import Rbm, RbmModel
from tuner.testing import tiny_images, tiny_table

SETTING = {
    "learning_rate": 0.1,
    "C": 1.0,
    "algorithm": "contrastive",
    "weight_decay": 1e-4,
    "units": 6,
    "depth": 2,
    "epochs": 5,
    "batch_size": 16,
}


def stripes(n: int, seed: int = 0) -> torch.Tensor:
    """Returns rows of 8 whose left and right half are on or off, each as one."""
    halves = np.random.default_rng(seed).integers(0, 2, size=(n, 2))
    return torch.from_numpy(np.repeat(halves, 4, axis=1).astype(np.float32))


def likelihood(layer: Layer, visible: torch.Tensor, x: torch.Tensor) -> float:
    """Returns the mean log-likelihood of x, exactly: all 256 visible states are summed over."""

    def log_weight(v: torch.Tensor) -> torch.Tensor:
        inside = v @ layer.weights.T + layer.bias
        return v @ visible + torch.nn.functional.softplus(inside).sum(dim=1)

    states = torch.tensor(list(itertools.product([0.0, 1.0], repeat=8)))
    return float(log_weight(x).mean() - log_weight(states).logsumexp(dim=0))


@pytest.mark.parametrize(("persistent", "rate", "passes"), [(False, 0.02, 20), (True, 0.05, 60)])
def test_what_a_machine_dreams_of_becomes_the_data(
    persistent: bool, rate: float, passes: int
) -> None:
    x = stripes(400)
    found = []
    for epochs in (0, passes):
        how = Learning(epochs, 20, rate, 1e-4, persistent)
        found.append(likelihood(*train_layer(x, 4, how, 0, Device()), x))
    # Eight coins are log(1/256) = -5.5; of four patterns nobody knows better than -1.4.
    assert found[0] == pytest.approx(-5.5, abs=0.1)
    assert -4.5 < found[1] < -1.3


def test_a_layer_on_top_leaves_those_below_as_they_were() -> None:
    how = Learning(3, 20, 0.1, 1e-4, False)
    low = stack(stripes(60), [5], how, 3, Device())
    high = stack(stripes(60), [5, 4], how, 3, Device())
    assert [layer.weights.shape for layer in high] == [(5, 8), (4, 5)]
    assert torch.equal(low[0].weights, high[0].weights)
    assert torch.equal(low[0].bias, high[0].bias)


def test_what_lies_outside_of_the_training_range_is_clipped() -> None:
    fold = tiny_table()
    model = Rbm().train(SETTING, fold, Device())
    far = np.where(fold.x_score > fold.x.mean(axis=0), 1e6, -1e6).astype(np.float32)
    edge = np.where(far > 0, fold.x.max(axis=0), fold.x.min(axis=0)).astype(np.float32)
    np.testing.assert_allclose(model.predict(far), model.predict(edge), atol=1e-6)


def test_a_class_that_training_lacks_is_never_foretold() -> None:
    fold = tiny_images()
    for kept in ([0, 2], [1]):
        rows = np.isin(fold.y, kept)
        part = type(fold)(0, 0, fold.x[rows], fold.y[rows], fold.x_score, fold.y_score, 3)
        found = Rbm().train(SETTING, part, Device()).predict(fold.x_score)
        assert (np.delete(found, kept, axis=1) == 0).all()
        np.testing.assert_allclose(found.sum(axis=1), 1)


@pytest.mark.parametrize("missing", ["low", "top.bias", "0.weights", "1.bias"])
def test_a_damaged_model_is_refused(tmp_path: Path, missing: str) -> None:
    saved.save(Rbm().train(SETTING, tiny_table(), Device()), tmp_path / "model", {})
    file = tmp_path / "model" / "rbm.safetensors"
    held = arrays.read_any(file)
    for spoilt in (
        {name: array for name, array in held.items() if name != missing},
        {**held, missing: np.zeros((7, 7, 7), dtype=np.float32)},
        {**held, "more": np.zeros(3)},
    ):
        arrays.write(file, spoilt)
        with pytest.raises(ValueError, match="damaged"):
            RbmModel.load(tmp_path / "model")
