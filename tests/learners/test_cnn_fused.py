"""Networks trained as one are what each would be alone: seeds, rates, masks, ends, costs."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tuner.datasets.base import Fold
from tuner.learners import cnn
from tuner.learners.base import Device, Result
from tuner.learners.cnn import Cnn
from tuner.learners.nets import learner, together
from tuner.learners.nets.fused import FusedNet
from tuner.learners.nets.plain import SeededDropout, plain_net
from tuner.learners.nets.together import Lesson, Stopped
from tuner.learners.nets.training import Schedule, seconds_a_step
from tuner.record import Outcome, Setting, Value, make_setting
from tuner.testing import tiny_images
from tuner.testing.probes import ExpiringDevice, bits, check_same

TOLERANCE = 1e-4
"""Two or three orders above what is seen after so few steps; see docs/measurements.md."""

QUICK: dict[str, Value] = {
    "learning_rate": 3e-3,
    "weight_decay": 1e-3,
    "dropout": 0.3,
    "filters": 4,
    "epochs": 3,
    "batch_size": 16,
}
DIVERGES = 1e30


def setting(**changes: Value) -> Setting:
    return make_setting({**QUICK, **changes})


def run(
    settings: Sequence[Setting],
    folds: Sequence[Fold],
    depth: int = 2,
    device: Device | None = None,
) -> list[Result]:
    """Returns the results in the order of settings, then folds."""
    found = Cnn().evaluate("depth", settings, (depth,), folds, device or Device())
    results = {(r.member.setting, r.member.replicate): r for r in found}
    return [results[s, f.replicate] for s in settings for f in folds]


def colourful(replicate: int, *, height: int, width: int, channels: int, n: int = 50) -> Fold:
    """Returns images of any shape with brightness by class, as a replicate's fold."""
    random = np.random.default_rng([3, replicate])
    y = random.permutation(np.arange(n) % 4)
    x = random.normal(y[:, None, None, None], 1, (n, channels, height, width)).astype(np.float32)
    return Fold(replicate, 50 + replicate, x[5:], y[5:], x[:30], y[:30], 4)


def refuse(*_: object) -> None:
    raise AssertionError("one was fitted alone")


