"""What is found against a network trained on the same fold breaks models that tell no gradient."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from typing import Any, cast

import numpy as np
import pytest

from tuner import catalog
from tuner.catalog import Value
from tuner.datasets import registry as sources
from tuner.datasets.base import Features, Fold
from tuner.datasets.splits import Splits
from tuner.learners import registry
from tuner.learners.base import Device, Model
from tuner.learners.fits import TimedOutError
from tuner.learners.samples import first_examples
from tuner.robustness import transfer as transfers
from tuner.robustness.base import Effort, Victim
from tuner.robustness.reach import Reach
from tuner.robustness.transfer import transfer
from tuner.spec import Split
from tuner.testing.data import tiny_images, tiny_table, tiny_values
from tuner.testing.probes import ExpiringDevice, draw_globally, global_state


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Fold]]:
    """Begins with nothing kept, and yields the folds that surrogates are trained on."""
    seen: list[Fold] = []
    made = transfers.surrogate

    def counted(fold: Fold, device: Device) -> object:
        seen.append(fold)
        return made(fold, device)

    monkeypatch.setattr(transfers, "surrogate", counted)
    for kept in (transfers._surrogates, transfers._points):
        kept.clear()
    yield seen
    for kept in (transfers._surrogates, transfers._points):
        kept.clear()


@cache
def fold_of(source: str) -> Fold:
    return Splits(sources.load(source), Split(), 0).measuring(0)


def trained_model(learner: str, fold: Fold, **changes: Value) -> Model:
    known = catalog.LEARNERS[learner].hyperparameters
    setting: dict[str, Value] = {name: entry.default for name, entry in known.items()}
    return registry.get(learner).train(setting | changes, fold, Device())


def victim(model: Model, fold: Fold, examples: int = 200) -> Victim:
    return Victim(model, fold.x_score[:examples], fold.y_score[:examples], fold)


def wrong(of: Victim, x: Features) -> np.ndarray:
    return of.model.predict(x).argmax(axis=1) != of.y


def noisy(of: Victim, strength: float) -> Features:
    reach = Reach.of(of.fold.x)
    signs = np.random.default_rng(5).choice([-1, 1], size=of.x.shape).astype(np.float32)
    return reach.clip(of.x + np.float32(strength) * reach.unit * signs, of.x, strength)


def test_it_breaks_forests_and_machines_alike_by_the_same_points(trained: list[Fold]) -> None:
    fold = first_examples(fold_of("digits"), 300)
    forest = victim(trained_model("forest", fold, trees=16), fold)
    machine = victim(trained_model("svm", fold, kernel="rbf", components=0), fold)
    points = [transfer(of, 0.2, Effort(), 3, Device()).x for of in (forest, machine)]
    np.testing.assert_array_equal(*points)
    assert len(trained) == 1
    for of in (forest, machine):
        more = wrong(of, points[0]).astype(float) - wrong(of, noisy(of, 0.2))
        # Paired by example: far from what chance would do.
        assert more.mean() > 5 * more.std(ddof=1) / np.sqrt(len(more))
        assert more.mean() > 0.2


def test_tables_break_by_more_than_noise(trained: list[Fold]) -> None:
    fold = fold_of("breast_cancer")
    of = victim(trained_model("forest", fold, trees=16), fold)
    found = transfer(of, 0.5, Effort(), 3, Device()).x
    assert wrong(of, found).mean() > wrong(of, noisy(of, 0.5)).mean() + 0.15


def test_larger_strengths_break_more(trained: list[Fold]) -> None:
    fold = fold_of("breast_cancer")
    of = victim(trained_model("forest", fold, trees=16), fold)
    strengths = (0.01, 0.5, 1.0)
    errors = [wrong(of, transfer(of, s, Effort(), 3, Device()).x).mean() for s in strengths]
    assert (np.diff(errors) > -0.02).all()
    assert errors[-1] > errors[0] + 0.3
    assert len(trained) == 1


@pytest.mark.parametrize(("make", "family"), [(tiny_table, "hidden"), (tiny_images, "plain")])
def test_the_surrogate_fits_the_data(make: Callable[..., Fold], family: str) -> None:
    fold = make(0)
    model = cast(Any, transfers.surrogate(fold, Device()))
    assert model.architecture.family == family
    assert (model.predict(fold.x).argmax(axis=1) == fold.y).mean() > 0.8
    small = replace(fold, x=fold.x[..., :4], x_score=fold.x_score[..., :4])
    assert cast(Any, transfers.surrogate(small, Device())).architecture.family == "hidden"


def test_its_weights_are_no_learners(trained: list[Fold]) -> None:
    fold = tiny_table(0)
    ours, theirs = transfers.surrogate(fold, Device()), trained_model("mlp", fold)
    assert (ours.predict(fold.x) != theirs.predict(fold.x)).any()


def test_what_was_found_is_kept_and_another_fold_is_another(
    trained: list[Fold], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfers, "STEPS", 20)
    monkeypatch.setattr(transfers, "SURROGATES", 3)
    fold = tiny_table(0)
    of = victim(trained_model("naive_bayes", fold), fold)

    def points(of: Victim, strength: float = 0.5, steps: int = 20, seed: int = 3) -> bytes:
        return transfer(of, strength, Effort(steps=steps), seed, Device()).x.tobytes()

    first = points(of)
    assert points(of) == first
    assert len({first, points(of, strength=0.2), points(of, steps=3), points(of, seed=4)}) == 4
    assert len(trained) == 1
    fewer = replace(fold, x=fold.x[:40], y=fold.y[:40])
    relabelled = replace(fold, y=fold.y[::-1].copy())
    for other in (fewer, relabelled, replace(fold, seed=5)):
        assert points(replace(of, fold=other)) != first
    assert len(trained) == 4
    for seed in range(transfers.SURROGATES):
        points(replace(of, fold=replace(fold, seed=100 + seed)))
    assert len(transfers._surrogates) == transfers.SURROGATES
    transfers._points.clear()
    assert points(of) == first  # forgotten, and made again
    assert len(trained) == 5 + transfers.SURROGATES


def test_what_is_kept_cannot_be_changed_by_who_gets_it(trained: list[Fold]) -> None:
    fold = tiny_table(0)
    found = transfer(victim(trained_model("naive_bayes", fold), fold), 0.5, Effort(), 3, Device())
    with pytest.raises(ValueError, match="read-only"):
        found.x[0] = 0


def test_more_points_than_may_be_kept_are_found_all_the_same(
    trained: list[Fold], monkeypatch: pytest.MonkeyPatch
) -> None:
    fold = tiny_table(0)
    of = victim(trained_model("naive_bayes", fold), fold)
    found = transfer(of, 0.5, Effort(), 3, Device()).x
    transfers._points.clear()
    monkeypatch.setattr(transfers, "POINTS_BYTES", 8)
    np.testing.assert_array_equal(transfer(of, 0.5, Effort(), 3, Device()).x, found)
    assert not transfers._points


@pytest.mark.parametrize("make", [tiny_table, tiny_images])
@pytest.mark.parametrize("strength", [1e-3, 0.3, 5.0])
def test_nothing_leaves_the_ball_or_the_range(
    trained: list[Fold],
    monkeypatch: pytest.MonkeyPatch,
    make: Callable[..., Fold],
    strength: float,
) -> None:
    monkeypatch.setattr(transfers, "STEPS", 10)
    fold = make(0)
    if fold.x.ndim == 2:
        x = fold.x.copy()
        x[:, 1] = 2.0
        fold = replace(fold, x=x)
    of = victim(trained_model("forest", fold, trees=2), fold)
    found, reach = transfer(of, strength, Effort(steps=5), 3, Device()).x, Reach.of(fold.x)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, reach.clip(found, of.x, strength))
    assert (np.abs(found - of.x) <= np.float32(strength) * reach.unit * 1.001 + 1e-5).all()
    if fold.x.ndim == 2:
        np.testing.assert_array_equal(found[:, 1], of.x[:, 1])


def test_the_deadline_holds_for_training_and_for_the_attack(trained: list[Fold]) -> None:
    fold = tiny_table(0)
    of = victim(trained_model("naive_bayes", fold), fold)
    with pytest.raises(TimedOutError):
        transfer(of, 0.5, Effort(), 3, ExpiringDevice(looks=2))
    assert not transfers._surrogates  # what didn't end is not kept
    transfer(of, 0.5, Effort(), 3, Device())
    with pytest.raises(TimedOutError, match="2 of 20 steps"):
        transfer(of, 0.4, Effort(), 3, ExpiringDevice(looks=2))


def test_global_state_is_left_alone(trained: list[Fold], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfers, "STEPS", 10)
    fold = tiny_images(0)
    of = victim(trained_model("naive_bayes", fold), fold)
    transfer(of, 0.5, Effort(), 3, Device())  # imports first
    draw_globally()
    before = global_state()
    transfer(replace(of, fold=replace(fold, seed=9)), 0.5, Effort(), 3, Device())
    assert global_state() == before


def test_values_that_are_predicted_are_refused() -> None:
    fold = tiny_values(0)
    with pytest.raises(ValueError, match="a number is predicted"):
        transfer(victim(trained_model("linear", fold), fold), 0.5, Effort(), 3, Device())
