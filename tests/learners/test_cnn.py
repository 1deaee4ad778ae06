"""The network is a plain stack of the depth asked for, trains at any, and leaves no trace."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from tuner import scoring
from tuner.datasets import registry
from tuner.datasets.base import Fold
from tuner.datasets.splits import Splits
from tuner.learners.base import Device, Result
from tuner.learners.cnn import Cnn
from tuner.learners.nets import learner
from tuner.learners.nets.plain import GRID, layers_by_stage, plain_net
from tuner.learners.nets.training import rate_at
from tuner.record import Outcome, Value, make_setting
from tuner.spec import Split
from tuner.testing import tiny_images, tiny_table

QUICK: dict[str, Value] = {
    "learning_rate": 3e-3,
    "weight_decay": 1e-3,
    "dropout": 0.1,
    "filters": 8,
    "epochs": 4,
    "batch_size": 64,
}


def fit(fold: Fold, depth: int, **changes: Value) -> Result:
    setting = make_setting({**QUICK, **changes})
    (result,) = Cnn().evaluate("depth", [setting], (depth,), [fold], Device())
    return result


@given(st.integers(1, 300), st.integers(1, 512))
def test_every_layer_has_its_place(depth: int, size: int) -> None:
    stages = layers_by_stage(depth, size)
    assert sum(stages) == depth
    smallest = size // 2 ** (len(stages) - 1)
    assert smallest >= min(GRID, size)
    assert smallest < 2 * GRID or len(stages) == 1
    assert len(stages) == len(layers_by_stage(1, size)), "depth changes the resolution"
    if depth >= len(stages):
        assert max(stages) - min(stages) <= 1


def test_the_stages_of_known_images() -> None:
    assert [layers_by_stage(d, 8) for d in (1, 2, 4, 8)] == [(1, 0), (1, 1), (2, 2), (4, 4)]
    assert [layers_by_stage(d, 28) for d in (1, 2, 4, 8)] == [
        (1, 0, 0),
        (1, 1, 0),
        (1, 1, 2),
        (2, 3, 3),
    ]


@pytest.mark.parametrize(
    "shape", [(1, 8, 8), (3, 28, 28), (1, 1, 1), (2, 3, 17), (4, 5, 9), (1, 9, 33)]
)
@pytest.mark.parametrize("depth", [1, 3, 7])
def test_any_image_and_depth_give_a_plain_stack(shape: tuple[int, int, int], depth: int) -> None:
    net = plain_net(shape, 5, depth=depth, filters=3, dropout=0.5, seed=1, device="cpu")
    convolutions = [m for m in net if isinstance(m, nn.Conv2d)]
    assert len(convolutions) == depth
    assert sum(isinstance(m, nn.BatchNorm2d) for m in net) == depth
    assert convolutions[0].out_channels == 3
    logits = net(torch.zeros(2, *shape))
    assert logits.shape == (2, 5)
    assert torch.isfinite(logits).all()


@given(st.integers(1, 5_000))
def test_the_schedule_rises_to_its_peak_and_falls(steps: int) -> None:
    rates = [rate_at(step, steps) for step in range(steps)]
    assert max(rates) <= 1
    assert min(rates) > 0
    top = int(np.argmax(rates))
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)
    if steps >= 10:
        assert rates[top] == 1
        assert rates[-1] < 0.2


def test_it_learns_digits_at_depth_8_too_and_depth_helps() -> None:
    fold = Splits(registry.load("digits"), Split(), 0).measuring(0)
    errors = {}
    for depth in (1, 2, 8):
        result = fit(fold, depth)
        assert result.predictions is not None
        errors[depth] = scoring.scores(result.predictions, fold.y_score)["error"]
    assert errors[8] < 0.05
    assert errors[2] < errors[1]


def test_a_table_is_refused_with_what_would_do() -> None:
    fold = tiny_table()
    problem = Cnn().problem_with(fold.x, fold.classes)
    assert problem is not None
    assert "this is a table of shape (60, 5). Use forest or perceptron" in problem
    result = fit(fold, 2)
    assert (result.outcome, result.error) == (Outcome.CRASHED, problem)


def test_scale_and_shift_of_a_channel_do_not_matter() -> None:
    fold = tiny_images()
    moved = replace(fold, x=fold.x * 16 + 64, x_score=fold.x_score * 16 + 64)
    one, other = fit(fold, 2), fit(moved, 2)
    assert one.predictions is not None
    assert other.predictions is not None
    np.testing.assert_allclose(one.predictions, other.predictions, atol=1e-3)


def test_a_channel_of_one_colour_does_no_harm() -> None:
    fold = tiny_images()
    blank = replace(
        fold,
        x=np.concatenate([fold.x, np.ones_like(fold.x)], axis=1),
        x_score=np.concatenate([fold.x_score, np.ones_like(fold.x_score)], axis=1),
    )
    assert fit(blank, 2).outcome is Outcome.COMPLETED


def test_a_last_batch_of_one_example_does_no_harm() -> None:
    fold = tiny_images(n=33)
    point = replace(fold, x=fold.x[:, :, :1, :1], x_score=fold.x_score[:, :, :1, :1])
    assert fit(point, 2, batch_size=8).outcome is Outcome.COMPLETED


def test_parameters_are_counted() -> None:
    features = 8 * GRID * GRID
    assert fit(tiny_images(), 1).parameters == 8 * 9 + 2 * 8 + features * 3 + 3


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"),
        MemoryError(),
    ],
)
def test_exhausted_memory_is_an_outcome(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def exhausted(*_: object) -> None:
        raise error

    fit(tiny_images(), 1)
    monkeypatch.setattr(learner, "train", exhausted)
    assert fit(tiny_images(), 1).outcome is Outcome.OUT_OF_MEMORY


def test_the_machines_memory_really_runs_out_as_torch_says() -> None:
    # A petabyte: torch's own words, on which the outcome rests.
    with pytest.raises(RuntimeError, match="DefaultCPUAllocator"):
        torch.empty(2**48)


def test_threads_are_given_back_after_a_failure() -> None:
    before = torch.get_num_threads()
    setting = make_setting({**QUICK, "learning_rate": math.inf})
    device = Device(threads=before + 1)
    (result,) = Cnn().evaluate("depth", [setting], (2,), [tiny_images()], device)
    assert result.outcome is Outcome.DIVERGED
    assert "the loss is nan" in result.error
    assert torch.get_num_threads() == before


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no accelerator here")
def test_it_trains_on_an_accelerator() -> None:
    setting = make_setting(QUICK)
    (result,) = Cnn().evaluate("depth", [setting], (4,), [tiny_images(n=300)], Device("cuda"))
    assert result.outcome is Outcome.COMPLETED, result.error
    assert result.predictions is not None
    assert scoring.scores(result.predictions, tiny_images(n=300).y_score)["error"] < 0.2
