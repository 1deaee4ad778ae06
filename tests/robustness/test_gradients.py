"""Gradients are those of the loss, however sure a model is; attacks by them keep their bounds."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from attacked import Made, error, fold_of, instead_of, trained, victim_of
from hypothesis import given, settings
from hypothesis import strategies as st

from tuner import catalog
from tuner.catalog import PERTURBATIONS
from tuner.learners import registry as learners
from tuner.learners import saved, uphill
from tuner.learners.base import Device, Differentiable
from tuner.learners.estimators import EstimatorModel
from tuner.learners.fits import TimedOutError
from tuner.learners.nets.kept import NetModel
from tuner.robustness import registry
from tuner.robustness.base import Effort, Victim
from tuner.robustness.gradients import fgsm, pgd
from tuner.robustness.reach import Reach
from tuner.search.tuning import default_setting
from tuner.spec import Search
from tuner.testing import tiny_images, tiny_table, tiny_values

DEVICE, EFFORT = Device(), Effort()

SMALL: dict[str, dict[str, Any]] = {
    "perceptron": {},
    "logistic": {},
    "mlp": {"epochs": 3, "units": 16, "normalisation": "none"},
    "rbm": {"epochs": 3, "units": 12, "depth": 2, "learning_rate": 0.1},
    "cnn": {"epochs": 2, "filters": 4, "depth": 3},
    "resnet": {"epochs": 1, "filters": 4, "depth": 8},
}

CASES = [
    (name, make)
    for name in SMALL
    for make in (tiny_table, tiny_images)
    if make is tiny_images or name not in ("cnn", "resnet")
] + [("mlp", tiny_values), ("logistic", lambda: tiny_table(classes=2))]


def fitted(name: str, fold: Any) -> Any:
    setting = dict(default_setting(Search(name, axis="samples").ranges())) | SMALL[name]
    return learners.get(name).train(setting, fold, DEVICE)


def test_every_learner_that_says_so_tells_gradients() -> None:
    assert SMALL.keys() == {name for name, known in catalog.LEARNERS.items() if known.gradients}


def loss(model: Any, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Returns what rises with each example's loss, in double precision."""
    if model.kind == "perceptron":
        rows = np.hstack([x.reshape(len(x), -1), np.ones((len(x), 1))])
        scores = rows @ model.weights.T
        found = np.exp(scores - scores.max(axis=1, keepdims=True))
        found /= found.sum(axis=1, keepdims=True)
    else:
        found = model.predict(x.astype(np.float32))
    if found.ndim == 1:
        return (found - y) ** 2
    true = found[np.arange(len(y)), y]
    others = np.where(np.eye(found.shape[1])[y] > 0, 0, found).sum(axis=1)
    return np.log(others) - np.log(true)


@pytest.mark.parametrize(("name", "make"), CASES)
def test_it_is_the_slope_of_the_loss(name: str, make: Any, tmp_path: Path) -> None:
    """By central differences of what the model predicts, value by value."""
    fold = make()
    model = fitted(name, fold)
    # A machine of probabilities is smooth, says little in single precision, and clips what
    # training hasn't.
    step = 0.2 if name == "rbm" else 2e-3
    low, high = fold.x.min(axis=0) + step, fold.x.max(axis=0) - step
    x = np.clip(fold.x_score[:6], low, high).astype(np.float32)
    y = fold.y_score[:6]
    told = model.gradient(x, y)
    assert (told.shape, told.dtype) == (x.shape, np.float32)
    differences = np.empty(x.shape)
    for place in np.ndindex(x.shape[1:]):
        up, down = x.astype(np.float64), x.astype(np.float64)
        up[(slice(None), *place)] += step
        down[(slice(None), *place)] -= step
        differences[(slice(None), *place)] = loss(model, up, y) - loss(model, down, y)
    ours, theirs = told.reshape(len(x), -1), differences.reshape(len(x), -1)
    alike = (ours * theirs).sum(axis=1) / np.linalg.norm(ours, axis=1)
    alike /= np.linalg.norm(theirs, axis=1)
    # A kink of a ReLU may lie between two differences, in single precision.
    assert np.median(alike) > 0.999
    assert alike.min() > 0.95
    assert np.abs(ours).max(axis=1) == pytest.approx(1)
    # Kept, read and asked again, or asked in other company: the same.
    saved.save(model, tmp_path / "kept", {})
    assert saved.load(tmp_path / "kept").gradient(x, y).tobytes() == told.tobytes()