@pytest.mark.parametrize(
    ("channels", "height", "width"), [(1, 8, 8), (3, 9, 7), (2, 1, 1), (1, 20, 5)]
)
@pytest.mark.parametrize("depth", [1, 3])
def test_any_image_and_depth_train_together(
    channels: int, height: int, width: int, depth: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    some = [setting(), setting(learning_rate=3e-2, dropout=0.0), setting(weight_decay=0.1)]
    folds = [colourful(r, height=height, width=width, channels=channels) for r in range(2)]
    lone = [run([s], [f], depth)[0] for s in some for f in folds]
    monkeypatch.setattr(Cnn, "fit", refuse)
    for found, expected in zip(run(some, folds, depth), lone, strict=True):
        assert expected.outcome is Outcome.COMPLETED
        check_same(found, expected, TOLERANCE)


@pytest.mark.parametrize("filters", [1, 3, 8, 16])
def test_a_member_that_diverges_changes_no_bit_of_the_others(filters: int) -> None:
    """No sum crosses from member to member: NaN would cross with it."""
    folds = [tiny_images(r) for r in range(2)]
    others = [setting(filters=filters), setting(filters=filters, dropout=0.0)]
    bad, good = (setting(filters=filters, learning_rate=rate) for rate in (DIVERGES, 1e-3))
    beside_bad, beside_good = run([*others, bad], folds), run([*others, good], folds)
    assert [r.outcome for r in beside_bad] == [Outcome.COMPLETED] * 4 + [Outcome.DIVERGED] * 2
    for found, expected in zip(beside_bad[:4], beside_good[:4], strict=True):
        assert bits({found.member: found}) == bits({expected.member: expected})


def test_what_diverged_says_what_it_would_alone() -> None:
    bad, fold = setting(learning_rate=DIVERGES, epochs=20), tiny_images()
    [lone] = run([bad], [fold])
    found, other = run([bad, setting(epochs=20)], [fold])
    assert lone.error == "the loss is nan in epoch 4"
    assert (found.outcome, found.error) == (lone.outcome, lone.error)
    assert other.outcome is Outcome.COMPLETED


def test_a_batch_in_which_all_have_diverged_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[float] = []
    step = together._AdamW.step
    monkeypatch.setattr(together._AdamW, "step", lambda s, at: taken.append(at) or step(s, at))
    bad = [setting(learning_rate=DIVERGES * k, epochs=30) for k in (1, 2)]
    assert {r.outcome for r in run(bad, [tiny_images()])} == {Outcome.DIVERGED}
    assert len(taken) < 30 * 4


def test_the_deadline_ends_all_that_still_train() -> None:
    some = [setting(epochs=30), setting(epochs=30, learning_rate=DIVERGES)]
    late, diverged = run(some, [tiny_images()], device=ExpiringDevice(looks=3))
    assert (late.outcome, diverged.outcome) == (Outcome.TIMED_OUT, Outcome.DIVERGED)
    # The first look is before the batch, the next ones after 16, 32 and 48 steps of 4 an epoch.
    assert late.error == "the packet's time was up after 11 of 30 epochs"


@pytest.mark.parametrize("room", [0, 1, 2, 3])
def test_out_of_memory_is_final_only_for_one_alone(
    room: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []

    def limited(run_it: Any, most: int = room) -> Any:
        def limiting(*args: Any) -> Any:
            size = len(args[3]) if isinstance(args[3], list) else 1
            sizes.append(size)
            if size > most:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
            return run_it(*args)

        return limiting

    folds = [tiny_images(r) for r in range(5)]
    run([setting()], folds[:1])  # warms up
    monkeypatch.setattr(cnn, "train_together", limited(cnn.train_together))
    monkeypatch.setattr(learner, "train", limited(learner.train))
    outcomes = {r.outcome for r in run([setting()], folds)}
    assert outcomes == {Outcome.COMPLETED if room else Outcome.OUT_OF_MEMORY}
    assert sizes[:2] == [5, 3] if room < 5 else [5]


def test_nothing_is_held_when_the_results_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[weakref.ref[FusedNet]] = []

    class Watched(FusedNet):
        def __init__(self, nets: Sequence[nn.Sequential]) -> None:
            super().__init__(nets)
            made.append(weakref.ref(self))

    monkeypatch.setattr(cnn, "FusedNet", Watched)
    results = run([setting(), setting(dropout=0.5)], [tiny_images()])
    assert len(made) == 1
    assert made[0]() is None
    assert len(results) == 2


def test_settings_on_one_replicate_share_its_data(monkeypatch: pytest.MonkeyPatch) -> None:
    shapes: list[tuple[torch.Size, int]] = []
    train_together = cnn.train_together

    def watched(
        net: FusedNet, x: Tensor, y: Tensor, lessons: Sequence[Lesson], device: Device
    ) -> list[Stopped | None]:
        shapes.append((x.shape, len(lessons)))
        return train_together(net, x, y, lessons, device)

    monkeypatch.setattr(cnn, "train_together", watched)
    some = [setting(learning_rate=rate) for rate in (1e-3, 2e-3, 3e-3)]
    run(some, [tiny_images(0), tiny_images(1)])
    assert shapes == [((2, 60, 1, 8, 8), 6)]


def test_a_cost_is_a_lone_fits_not_the_batchs(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def timed(net: nn.Module, x: Tensor, y: Tensor, schedule: Schedule, seed: int) -> float:
        asked.append(len(x))
        return 1_000.0

    monkeypatch.setattr(cnn, "seconds_a_step", timed)
    some = [setting(epochs=6), setting(epochs=6, learning_rate=DIVERGES)]
    results = run(some, [tiny_images(0), tiny_images(1)])
    assert asked == [60]
    # All 24 steps, or 16 of them, after which the loss is looked at first.
    for result, expected in zip(results, (24, 24, 16, 16), strict=True):
        steps, rest = divmod(result.standalone_seconds, 1_000)
        assert steps == expected
        assert 0 < rest < 100


@pytest.mark.parametrize(("epochs", "steps"), [(1, 1), (1, 4), (2, 6), (5, 40)])
def test_a_step_is_timed_in_any_schedule(epochs: int, steps: int) -> None:
    net = plain_net((1, 8, 8), 3, depth=1, filters=2, dropout=0.1, seed=0, device="cpu")
    x, y = torch.zeros(40, 1, 8, 8), torch.zeros(40, dtype=torch.int64)
    schedule = Schedule(
        epochs, batch_size=-(-40 * epochs // steps), learning_rate=1e-3, weight_decay=0
    )
    assert schedule.steps(40) == steps
    assert 0 < seconds_a_step(net, x, y, schedule, 0) < 10


def test_each_drops_what_it_would_alone() -> None:
    shares = (0.1, 0.0, 0.5, 0.5)
    schedule = Schedule(1, 8, 1e-3, 0.0)
    lessons = [Lesson(schedule, share, seed, 0) for seed, share in enumerate(shares)]
    dropout = together._Dropout(lessons, torch.device("cpu"))
    lone = [SeededDropout(s, torch.Generator().manual_seed(i)) for i, s in enumerate(shares)]
    x = torch.randn(33, 4, 70, generator=torch.Generator().manual_seed(1)).transpose(0, 1)
    for _ in range(3):
        for mine, theirs, features in zip(dropout(x), lone, x, strict=True):
            torch.testing.assert_close(mine, theirs(features), rtol=0, atol=0)


def test_each_has_a_rate_and_a_decay_of_its_own() -> None:
    """AdamW over the vector is torch's AdamW over each network."""
    nets = [
        plain_net((1, 8, 8), 3, depth=2, filters=2, dropout=0.0, seed=seed, device="cpu")
        for seed in range(3)
    ]
    fused = FusedNet(nets)
    schedules = [Schedule(1, 8, 1e-1, 1e-1), Schedule(1, 8, 1e-4, 0.0), Schedule(1, 8, 3e-2, 0.5)]
    ours = together._AdamW(fused, schedules)
    theirs = [
        torch.optim.AdamW(
            [
                {"params": [p for p in net.parameters() if p.ndim > 1]},
                {"params": [p for p in net.parameters() if p.ndim <= 1], "weight_decay": 0.0},
            ],
            lr=s.learning_rate,
            weight_decay=s.weight_decay,
        )
        for net, s in zip(nets, schedules, strict=True)
    ]
    read = plain_net((1, 8, 8), 3, depth=2, filters=2, dropout=0.0, seed=9, device="cpu")
    random = torch.Generator().manual_seed(5)
    for share in (0.5, 1.0, 0.2):
        weights = fused.weights.detach()
        gradients = torch.randn(len(weights), generator=random)
        # The gradient of each parameter is read as the parameter itself is.
        kept = weights.clone()
        weights.copy_(gradients)
        of_each = []
        for member in range(3):
            fused.unload(member, read)
            of_each.append([p.detach().clone() for p in read.parameters()])
        weights.copy_(kept)
        fused.weights.grad = gradients
        ours.step(share)
        for net, optimizer, s, some in zip(nets, theirs, schedules, of_each, strict=True):
            for p, gradient in zip(net.parameters(), some, strict=True):
                p.grad = gradient
            for group in optimizer.param_groups:
                group["lr"] = s.learning_rate * share
            optimizer.step()
    for member, net in enumerate(nets):
        fused.unload(member, read)
        for found, expected in zip(read.parameters(), net.parameters(), strict=True):
            torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


def test_a_network_comes_out_as_it_went_in() -> None:
    nets = [
        plain_net((2, 9, 9), 3, depth=3, filters=3, dropout=0.0, seed=seed, device="cpu")
        for seed in range(3)
    ]
    for number, net in enumerate(nets):
        for layer in net:
            if isinstance(layer, nn.BatchNorm2d):
                nn.init.constant_(layer.weight, 10 + number)
                assert layer.running_mean is not None
                layer.running_mean.fill_(number)
    fused = FusedNet(nets)
    read = plain_net((2, 9, 9), 3, depth=3, filters=3, dropout=0.0, seed=9, device="cpu")
    for member, net in enumerate(nets):
        fused.unload(member, read)
        for name, tensor in net.state_dict().items():
            torch.testing.assert_close(read.state_dict()[name], tensor, rtol=0, atol=0)


def test_folds_of_other_sizes_train_apart() -> None:
    small, large = tiny_images(0), tiny_images(1, n=70)
    results = run([setting()], [small, large])
    for result, fold in zip(results, (small, large), strict=True):
        check_same(result, run([setting()], [fold])[0], 0)


def test_the_same_replicate_under_another_number_is_the_same() -> None:
    """What a member learns follows from its fold's seed, not from its place in the batch."""
    fold = tiny_images(0)
    first, second = run([setting()], [fold, replace(fold, replicate=5)])
    assert first.predictions is not None
    assert second.predictions is not None
    np.testing.assert_allclose(first.predictions, second.predictions, rtol=0, atol=TOLERANCE)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no accelerator here")
def test_it_trains_together_on_an_accelerator(monkeypatch: pytest.MonkeyPatch) -> None:
    folds, device = [tiny_images(r, n=300) for r in range(3)], Device("cuda")
    lone = [run([setting()], [fold], device=device)[0] for fold in folds]
    monkeypatch.setattr(Cnn, "fit", refuse)
    for found, expected in zip(run([setting()], folds, device=device), lone, strict=True):
        assert found.outcome is Outcome.COMPLETED, found.error
        check_same(found, expected, 1e-2)
