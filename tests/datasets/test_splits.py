"""Splits keep the test apart, pair the replicates and refuse what can't be divided."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuner.datasets.base import Data, DataError
from tuner.datasets.splits import Splits
from tuner.spec import Split


def numbered(counts: list[int], test: int = 0) -> Data:
    """Returns data whose one feature is the example's own number; the test's are negative."""
    n = sum(counts)
    y = np.random.default_rng(0).permutation(np.repeat(np.arange(len(counts)), counts))
    x = np.arange(n, dtype=np.float32)[:, None]
    x_test = -1 - np.arange(test, dtype=np.float32)[:, None] if test else None
    y_test = np.arange(test) % len(counts) if test else None
    return Data(x, y.astype(np.int64), x_test, y_test, tuple(map(str, range(len(counts)))), "")


def ids(x: np.ndarray) -> set[float]:
    members = x.ravel().tolist()
    assert len(set(members)) == len(members), "an example is there twice"
    return set(members)


@st.composite
def divisible(draw: st.DrawFn) -> tuple[Data, Split]:
    counts = draw(st.lists(st.integers(30, 60), min_size=2, max_size=4))
    own_test = draw(st.sampled_from([0, 8]))
    split = Split(
        test_fraction=draw(st.floats(0.15, 0.5)),
        validation_fraction=draw(st.floats(0.2, 0.5)),
        train_fraction=draw(st.sampled_from([0.5, 0.8, 1.0])),
        train_limit=draw(st.sampled_from([None, 25, 10_000])),
    )
    return numbered(counts, own_test), split


@given(divisible(), st.integers(0, 2**63 - 1), st.integers(0, 500))
@settings(max_examples=60, deadline=None)
def test_a_test_example_never_appears_in_a_training_fold(
    case: tuple[Data, Split], seed: int, replicate: int
) -> None:
    data, split = case
    splits = Splits(data, split, seed)
    tuning, measuring = splits.tuning(replicate), splits.measuring(replicate)
    test = ids(measuring.x_score)
    assert len(test) == splits.test_size
    assert not test & ids(measuring.x)
    assert not test & (ids(tuning.x) | ids(tuning.x_score))
    assert not ids(tuning.x) & ids(tuning.x_score)
    rest = ids(tuning.x) | ids(tuning.x_score)
    assert len(rest) == splits.rest_size
    assert ids(measuring.x) <= rest
    if split.train_limit is not None:
        assert splits.rest_size <= split.train_limit
    classes = set(range(len(data.classes)))
    for fold in (tuning, measuring):
        assert set(fold.y.tolist()) == classes
        assert fold.classes == len(classes)
        assert fold.replicate == replicate


@given(divisible(), st.integers(0, 2**63 - 1))
@settings(max_examples=20, deadline=None)
def test_a_fold_follows_from_data_split_seed_and_number_alone(
    case: tuple[Data, Split], seed: int
) -> None:
    data, split = case
    one, other = Splits(data, split, seed), Splits(data, split, seed)
    folds = [one.tuning(0), one.measuring(0), one.tuning(1), one.measuring(1)]
    again = [other.measuring(1), other.tuning(1), other.measuring(0), other.tuning(0)][::-1]
    for a, b in zip(folds, again, strict=True):
        assert a.seed == b.seed
        for part in ("x", "y", "x_score", "y_score"):
            np.testing.assert_array_equal(getattr(a, part), getattr(b, part))
    assert len({fold.seed for fold in folds}) == 4


def test_replicates_and_job_seeds_differ_but_share_the_test() -> None:
    data = numbered([50, 50])
    splits = Splits(data, Split(), 1)
    first, second = splits.measuring(0), splits.measuring(1)
    assert ids(first.x) != ids(second.x)
    assert ids(first.x_score) == ids(second.x_score)
    assert ids(Splits(data, Split(), 2).measuring(0).x_score) != ids(first.x_score)


def test_parts_have_the_sizes_asked_for_and_are_stratified() -> None:
    splits = Splits(numbered([400, 200, 200]), Split(), 0)
    assert (splits.test_size, splits.rest_size) == (200, 600)
    tuning, measuring = splits.tuning(0), splits.measuring(0)
    assert np.bincount(tuning.y_score).tolist() == [75, 38, 37] or np.bincount(
        tuning.y_score
    ).tolist() == [75, 37, 38]
    assert np.bincount(measuring.y_score).tolist() == [100, 50, 50]
    assert np.bincount(measuring.y).tolist() == [270, 135, 135]


def test_the_datas_own_test_is_used_and_not_copied() -> None:
    data = numbered([20, 20], test=8)
    fold = Splits(data, Split(), 0).measuring(3)
    assert fold.x_score is data.x_test
    assert fold.y_score is data.y_test


def test_all_of_the_rest_is_trained_on_where_that_is_asked_for() -> None:
    splits = Splits(numbered([40, 40]), Split(train_fraction=1.0), 0)
    assert len(splits.measuring(0).x) == splits.rest_size


@pytest.mark.parametrize(
    ("counts", "split", "problem"),
    [
        ([40, 1], Split(), r"split\.test_fraction: class '1' has 1 .*at least 2.*leave it out"),
        ([40, 2], Split(test_fraction=0.5), r"class '1' has 1 when dividing"),
        ([40, 3], Split(test_fraction=0.01), r"into 43 and 0; each part needs at least 2"),
        ([40, 40], Split(train_fraction=0.01), r"split\.train_fraction: would divide"),
        ([40, 40], Split(validation_fraction=0.99), r"split\.validation_fraction: would divide"),
        ([300, 5], Split(train_limit=10), r"split\.train_limit: class '1' has 4"),
    ],
)
def test_what_cant_be_divided_is_refused_at_once(
    counts: list[int], split: Split, problem: str
) -> None:
    with pytest.raises(DataError, match=problem):
        Splits(numbered(counts), split, 0)