@pytest.mark.parametrize("name", ["mlp", "cnn", "rbm", "logistic"])
def test_however_sure_the_model_is_the_direction_stays(name: str) -> None:
    """Of logits a million times larger probabilities are exactly 1, and softmax has no slope."""
    fold = tiny_images(classes=2)
    model = fitted(name, fold)
    x, y = fold.x_score, model.predict(fold.x_score).argmax(axis=1)
    before = model.gradient(x, y)
    if isinstance(model, NetModel):
        with torch.no_grad():
            model.net[-1].weight *= 1e4
            model.net[-1].bias *= 1e6
    elif name == "rbm":
        model = replace(model, weights=model.weights * 1e6, bias=model.bias * 1e6)
    else:
        model.estimator.coef_ *= 1e6
        model.estimator.intercept_ *= 1e6
    sure = model.predict(x)[np.arange(len(y)), y]
    assert np.mean(sure == 1) > 0.9
    np.testing.assert_allclose(model.gradient(x, y), before, atol=1e-4)


def test_units_that_are_surely_on_still_have_a_slope() -> None:
    """A sigmoid is exactly 1 in single precision from 17 on, and its slope there exactly 0."""
    fold = tiny_images(classes=2)
    model = fitted("rbm", fold)
    for layer in model.layers:
        layer.bias.fill_(60.0)
    assert (np.abs(model.gradient(fold.x_score, fold.y_score)).max(axis=(1, 2, 3)) == 1).all()


@given(
    scores=st.lists(st.lists(st.floats(-1e4, 1e4), min_size=3, max_size=3), min_size=1, max_size=5),
    seed=st.integers(0, 9),
)
def test_it_rises_at_the_others_as_much_as_it_falls_at_the_true_class(
    scores: list[list[float]], seed: int
) -> None:
    y = np.random.default_rng(seed).integers(0, 3, size=len(scores))
    found = uphill.by_scores(np.array(scores), y)
    assert found.sum(axis=1) == pytest.approx(0, abs=1e-12)
    assert (found[np.arange(len(y)), y] == -1).all()


def test_a_class_that_cannot_be_pulls_nothing() -> None:
    scores = np.array([[1.0, -np.inf, 0.0], [0.0, -np.inf, -np.inf]])
    assert uphill.by_scores(scores, np.array([0, 0])).tolist() == [[-1, 0, 1], [-1, 0, 0]]


def test_classes_that_training_lacked_are_told_like_the_others() -> None:
    fold = tiny_table()
    known = fold.y != 1
    fold = replace(fold, x=fold.x[known], y=fold.y[known])
    for name in ("logistic", "rbm", "perceptron"):
        found = fitted(name, fold).gradient(fold.x_score, fold.y_score)
        assert np.isfinite(found).all()
        assert (np.abs(found).max(axis=1) == 1).all()


def test_asking_leaves_nothing_behind() -> None:
    fold = tiny_images()
    setting = dict(default_setting(Search("cnn", axis="samples").ranges())) | SMALL["cnn"]
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    model = learners.get("cnn").train(setting, fold, Device(threads=threads + 1))
    before = np.random.get_state()[1].tobytes()
    slopes = [parameter.grad.clone() for parameter in model.net.parameters()]
    first = model.gradient(fold.x_score, fold.y_score)
    with torch.inference_mode():
        assert model.gradient(fold.x_score, fold.y_score).tobytes() == first.tobytes()
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), state)
    assert np.random.get_state()[1].tobytes() == before
    for parameter, slope in zip(model.net.parameters(), slopes, strict=True):
        assert torch.equal(parameter.grad, slope)
    assert model.predict(fold.x_score).shape == (len(fold.x_score), 3)
    with pytest.raises(ValueError, match="trained on"):
        model.gradient(fold.x_score[:, :, :4], fold.y_score)


