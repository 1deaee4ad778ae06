"""Training sets are spoilt by so much, the same way for a seed, and nothing else is touched."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuner.catalog import PERTURBATIONS
from tuner.datasets import registry as sources
from tuner.datasets.base import Fold, Request
from tuner.datasets.splits import Splits
from tuner.learners import registry as learners
from tuner.learners.base import Device
from tuner.robustness.registry import spoil
from tuner.search.tuning import default_setting
from tuner.spec import Search, Split

STRENGTHS = {"label_noise": (0.001, 0.2, 0.4, 0.95), "imbalance": (0.99, 0.5, 0.1, 0.001)}
cases = pytest.mark.parametrize("name", STRENGTHS)
QUICK = settings(max_examples=40, deadline=None)


def fold(y: np.ndarray, classes: int) -> Fold:
    """Returns a fold that can't be written to, with each example's place as its only value."""
    x = np.arange(len(y), dtype=np.float32)[:, np.newaxis]
    x_score, y_score = x[:2] + 0.5, y[:2].copy()
    for part in (x, y, x_score, y_score):
        part.setflags(write=False)
    return Fold(4, 11, x, y, x_score, y_score, classes)


@st.composite
def folds(draw: st.DrawFn) -> Fold:
    """Returns one of any sizes of classes, in any order, each class there."""
    sizes = draw(st.lists(st.integers(1, 30), min_size=2, max_size=6))
    y = np.repeat(np.arange(len(sizes)), sizes)
    return fold(np.random.default_rng(draw(st.integers(0, 99))).permutation(y), len(sizes))


def kept(spoilt: Fold) -> np.ndarray:
    """Returns the places of the examples that are left."""
    return spoilt.x[:, 0].astype(int)


def test_they_are_all_there_is() -> None:
    assert set(STRENGTHS) == {p.name for p in PERTURBATIONS.values() if p.group == "training"}


@cases
@QUICK
@given(whole=folds(), seed=st.integers(0, 2**63), place=st.integers(0, 3))
def test_the_same_seed_gives_the_same_and_what_is_scored_on_stays(
    name: str, whole: Fold, seed: int, place: int
) -> None:
    strength = STRENGTHS[name][place]
    once, again = (spoil(name)(whole, strength, seed) for _ in range(2))
    assert (once.x == again.x).all()
    assert (once.y == again.y).all()
    assert (once.x.dtype, once.y.dtype) == (whole.x.dtype, whole.y.dtype)
    assert once == replace(whole, x=once.x, y=once.y)  # nothing else is another object
    assert set(once.y) <= set(range(whole.classes))


@QUICK
@given(whole=folds(), seed=st.integers(0, 2**63))
def test_label_noise_flips_that_share_and_the_fewer_are_among_the_more(
    whole: Fold, seed: int
) -> None:
    before = np.zeros(len(whole.y), bool)
    new = whole.y
    for strength in STRENGTHS["label_noise"]:
        spoilt = spoil("label_noise")(whole, strength, seed)
        assert spoilt.x is whole.x
        flipped = spoilt.y != whole.y
        assert flipped.sum() == round(strength * len(whole.y))
        assert (flipped >= before).all()
        assert (spoilt.y[before] == new[before]).all()
        before, new = flipped, spoilt.y


def test_a_wrong_label_is_any_of_the_others_alike() -> None:
    y = np.repeat(np.arange(5), 4000)
    spoilt = spoil("label_noise")(fold(y, 5), 0.9, 0)
    for label in range(5):
        counts = np.bincount(spoilt.y[(y == label) & (spoilt.y != y)], minlength=5)
        others = np.delete(counts, label)
        assert counts[label] == 0
        # Each of four is a quarter of 3,600, to five deviations.
        assert abs(others - 900).max() < 5 * np.sqrt(3600 * 0.25 * 0.75)


def test_two_classes_change_places() -> None:
    y = np.array([0, 1, 1, 0] * 10)
    spoilt = spoil("label_noise")(fold(y, 2), 0.5, 0)
    assert (spoilt.y != y).sum() == 20
    assert set(spoilt.y) == {0, 1}


@QUICK
@given(whole=folds(), seed=st.integers(0, 2**63))
def test_imbalance_keeps_examples_with_their_labels_in_order_and_one_of_each_class(
    whole: Fold, seed: int
) -> None:
    before = set(range(len(whole.y)))
    for strength in STRENGTHS["imbalance"]:  # from mild to hard
        spoilt = spoil("imbalance")(whole, strength, seed)
        places = kept(spoilt)
        assert (np.diff(places) > 0).all()
        assert (spoilt.y == whole.y[places]).all()
        assert set(spoilt.y) == set(range(whole.classes))
        assert set(places) <= before
        before = set(places)


@pytest.mark.parametrize("strength", [0.5, 0.1, 0.01])
def test_sizes_fall_geometrically_from_all_to_the_share(strength: float) -> None:
    whole = fold(np.tile(np.arange(5), 1000), 5)
    found = np.bincount(spoil("imbalance")(whole, strength, 0).y)
    expected = 1000 * strength ** (np.arange(5) / 4)
    assert sorted(found, reverse=True) == [round(size) for size in expected]
    assert (found.max(), found.min()) == (1000, round(1000 * strength))


def test_each_class_falls_by_its_own_size() -> None:
    y = np.repeat([0, 1, 2], [1000, 100, 10])
    for seed in range(10):
        found = np.bincount(spoil("imbalance")(fold(y, 3), 0.25, seed).y)
        shares = found / [1000, 100, 10]
        assert sorted(shares, reverse=True) == pytest.approx([1, 0.5, 0.25], abs=0.06)


def test_which_class_is_rare_is_drawn() -> None:
    whole = fold(np.tile(np.arange(3), 100), 3)
    rarest = [
        int(np.bincount(spoil("imbalance")(whole, 0.1, seed).y).argmin()) for seed in range(60)
    ]
    assert min(np.bincount(rarest, minlength=3)) >= 8


@cases
@pytest.mark.parametrize(("classes", "said"), [(0, "a number is predicted"), (1, "one class is")])
def test_without_two_classes_it_is_refused(name: str, classes: int, said: str) -> None:
    y = np.zeros(4, np.int64) if classes else np.arange(4.0)
    with pytest.raises(ValueError, match=f"{name} is for two classes or more, and {said}"):
        spoil(name)(fold(y, classes), 0.2, 0)


def test_a_forest_that_is_trained_on_it_is_wrong_more_often() -> None:
    """On scikit-learn's digits, the more, the worse."""
    whole = Splits(sources.load("digits", Request()), Split(train_limit=400), 0).measuring(0)
    setting = {**dict(default_setting(Search("forest", axis="trees").ranges())), "trees": 30}

    def error(trained_on: Fold) -> float:
        model = learners.get("forest").train(setting, trained_on, Device())
        return float(np.mean(model.predict(whole.x_score).argmax(axis=1) != whole.y_score))

    for name, strengths in (("label_noise", (0.4, 0.8)), ("imbalance", (0.2, 0.02))):
        errors = [error(whole), *(error(spoil(name)(whole, s, 5)) for s in strengths)]
        for less, more in pairwise(errors):
            assert more > less + 0.02, (name, errors)
