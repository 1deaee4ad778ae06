"""The axis `samples`: larger sets hold the smaller ones, and every class is there early."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner import catalog
from tuner.catalog import SAMPLES, Axis, Learner, Number
from tuner.datasets.dividing import stratified_order
from tuner.learners import registry, samples
from tuner.learners.base import Device
from tuner.record import Member, make_setting
from tuner.testing import tiny_table, tiny_values

LABELS = st.lists(st.integers(0, 4), min_size=1, max_size=80).map(np.array)


@given(LABELS, st.integers(0, 2**32 - 1))
def test_every_beginning_is_close_to_stratified(y: np.ndarray, seed: int) -> None:
    classes = 5
    found = stratified_order(y, classes, seed)
    assert sorted(found) == list(range(len(y)))
    counts = np.bincount(y, minlength=classes)
    there = int((counts > 0).sum())
    assert len(set(y[found[:there]])) == there, "one of each class comes first"
    for size in range(1, len(y) + 1):
        held = np.bincount(y[found[:size]], minlength=classes)
        # Within one example a class of its share, once each has its first.
        assert (np.abs(held - counts * size / len(y)) <= there).all()


@given(LABELS, st.integers(0, 2**32 - 1))
def test_the_order_follows_from_the_seed(y: np.ndarray, seed: int) -> None:
    np.testing.assert_array_equal(stratified_order(y, 5, seed), stratified_order(y, 5, seed))


@pytest.mark.parametrize("fold", [tiny_table(0), tiny_values(0)], ids=["classes", "values"])
def test_larger_sets_hold_the_smaller_ones(fold) -> None:
    small, large = (samples.first_examples(fold, size) for size in (10, 25))
    np.testing.assert_array_equal(large.x[:10], small.x)
    np.testing.assert_array_equal(large.y[:10], small.y)
    assert (small.x_score is fold.x_score) and small.seed == fold.seed


def test_a_fold_with_fewer_examples_is_taken_whole() -> None:
    fold = tiny_table(0)
    assert samples.first_examples(fold, len(fold.x)) is fold
    assert samples.first_examples(fold, 10_000) is fold


def test_two_replicates_choose_their_own_examples() -> None:
    fold = tiny_table(0)
    other = replace(fold, seed=fold.seed + 1)
    assert not np.array_equal(
        samples.first_examples(fold, 10).x, samples.first_examples(other, 10).x
    )


def test_a_level_is_the_learner_on_so_many_examples() -> None:
    forest, fold = registry.get("forest"), tiny_table(0)
    known = catalog.LEARNERS["forest"].hyperparameters
    setting = make_setting(
        {
            n: int(h.default) if isinstance(h, Number) and h.integer else h.default
            for n, h in known.items()
        }
        | {"trees": 3}
    )
    [found] = samples.evaluate(forest, "samples", [setting], [20], [fold], Device())
    assert found.member == Member(setting, 20, fold.replicate)
    inner = make_setting({n: v for n, v in setting if n != "trees"})
    cut = samples.first_examples(fold, 20)
    [expected] = forest.evaluate("trees", [inner], [3], [cut], Device())
    assert found.predictions is not None
    assert expected.predictions is not None
    assert found.predictions.tobytes() == expected.predictions.tobytes()


def test_an_axis_without_a_default_is_refused_beside_samples() -> None:
    with pytest.raises(ValueError, match="depth needs a hyperparameter of its name"):
        Learner("mine", "", axes=(Axis("depth", 1, 9, (1, 2)), SAMPLES))


@pytest.mark.parametrize("name", [n for n, known in catalog.LEARNERS.items() if known.listed])
def test_every_learner_has_the_axis(name: str) -> None:
    assert catalog.LEARNERS[name].axis("samples") == SAMPLES