def test_memory_that_runs_out_is_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(*_: Any) -> Any:
        raise torch.OutOfMemoryError("no more")

    fold = tiny_images()
    model = fitted("cnn", fold)
    monkeypatch.setattr("tuner.learners.nets.kept.gradient", exhausted)
    with pytest.raises(MemoryError, match="no more"):
        model.gradient(fold.x_score, fold.y_score)


def test_logistic_models_that_were_kept_before_they_told_gradients_are_still_read(
    tmp_path: Path,
) -> None:
    fold = tiny_table()
    model = fitted("logistic", fold)
    told = {field.name: getattr(model, field.name) for field in fields(EstimatorModel)}
    saved.save(EstimatorModel(**told), tmp_path / "old", {"learner": "logistic"})
    assert '"estimator"' in (tmp_path / "old" / "model.json").read_text()
    found = saved.load(tmp_path / "old").predict(fold.x_score)
    assert found.tobytes() == model.predict(fold.x_score).tobytes()


ATTACKS = {"fgsm": fgsm, "pgd": pgd}


def test_the_registry_finds_them() -> None:
    for name, attack in ATTACKS.items():
        assert registry.disturb(name) is attack
    assert set(ATTACKS) == {name for name, known in PERTURBATIONS.items() if known.gradients}


@settings(max_examples=15, deadline=None)
@given(
    strength=st.floats(1e-6, 10),
    case=st.sampled_from([("logistic", "digits"), ("perceptron", "breast_cancer")]),
    attack=st.sampled_from([fgsm, pgd]),
)
def test_nothing_leaves_the_ball_nor_the_range(strength: float, case: Any, attack: Any) -> None:
    victim = trained(*case)
    kept = victim.x.copy()
    found = attack(victim, strength, Effort(steps=3), 1, DEVICE).x
    assert victim.x.tobytes() == kept.tobytes()
    assert (found.shape, found.dtype) == (kept.shape, np.float32)
    reach = Reach.of(victim.fold.x)
    assert (np.abs(found - kept) <= strength * reach.unit * (1 + 1e-5) + 1e-6 * np.abs(kept)).all()
    assert (found >= np.minimum(reach.low, kept)).all()
    assert (found <= np.maximum(reach.high, kept)).all()


@pytest.mark.parametrize("name", ["logistic", "mlp", "rbm", "perceptron", "cnn"])
def test_a_stronger_attack_gets_more_wrong_until_nothing_is_right(name: str) -> None:
    setting = {"epochs": 6, "filters": 4} if name == "cnn" else {}
    victim = trained(name, **setting)
    errors = [error(victim, victim.x)]
    for strength in (0.05, 0.15, 1):
        one = fgsm(victim, strength, EFFORT, 1, DEVICE)
        many = pgd(victim, strength, Effort(steps=8), 1, DEVICE)
        assert (one.note, many.note) == ("", "")
        assert error(victim, many.x) >= error(victim, one.x) - 0.01
        errors.append(error(victim, many.x))
    assert errors == sorted(errors)
    assert errors[0] < 0.1
    assert errors[-1] > 0.999


def test_the_same_seed_gives_the_same_bits_and_another_other_ones() -> None:
    victim = trained("logistic")
    quick = Effort(steps=2)
    first, again, other = (pgd(victim, 0.03, quick, seed, DEVICE).x for seed in (1, 1, 2))
    assert first.tobytes() == again.tobytes()
    assert first.tobytes() != other.tobytes()
    one, another = (fgsm(victim, 0.03, EFFORT, seed, DEVICE).x for seed in (1, 2))
    assert one.tobytes() == another.tobytes()


