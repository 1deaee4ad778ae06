"""The search along rays finds what answers alone can tell, within its budget and its ball."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuner import catalog
from tuner.catalog import Value
from tuner.datasets import registry as sources
from tuner.datasets.base import Features, Fold
from tuner.datasets.splits import Splits
from tuner.learners import registry
from tuner.learners.base import Device, Model
from tuner.learners.fits import TimedOutError
from tuner.learners.forest import Forest, ForestModel
from tuner.robustness.base import Effort, Victim
from tuner.robustness.rays import decision, search
from tuner.robustness.reach import Reach
from tuner.scoring import Predictions
from tuner.spec import Split
from tuner.testing.data import tiny_images, tiny_table, tiny_values
from tuner.testing.probes import ExpiringDevice

EVERYWHERE = 1e-6
"""A strength that no example reaches: the search goes on for the least radius."""


@dataclass(frozen=True)
class Linear:
    """A plane between two classes; it counts how often it is asked."""

    kind = "linear"

    weights: np.ndarray
    bias: float = 0.0
    asked: list[int] = field(default_factory=list)

    parameters = 1

    def margin(self, x: Features) -> np.ndarray:
        return x.reshape(len(x), -1).astype(np.float64) @ self.weights + self.bias

    def predict(self, x: Features) -> Predictions:
        self.asked.append(len(x))
        one = (self.margin(x) > 0).astype(np.float64)
        return np.stack([1 - one, one], axis=1)


@cache
def fold_of(source: str) -> Fold:
    return Splits(sources.load(source), Split(), 0).measuring(0)


@cache
def forest(source: str) -> ForestModel:
    known = catalog.LEARNERS["forest"].hyperparameters
    setting: dict[str, Value] = {name: entry.default for name, entry in known.items()}
    return Forest().train(setting | {"trees": 64}, fold_of(source), Device())


def victim(model: Model, source: str, examples: int = 100) -> Victim:
    fold = fold_of(source)
    return Victim(model, fold.x_score[:examples], fold.y_score[:examples], fold)


def attacked(of: Victim, strength: float, queries: int, seed: int = 3) -> Features:
    return decision(of, strength, Effort(queries=queries), seed, Device()).x


def error(of: Victim, x: Features) -> float:
    return float((of.model.predict(x).argmax(axis=1) != of.y).mean())


def noisy(of: Victim, strength: float) -> Features:
    reach = Reach.of(of.fold.x)
    signs = np.random.default_rng(5).choice([-1, 1], size=of.x.shape).astype(np.float32)
    return reach.clip(of.x + np.float32(strength) * reach.unit * signs, of.x, strength)


def centred(x: Features, weights: np.ndarray) -> tuple[Linear, Fold, np.ndarray]:
    """Returns a plane through the middle of examples, whose truth is what it says."""
    bias = -float(np.median(x.reshape(len(x), -1) @ weights))
    model = Linear(weights, bias)
    y = (model.margin(x) > 0).astype(np.int64)
    model.asked.clear()
    return model, Fold(0, 1, x, y, x, y, 2), y


def test_a_forest_breaks_by_far_more_than_under_noise() -> None:
    of = victim(forest("digits"), "digits")
    clean, noise = error(of, of.x), error(of, noisy(of, 0.2))
    assert error(of, attacked(of, 0.2, 200)) > max(clean, noise) + 0.4


def test_more_queries_and_larger_strengths_find_no_fewer() -> None:
    of = victim(forest("digits"), "digits")
    reach = Reach.of(of.fold.x)
    radii = [
        search(forest("digits"), of.x, of.y, reach, 0.2, queries, 3, Device()).radius
        for queries in (1, 3, 10, 30, 100)
    ]
    # What was found stays found: the search goes the same way as far as it gets.
    assert all((more <= fewer).all() for fewer, more in itertools.pairwise(radii))
    by_queries = [float((radius <= 0.2).mean()) for radius in radii]
    assert by_queries[0] == error(of, of.x)
    assert by_queries[2] > by_queries[0] + 0.1
    assert by_queries[4] > by_queries[3] + 0.1
    by_strength = [error(of, attacked(of, strength, 40)) for strength in (0.05, 0.1, 0.2, 0.4)]
    assert (np.diff(by_strength) > -0.03).all()
    assert by_strength[-1] > by_strength[0] + 0.3


@pytest.mark.parametrize(("source", "strength"), [("xor", 0.6), ("breast_cancer", 0.3)])
def test_tables_break_too(source: str, strength: float) -> None:
    of = victim(forest(source), source)
    found = error(of, attacked(of, strength, 60))
    assert found > max(error(of, of.x), error(of, noisy(of, strength)))


def test_what_always_answers_alike_is_not_broken() -> None:
    x = tiny_table(0).x
    model, fold, y = centred(x, np.zeros(5))
    found = search(model, x, y, Reach.of(x), 10.0, 50, 0, Device())
    assert np.isinf(found.radius).all()
    assert (found.asked == 50).all()
    assert (model.predict(found.x).argmax(axis=1) == fold.y).all()


def test_a_threshold_on_one_column_is_found_where_it_is() -> None:
    x = tiny_table(0, n=200).x
    weights = np.array([0.0, 0, 1, 0, 0])
    model, _, y = centred(x, weights)
    reach = Reach.of(x)
    known = np.abs(model.margin(x)) / reach.unit[2]
    found = search(model, x, y, reach, EVERYWHERE, 150, 0, Device())
    assert (found.radius >= known * (1 - 1e-5)).all()
    assert (found.radius <= known * 1.031 + 1e-3).all()


@pytest.mark.parametrize(("make", "factor"), [(tiny_table, 1.12), (tiny_images, 1.1)])
def test_no_plane_is_crossed_sooner_than_geometry_allows(
    make: Callable[..., Fold], factor: float
) -> None:
    x = make(0, n=100).x
    weights = np.random.default_rng(2).normal(size=int(np.prod(x.shape[1:])))
    model, _, y = centred(x, weights)
    reach = Reach.of(x)
    # Room enough on every side: at an edge the least radius has no such form.
    reach = replace(reach, low=reach.low - 100, high=reach.high + 100)
    unit = np.broadcast_to(reach.unit, x.shape[1:]).reshape(-1)
    known = np.abs(model.margin(x)) / np.abs(weights * unit).sum()
    found = search(model, x, y, reach, EVERYWHERE, 1_000, 0, Device())
    assert (found.radius / known).min() > 1 - 1e-3
    assert (found.radius / known).max() < factor


def test_the_budget_is_kept_and_each_round_is_one_question() -> None:
    x = tiny_images(0, n=40).x
    model, _, y = centred(x, np.random.default_rng(2).normal(size=64))
    found = search(model, x, y, Reach.of(x), EVERYWHERE, 37, 0, Device())
    assert len(model.asked) == 37
    assert (found.asked <= 37).all()
    assert found.asked.sum() == sum(model.asked)
    assert model.asked == sorted(model.asked, reverse=True)


def test_what_is_found_is_asked_about_no_more() -> None:
    x = tiny_images(0, n=40).x
    model, _, y = centred(x, np.random.default_rng(2).normal(size=64))
    found = search(model, x, y, Reach.of(x), 0.1, 200, 0, Device())
    broken = found.radius <= 0.1
    assert broken.any()
    assert (found.asked[broken] < 200).all()
    assert sum(model.asked) == found.asked.sum()
    assert (model.predict(found.x).argmax(axis=1)[broken] != y[broken]).all()


def test_what_is_wrong_already_stays_as_it_is() -> None:
    x = tiny_table(0).x
    model, fold, y = centred(x, np.ones(5))
    wrong = y.copy()
    wrong[::3] = 1 - y[::3]
    found = attacked(Victim(model, x, wrong, fold), 0.3, 40)
    np.testing.assert_array_equal(found[::3], x[::3])
    assert (found[1::3] != x[1::3]).any()


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    strength=st.floats(1e-6, 10),
    queries=st.integers(1, 30),
    images=st.booleans(),
)
def test_nothing_leaves_the_ball_or_the_range(
    seed: int, strength: float, queries: int, images: bool
) -> None:
    random = np.random.default_rng(seed)
    shape = (2, 3, 3) if images else (6,)
    x = random.normal(size=(30, *shape)).astype(np.float32)
    if not images:
        x[:, 2] = 1.5  # a column that never moves
    train, x = x[:20], x[20:]
    model, fold, _ = centred(train, random.normal(size=int(np.prod(shape))))
    y = (model.margin(x) > 0).astype(np.int64)
    found = attacked(Victim(model, x, y, fold), strength, queries, seed)
    reach = Reach.of(train)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, reach.clip(found, x, strength))
    assert (found <= np.maximum(x, reach.high)).all()
    assert (found >= np.minimum(x, reach.low)).all()
    room = np.float32(strength) * reach.unit * 1.001 + 1e-5
    assert (np.abs(found - x) <= room).all()
    if not images:
        np.testing.assert_array_equal(found[:, 2], x[:, 2])


def test_the_seed_alone_decides() -> None:
    of = victim(forest("digits"), "digits", 40)
    one, same, other = (attacked(of, 0.1, 40, seed).tobytes() for seed in (1, 1, 2))
    assert one == same != other


def test_a_passed_deadline_ends_it() -> None:
    of = victim(forest("digits"), "digits", 10)
    with pytest.raises(TimedOutError, match="4 of 30 queries"):
        decision(of, 1e-3, Effort(queries=30), 0, ExpiringDevice(looks=4))


def test_values_that_are_predicted_are_refused() -> None:
    fold = tiny_values(0)
    of = Victim(Linear(np.ones(5)), fold.x_score, fold.y_score, fold)
    with pytest.raises(ValueError, match="a number is predicted"):
        attacked(of, 0.1, 10)


def test_images_without_any_range_stay() -> None:
    x = np.ones((4, 1, 2, 2), dtype=np.float32)
    model, fold, y = centred(x, np.ones(4))
    np.testing.assert_array_equal(attacked(Victim(model, x, y, fold), 0.5, 20), x)


def test_an_rbf_machine_breaks_as_well() -> None:
    known = catalog.LEARNERS["svm"].hyperparameters
    setting: dict[str, Value] = {name: entry.default for name, entry in known.items()}
    setting |= {"kernel": "rbf", "components": 0}
    of = victim(registry.get("svm").train(setting, fold_of("digits"), Device()), "digits", 30)
    assert error(of, attacked(of, 0.25, 100)) > error(of, noisy(of, 0.25)) + 0.4
