"""The network is He et al.'s of 6n + 2 layers, on images of any size."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tuner import scoring
from tuner.datasets import registry
from tuner.datasets.splits import Splits
from tuner.learners import saved
from tuner.learners.base import Device
from tuner.learners.nets.kept import Architecture
from tuner.learners.nets.residual import Block, residual_layers
from tuner.learners.resnet import ResNet
from tuner.record import Outcome, Value, make_setting
from tuner.spec import Split
from tuner.testing import tiny_images, tiny_table

QUICK: dict[str, Value] = {
    "learning_rate": 1e-2,
    "weight_decay": 1e-3,
    "preactivation": False,
    "filters": 8,
    "epochs": 4,
    "batch_size": 64,
}


def layers(depth: int, filters: int = 16, *, preactivation: bool = False) -> nn.Sequential:
    return residual_layers(
        (3, 32, 32), 10, depth=depth, filters=filters, preactivation=preactivation
    )


def size(net: nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


@pytest.mark.parametrize("preactivation", [False, True])
@pytest.mark.parametrize("n", [1, 2, 3, 9])
def test_it_has_6n_plus_2_layers_with_weights(n: int, preactivation: bool) -> None:
    net = layers(6 * n + 2, 2, preactivation=preactivation)
    weighted = [m for m in net.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    assert len(weighted) == 6 * n + 2


@pytest.mark.parametrize(("depth", "millions"), [(20, 0.27), (32, 0.46), (56, 0.85), (110, 1.7)])
def test_parameters_are_as_many_as_in_the_paper(depth: int, millions: float) -> None:
    """He et al. 2015, table 6."""
    digits = 1 if millions > 1 else 2
    assert round(size(layers(depth)) / 1e6, digits) == millions


@pytest.mark.parametrize("depth", [1, 2, 7, 9, 10, 12])
def test_another_depth_is_refused(depth: int) -> None:
    with pytest.raises(ValueError, match=f"6n . 2 layers, 8 or more; {depth} isn't one"):
        layers(depth)


@pytest.mark.parametrize("preactivation", [False, True])
@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 1, 1), (2, 3, 17), (1, 28, 28)])
def test_any_image_goes_through(shape: tuple[int, int, int], preactivation: bool) -> None:
    options = {"depth": 8, "filters": 2, "preactivation": preactivation}
    net = Architecture("residual", shape, 5, options).build(1, "cpu")
    logits = net(torch.randn(4, *shape, generator=torch.Generator().manual_seed(1)))
    assert logits.shape == (4, 5)
    assert torch.isfinite(logits).all()


@pytest.mark.parametrize("stride", [1, 2])
def test_where_nothing_is_learnt_preactivation_lets_the_input_through(stride: int) -> None:
    """With its last convolution at 0 a block is its shortcut; without preactivation, its ReLU."""
    x = torch.randn(2, 3, 5, 5, generator=torch.Generator().manual_seed(1))
    way = torch.zeros(2, 6, -(-5 // stride), -(-5 // stride))
    way[:, :3] = x[:, :, ::stride, ::stride]
    for preactivation, expected in ((True, way), (False, way.clamp(min=0))):
        block = Block(3, 6, stride, preactivation=preactivation).eval()
        nn.init.zeros_(block.second.weight)
        torch.testing.assert_close(block(x), expected, rtol=0, atol=0)


def test_preactivation_is_another_network_that_learns_too() -> None:
    fold = Splits(registry.load("digits"), Split(train_limit=600), 0).measuring(0)
    settings = [make_setting({**QUICK, "preactivation": pre}) for pre in (False, True)]
    found = list(ResNet().evaluate("depth", settings, (8,), [fold], Device()))
    for result in found:
        assert result.outcome is Outcome.COMPLETED, result.error
        assert result.predictions is not None
        assert scoring.scores(result.predictions, fold.y_score)["error"] < 0.15
    one, other = (result.predictions for result in found)
    assert one is not None
    assert other is not None
    assert (one != other).any()


def test_a_depth_that_is_none_is_its_members_outcome() -> None:
    [result] = ResNet().evaluate("depth", [make_setting(QUICK)], (10,), [tiny_images()], Device())
    assert result.outcome is Outcome.CRASHED
    assert "10 isn't one" in result.error


def test_a_table_is_refused_by_its_own_name() -> None:
    fold = tiny_table()
    assert str(ResNet().problem_with(fold.x, fold.classes)).startswith("resnet needs images")


def test_a_kept_network_that_was_tampered_with_is_refused(tmp_path) -> None:
    model = ResNet().train({**QUICK, "depth": 8, "epochs": 1}, tiny_images(), Device())
    with pytest.raises(ValueError, match=r"of shape \(5,\); this network was trained on \(1, 8, 8"):
        model.predict(tiny_table().x)
    saved.save(model, tmp_path / "model", {})
    about = tmp_path / "model" / "architecture.json"
    text = about.read_text()
    for old, new, problem in (
        ('"depth": 8', '"depth": 14', "isn't of the network beside it"),
        ('"depth": 8', '"depth": 9', "9 isn't one"),
        ('"depth": 8', '"depth": 1e99', "sizes of a network"),
        ('"depth": 8', '"wings": 8', "aren't built of that"),
        ('"residual"', '"os"', "there is no network 'os'"),
        ("{", "", "holds no network that can be read"),
    ):
        about.write_text(text.replace(old, new, 1))
        with pytest.raises(ValueError, match=problem):
            saved.load(tmp_path / "model")