def test_starts_are_the_same_whatever_the_model_gets_right() -> None:
    x = np.linspace(0, 1, 700)
    y = np.zeros(700, dtype=int)

    def still(x: Any, _: Any) -> Any:
        return np.zeros_like(x)

    all_right = victim_of(Made(lambda x: np.zeros(len(x)), still), x, y)
    half_right = victim_of(Made(lambda x: x[:, 0] > 0.6, still), x, y)
    first, second = (pgd(victim, 0.1, EFFORT, 5, DEVICE).x for victim in (all_right, half_right))
    right = (x <= 0.6) & (first[:, 0] <= 0.6)
    assert (first[right] == second[right]).all()
    assert (first[:, 0] != all_right.x[:, 0]).mean() > 0.9
    # In each batch, draws of its own.
    assert not np.allclose(first[:256] - all_right.x[:256], first[256:512] - all_right.x[256:512])


def test_what_is_wrong_undisturbed_stays_as_it_is() -> None:
    victim = trained("perceptron", "breast_cancer")
    wrong = victim.model.predict(victim.x).argmax(axis=1) != victim.y
    assert wrong.sum() > 2
    for attack in ATTACKS.values():
        found = attack(victim, 0.5, EFFORT, 1, DEVICE).x
        assert found[wrong].tobytes() == victim.x[wrong].tobytes()
        assert (found[~wrong] != victim.x[~wrong]).any(axis=1).all()


def test_the_first_point_that_is_wrong_is_kept() -> None:
    """The loss seems to rise for ever; the model is wrong only on a stretch of the way."""
    model = Made(lambda x: (x[:, 0] > 0.5) & (x[:, 0] < 0.7), lambda x, y: np.ones_like(x))
    victim = victim_of(model, [0.3] * 20, [0] * 20)
    found = pgd(victim, 1.0, Effort(steps=20), 3, DEVICE).x[:, 0]
    assert error(victim, victim.x) == 0
    # What starts behind the stretch has no way back.
    start = 0.3 + 0.5 * (np.random.default_rng(3).random((20, 1), dtype=np.float32) * 2 - 1)
    reached = start[:, 0] < 0.7
    assert (0 < reached.sum() < 20) or reached.all()
    assert ((found[reached] > 0.5) & (found[reached] < 0.7)).all()


def test_all_steps_together_are_longer_than_the_ball_is_wide() -> None:
    model = Made(lambda x: np.zeros(len(x)), lambda x, y: np.ones_like(x))
    victim = victim_of(model, [0.5] * 9, [0] * 8 + [1])
    for steps in (1, 7, 40):
        found = pgd(victim, 0.4, Effort(steps=steps), 1, DEVICE).x
        assert found[:8, 0] == pytest.approx(0.7)


class Clock:
    """Moves on by a second whenever it is asked."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1
        return self.now


def test_the_deadline_is_looked_at_between_steps() -> None:
    victim = trained("logistic")
    with pytest.raises(TimedOutError, match="fgsm on 0 of 449 examples"):
        fgsm(victim, 0.01, EFFORT, 1, Device(deadline=0, clock=Clock()))
    with pytest.raises(TimedOutError, match="5 of 20 steps of pgd on 0 of 449 examples"):
        pgd(victim, 0.01, EFFORT, 1, Device(deadline=5.5, clock=Clock()))


@pytest.mark.parametrize("attack", ATTACKS)
def test_what_cannot_be_attacked_so_is_refused_with_what_can_be(attack: str) -> None:
    fold = fold_of()
    forest = trained("forest", trees=2)
    with pytest.raises(ValueError, match=f"{attack}.*forest.*transfer and decision"):
        ATTACKS[attack](forest, 0.1, EFFORT, 1, DEVICE)
    values = tiny_values()
    model = fitted("mlp", values)
    assert isinstance(model, Differentiable)
    with pytest.raises(ValueError, match=f"{attack} is for classifiers.*noise, missing"):
        ATTACKS[attack](
            Victim(model, values.x_score, values.y_score, values), 0.1, EFFORT, 1, DEVICE
        )
    askew = instead_of(forest.model, lambda x, y: np.zeros(3))
    with pytest.raises(ValueError, match="shape"):
        ATTACKS[attack](replace(forest, model=askew, fold=fold), 0.1, EFFORT, 1, DEVICE)
