"""An attack that fails because gradients are masked says so; one that works says nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from attacked import Made, error, instead_of, trained, victim_of
from hypothesis import given, settings
from hypothesis import strategies as st

from tuner.learners.base import Device
from tuner.learners.nets.state import settings_for
from tuner.robustness import masking
from tuner.robustness.base import Effort
from tuner.robustness.gradients import fgsm, pgd

DEVICE, EFFORT = Device(), Effort()


def nowhere(x: Any, y: Any) -> Any:
    return np.zeros_like(x)


def quantised(strength: float = 0.2) -> Any:
    """A network that sees its inputs in 4 steps: as good as before, and flat nearly everywhere."""
    victim = trained("mlp")

    def seen(x: Any) -> Any:
        return np.round(x * 4) / np.float32(4)

    model = Made(lambda x: victim.model.predict(seen(x)).argmax(axis=1), nowhere, 10)
    return replace(victim, model=model)


def saturated() -> Any:
    """A network whose probabilities are 1 in single precision, with the gradient that has."""
    victim = trained("mlp")
    net, inputs = victim.model.net, victim.model.inputs

    def slope(x: Any, y: Any) -> Any:
        seen = inputs(x).requires_grad_()
        with settings_for(DEVICE):
            told = torch.nn.functional.cross_entropy(net(seen) * 1e4, torch.tensor(y))
            return torch.autograd.grad(told * len(y), seen)[0].numpy()

    return replace(victim, model=instead_of(victim.model, slope))


def backwards() -> Any:
    """A network that tells which way its loss falls."""
    victim = trained("mlp")
    return replace(
        victim, model=instead_of(victim.model, lambda x, y: -victim.model.gradient(x, y))
    )


@pytest.mark.parametrize("make", [quantised, saturated, backwards])
def test_masked_gradients_are_noticed(make: Any) -> None:
    victim = make()
    assert error(victim, victim.x) < 0.1
    found = pgd(victim, 0.2, EFFORT, 1, DEVICE)
    honest = pgd(trained("mlp"), 0.2, EFFORT, 1, DEVICE)
    # It looks robust, and isn't: what breaks the network that it is made of breaks it, too.
    assert error(victim, found.x) < 0.5
    assert error(victim, honest.x) > 0.6
    assert "Gradients are masked" in found.note
    assert "transfer and decision" in found.note


@pytest.mark.parametrize("make", [quantised, saturated])
def test_gradients_of_exactly_zero_are_counted(make: Any) -> None:
    victim = make()
    right = round(len(victim.y) * (1 - error(victim, victim.x)))
    one = fgsm(victim, 0.2, EFFORT, 1, DEVICE)
    assert "exactly zero at" in one.note
    assert f"of the {right} examples" in one.note
    many = pgd(victim, 0.2, EFFORT, 1, DEVICE)
    assert "exactly zero at" in many.note
    if make is quantised:
        assert one.x.tobytes() == victim.x.tobytes()
        assert f"at {right} of the {right}" in one.note


def test_gradients_that_are_no_numbers_lead_nowhere_and_are_counted() -> None:
    victim = trained("mlp")
    broken = instead_of(victim.model, lambda x, y: np.full_like(x, np.nan))
    found = fgsm(replace(victim, model=broken), 0.2, EFFORT, 1, DEVICE)
    assert found.x.tobytes() == victim.x.tobytes()
    assert "exactly zero" in found.note


def test_the_note_fits_into_the_record() -> None:
    assert len(pgd(quantised(), 0.2, EFFORT, 1, DEVICE).note) <= 500


def test_a_model_that_answers_alike_is_said_to() -> None:
    """It stays right on its class for ever, and nothing masks anything."""
    victim = victim_of(
        Made(lambda x: np.zeros(len(x)), nowhere), np.linspace(0, 1, 40), [0, 1] * 20
    )
    note = pgd(victim, 0.5, EFFORT, 1, DEVICE).note
    assert "all 40 undisturbed examples the same answer" in note
    assert "masked" not in note


def test_a_model_that_answers_alike_and_can_be_moved_is_not() -> None:
    """An untrained network may: a threshold that no undisturbed example is beyond."""
    model = Made(lambda x: x[:, 0] > 0.9, lambda x, y: np.ones_like(x))
    assert (
        pgd(victim_of(model, np.linspace(0, 0.5, 40), [0, 1] * 20), 0.1, EFFORT, 1, DEVICE).note
        == ""
    )


@pytest.mark.parametrize("learner", ["mlp", "rbm"])
def test_xor_is_not_taken_for_masked(learner: str) -> None:
    """Signs move both values at once, over to the corner where the model is right again."""
    victim = trained(learner, "xor")
    assert error(victim, victim.x) < 0.05
    found = pgd(victim, 0.3, EFFORT, 1, DEVICE)
    assert error(victim, found.x) < 0.9
    assert found.note == ""


def test_pgd_below_one_step_or_below_who_sees_less_is_noted() -> None:
    errors = {"pgd:0.1": 0.30, "fgsm:0.1": 0.50, "transfer:0.1": 0.45, "decision:0.1": 0.31}
    found = masking.notes(errors, 1_000)
    assert found.keys() == {"pgd:0.1"}
    assert "fgsm:0.1 (50.0%) and transfer:0.1 (45.0%)" in found["pgd:0.1"]
    assert "decision" not in found["pgd:0.1"]


def test_pgd_below_itself_with_less_room_is_noted() -> None:
    found = masking.notes({"pgd:0.1": 0.6, "pgd:0.2": 0.4, "pgd:0.3": 0.7}, 500)
    assert found.keys() == {"pgd:0.2"}
    assert "pgd:0.1 (60.0%)" in found["pgd:0.2"]


def test_other_strengths_and_other_perturbations_say_nothing() -> None:
    errors = {"pgd:0.1": 0.3, "fgsm:0.2": 0.9, "transfer:0.05": 0.9, "noise:5": 0.9}
    assert masking.notes(errors, 1_000) == {}
    assert masking.notes({"fgsm:0.1": 0.2, "transfer:0.1": 0.9}, 1_000) == {}
    assert masking.notes({}, 1_000) == {}


def test_fewer_examples_need_a_larger_difference() -> None:
    errors = {"pgd:0.1": 0.30, "fgsm:0.1": 0.40}
    assert masking.notes(errors, 1_000)
    assert not masking.notes(errors, 50)


@settings(max_examples=20, deadline=None)
@given(st.integers(10, 2_000), st.floats(0.02, 0.98), st.integers(0, 1_000))
def test_of_equal_attacks_hardly_any_is_noted(examples: int, share: float, seed: int) -> None:
    """Even if each saw examples of its own, one of a hundred at most."""
    random = np.random.default_rng(seed)
    drawn = random.binomial(examples, share, size=(50, 2)) / examples
    noted = sum(
        bool(masking.notes({"pgd:0.1": one, "fgsm:0.1": other}, examples))
        for one, other in drawn.tolist()
    )
    # Of 50 at 1 % each, 6 or more are less likely than one in two million.
    assert noted < 6


@settings(max_examples=50, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["pgd:0.1", "pgd:0.2", "fgsm:0.1", "transfer:0.2", "decision:0.1"]),
        st.floats(0, 1),
    ),
    st.integers(1, 5_000),
)
def test_only_pgd_is_ever_noted(errors: dict[str, float], examples: int) -> None:
    for name in masking.notes(errors, examples):
        assert name.startswith("pgd:")
        assert name in errors
