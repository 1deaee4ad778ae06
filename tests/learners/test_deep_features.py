"""A network's features carry over to other data, at a cost that is told, and know no test."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from tuner import scoring
from tuner.catalog import Value
from tuner.datasets import registry
from tuner.datasets.base import Fold
from tuner.datasets.splits import Splits
from tuner.learners import registry as learners
from tuner.learners import saved
from tuner.learners.base import Device, Learner, Model, Result
from tuner.learners.cnn import Cnn
from tuner.learners.deep_features import DeepFeatures, DeepModel
from tuner.learners.features import pretrained
from tuner.learners.features.layers import Layers
from tuner.learners.resnet import ResNet
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


def cut_from(model: Model, depth: int, fold: Fold) -> DeepModel:
    setting = {**DEFAULTS, "depth": depth, "pretrained": "kept"}
    return DeepFeatures().with_model(model).train(setting, fold, Device())


def test_a_kept_network_is_cut_at_any_of_its_depths(tmp_path: Path) -> None:
    fold = tiny_images()
    kept = DeepFeatures().train({**DEFAULTS, "depth": 4}, fold, Device())
    saved.save(kept, tmp_path / "model", {})
    again = saved.load(tmp_path / "model")
    whole, cut = (cut_from(again, depth, fold) for depth in (4, 2))
    assert whole.predict(fold.x_score).tobytes() == kept.predict(fold.x_score).tobytes()
    # Of its four convolutions two are of 4 filters, and two of 8.
    assert cut.maker(fold.x).shape == (60, 4 * 16)
    cut.save(tmp_path)
    assert DeepModel.load(tmp_path).predict(fold.x).tobytes() == cut.predict(fold.x).tobytes()
    learner = DeepFeatures().with_model(again)
    assert learner.problem_with_levels({"depth": (1, 4)}) is None
    said = str(learner.problem_with_levels({"depth": (1, 5)}))
    assert "has 4 convolutions; depth is 5" in said
    setting = make_setting({**DEFAULTS, "pretrained": "kept"})
    [result] = learner.evaluate("depth", [setting], [5], [fold], Device())
    assert said in result.error


@pytest.mark.parametrize(
    ("learner", "more", "cuts"),
    [
        (Cnn(), {"depth": 3, "dropout": 0.0}, (1, 2, 3)),
        # One layer where images are halved once: what stands before the head is of it.
        (Cnn(), {"depth": 1, "dropout": 0.0}, (1,)),
        (ResNet(), {"depth": 8, "preactivation": False}, (1, 3, 5, 7)),
        (ResNet(), {"depth": 8, "preactivation": True}, (1, 3, 5, 7)),
    ],
    ids=["cnn", "shallow cnn", "resnet", "preactivation"],
)
def test_other_kept_networks_are_cut_where_they_can_be(
    learner: Learner, more: dict[str, Value], cuts: tuple[int, ...], tmp_path: Path
) -> None:
    fold = tiny_images()
    known = {name: entry.default for name, entry in learner.entry.hyperparameters.items()}
    quick = {"filters": 2, "epochs": 1, "batch_size": 256}
    net = learner.train({**known, **quick, **more}, fold, Device())
    saved.save(net, tmp_path / "net", {})
    kept = saved.load(tmp_path / "net")
    assert Layers.of(kept).cuts == cuts
    for depth in cuts:
        model = cut_from(kept, depth, fold)
        assert len(model.maker(fold.x)) == 60
        saved.save(model, tmp_path / f"{depth}", {})
        back = saved.load(tmp_path / f"{depth}")
        assert back.predict(fold.x).tobytes() == model.predict(fold.x).tobytes()
        # What was cut can be cut again.
        assert Layers.of(kept).up_to(depth).cuts == cuts[: cuts.index(depth) + 1]
        shallower = cut_from(back, cuts[0], fold).predict(fold.x)
        assert shallower.tobytes() == cut_from(kept, cuts[0], fold).predict(fold.x).tobytes()
    # All of it sees what the network's last layer saw.
    whole = Layers.of(kept).features(fold.x.copy(), 1, "cpu")
    body = nn.Sequential(*[m for m in kept.net if not isinstance(m, nn.Linear | nn.Flatten)])
    seen = body(torch.from_numpy(fold.x.copy())).mean(dim=(2, 3)).detach().numpy()
    assert whole == pytest.approx(seen / np.linalg.norm(seen, axis=1, keepdims=True), abs=1e-5)
    if isinstance(learner, ResNet):
        said = DeepFeatures().with_model(kept).problem_with_levels({"depth": (1, 2)})
        assert said == "the network can be cut after 1, 3, 5, 7 convolutions; depth is 2"


@pytest.mark.parametrize("name", ["mlp", "perceptron"])
def test_what_has_no_convolutions_is_refused(name: str) -> None:
    learner = learners.get(name)
    known = {name: entry.default for name, entry in learner.entry.hyperparameters.items()}
    model = learner.train({**known, "epochs": 1, "units": 2}, tiny_images(), Device())
    with pytest.raises(ValueError, match="no convolutions; take one of cnn"):
        DeepFeatures().with_model(model)


def test_a_kept_model_must_be_there() -> None:
    fold = tiny_images()
    assert "needs the kept model" in fit(fold, 1, pretrained="kept").error


def test_images_that_a_kept_network_makes_nothing_of_are_refused() -> None:
    fold = tiny_images()
    kept = DeepFeatures().train({**DEFAULTS, "depth": 4}, fold, Device())
    learner = DeepFeatures().with_model(kept)
    assert learner.problem_with(fold.x, 3) is None
    said = str(learner.problem_with(fold.x[:, :, :1, :1], 3))
    assert "images of 1 x 1 are too small" in said
    assert "8 x 8" in said


def test_tables_are_refused() -> None:
    said = DeepFeatures().problem_with(tiny_table().x, 3)
    assert "needs images" in str(said)


def test_damaged_weights_are_refused(tmp_path: Path) -> None:
    DeepFeatures().train({**DEFAULTS, "depth": 1}, tiny_images(), Device()).save(tmp_path)
    DeepModel.load(tmp_path)
    (tmp_path / "layers.safetensors").write_bytes(b"no tensors")
    with pytest.raises(ValueError, match="can't be read as safetensors"):
        DeepModel.load(tmp_path)
