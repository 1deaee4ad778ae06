"""Splits keep the test apart, pair the replicates and refuse what can't be divided."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuner.datasets import registry
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


def table(
    n: int,
    *,
    classes: int = 2,
    groups: np.ndarray | None = None,
    times: np.ndarray | None = None,
    test: int = 0,
) -> Data:
    """Returns `numbered` data of about n examples, with groups and times."""
    y = np.arange(n) % classes if classes else np.linspace(0.0, 1.0, n)
    x = np.arange(n, dtype=np.float32)[:, None]
    x_test = -1 - np.arange(test, dtype=np.float32)[:, None] if test else None
    y_test = np.resize(y, test) if test else None
    names = tuple(map(str, range(classes)))
    return Data(x, y, x_test, y_test, names, "", groups=groups, times=times)


def groups_of(data: Data, x: np.ndarray) -> set[int]:
    assert data.groups is not None
    return set(data.groups[x.ravel().astype(int)].tolist())


@st.composite
def grouped(draw: st.DrawFn) -> Data:
    classes = draw(st.sampled_from([0, 2, 3]))
    sizes = draw(st.lists(st.integers(classes or 1, 12), min_size=12, max_size=30))
    groups = np.repeat(np.arange(len(sizes)), sizes)
    return table(len(groups), classes=classes, groups=groups)


@given(grouped(), st.integers(0, 2**63 - 1), st.integers(0, 500))
@settings(max_examples=60, deadline=None)
def test_no_group_is_on_both_sides_of_anything(data: Data, seed: int, replicate: int) -> None:
    splits = Splits(data, Split(), seed)
    assert splits.method == "group"
    tuning, measuring = splits.tuning(replicate), splits.measuring(replicate)
    test = groups_of(data, measuring.x_score)
    assert not test & groups_of(data, measuring.x)
    assert not test & groups_of(data, np.concatenate([tuning.x, tuning.x_score]))
    assert not groups_of(data, tuning.x) & groups_of(data, tuning.x_score)
    largest = int(np.bincount(data.groups).max()) if data.groups is not None else 0
    assert abs(splits.test_size - 0.25 * len(data.y)) <= largest
    for fold in (tuning, measuring):
        assert fold.classes == len(data.classes)
        if data.classes:
            assert set(fold.y.tolist()) == set(range(fold.classes))
    again = Splits(data, Split(), seed).measuring(replicate)
    np.testing.assert_array_equal(again.x, measuring.x)


def test_a_class_in_few_groups_is_on_both_sides_all_the_same() -> None:
    groups = np.repeat(np.arange(40), 5)
    data = table(200, groups=groups)
    rare = Data(data.x, (groups < 3).astype(np.int64), None, None, ("no", "yes"), "", groups=groups)
    for seed in range(30):
        splits = Splits(rare, Split(), seed)
        assert set(splits.measuring(0).y_score.tolist()) == {0, 1}
        for replicate in range(5):
            assert set(splits.tuning(replicate).y.tolist()) == {0, 1}
            assert set(splits.measuring(replicate).y.tolist()) == {0, 1}


@given(
    st.integers(60, 200),
    st.integers(1, 6),
    st.sampled_from([0, 2, 3]),
    st.integers(0, 2**63 - 1),
    st.integers(0, 500),
)
@settings(max_examples=60, deadline=None)
def test_nothing_is_trained_on_that_is_later_than_what_it_is_scored_on(
    n: int, ties: int, classes: int, seed: int, replicate: int
) -> None:
    times = (np.random.default_rng(seed % 2**32).permutation(n) // ties).astype(np.float64)
    data = table(n, classes=classes, times=times)
    splits = Splits(data, Split(), seed)
    assert splits.method == "time"
    for fold in (splits.tuning(replicate), splits.measuring(replicate)):
        then = times[fold.x_score.ravel().astype(int)].min()
        assert times[fold.x.ravel().astype(int)].max() < then
        if classes:
            assert set(fold.y.tolist()) == set(range(classes))
    assert abs(splits.test_size - 0.25 * n) <= ties
    score = ids(splits.tuning(replicate).x_score)
    assert score == ids(splits.tuning(0).x_score)
    assert not score & ids(splits.measuring(0).x_score)


def test_replicates_in_time_draw_different_parts_of_what_came_before() -> None:
    splits = Splits(table(100, times=np.arange(100.0)), Split(), 0)
    assert ids(splits.measuring(0).x) != ids(splits.measuring(1).x)
    assert ids(splits.measuring(0).x_score) == set(np.arange(75.0, 100.0).tolist())
    assert ids(splits.tuning(0).x_score) == set(np.arange(56.0, 75.0).tolist())


@given(st.integers(40, 200), st.integers(0, 2**63 - 1), st.integers(0, 500))
@settings(max_examples=30, deadline=None)
def test_values_are_divided_at_random_and_classes_still_are_all_trained_on(
    n: int, seed: int, replicate: int
) -> None:
    values = Splits(table(n, classes=0), Split(), seed)
    assert values.method == "random"
    fold = values.measuring(replicate)
    assert fold.task == "regression"
    assert fold.y.dtype == np.float64
    assert not ids(fold.x) & ids(fold.x_score)
    rare = table(n, classes=2)
    rare.y[:] = 0
    rare.y[: n // 3] = 1  # rarer, and a test without any would be refused
    classes = Splits(rare, Split(method="random", test_fraction=0.5), seed)
    for fold in (classes.tuning(replicate), classes.measuring(replicate)):
        assert set(fold.y.tolist()) == {0, 1}


@given(st.integers(0, 2**32 - 1), st.integers(0, 50), st.sampled_from(["auto", "random"]))
@settings(max_examples=40, deadline=None)
def test_nothing_of_the_test_or_validation_influences_what_fills_missing_cells(
    seed: int, replicate: int, method: str
) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(80, 3)).astype(np.float32)
    x[rng.random(x.shape) < 0.2] = np.nan
    x[:, 2] = np.arange(80)
    x[0, 0] = np.nan
    y = np.arange(80, dtype=np.int64) % 2
    split = Split(method=method)
    whole = x.copy()
    splits = Splits(Data(x, y, None, None, ("a", "b"), ""), split, seed)
    np.testing.assert_array_equal(x, whole)
    for phase in ("tuning", "measuring"):
        fold = getattr(splits, phase)(replicate)
        rows = fold.x[:, 2].astype(int)
        assert not np.isnan(fold.x).any()
        assert not np.isnan(fold.x_score).any()
        for column in (0, 1):
            missing = np.isnan(whole[rows, column])
            median = np.nanmedian(whole[rows, column])
            np.testing.assert_array_equal(fold.x[missing, column], median)
            np.testing.assert_array_equal(fold.x[~missing, column], whole[rows, column][~missing])
        other = whole.copy()
        scored = fold.x_score[:, 2].astype(int)
        there = ~np.isnan(other[scored, 0])
        other[scored[there], 0] = 1e6
        moved = Splits(Data(other, y, None, None, ("a", "b"), ""), split, seed)
        np.testing.assert_array_equal(getattr(moved, phase)(replicate).x, fold.x)


def test_what_is_missing_in_the_datas_own_test_alone_is_filled_and_the_data_kept() -> None:
    data = table(40, test=4)
    assert data.x_test is not None
    data.x_test[1] = np.nan
    fold = Splits(data, Split(train_fraction=1.0), 0).measuring(0)
    assert fold.x_score[1, 0] == np.median(np.arange(40))
    assert np.isnan(data.x_test[1, 0])


def test_a_column_without_a_cell_to_train_on_is_filled_with_0() -> None:
    data = table(40)
    x = np.concatenate([data.x, np.full_like(data.x, np.nan)], axis=1)
    data = Data(x, data.y, None, None, data.classes, "")
    assert not Splits(data, Split(), 0).measuring(0).x[:, 1].any()


@pytest.mark.parametrize("method", ["auto", "predefined", "time", "group"])
def test_the_datas_own_test_is_the_test_under_every_method(method: str) -> None:
    kept = {"times": np.arange(60.0)} if method == "time" else {}
    kept |= {"groups": np.arange(60) // 4} if method == "group" else {}
    data = table(60, test=12, **kept)
    splits = Splits(data, Split(method=method), 0)
    assert splits.measuring(0).x_score is data.x_test
    assert splits.method == {"time": "time", "group": "group"}.get(method, "stratified")


TIMES = np.arange(60.0)
GROUPS = np.arange(60) // 4


@pytest.mark.parametrize(
    ("data", "method", "problem"),
    [
        (table(60), "predefined", "no test part of its own"),
        (table(60), "time", r"the data has no times; name the column.*time=COLUMN"),
        (table(60), "group", "the data has no groups"),
        (table(60, classes=0), "stratified", "numbers are predicted; choose random"),
        (table(60, groups=np.zeros(60, int)), "auto", "60 examples of 1 group"),
        (table(60, groups=np.arange(60) % 2), "auto", "is the only one with some class"),
        (table(60, times=np.zeros(60)), "auto", "all of one time"),
        (table(60, groups=np.repeat([0, 1], 30)), "auto", r"validation_fraction.*1 group"),
    ],
)
def test_what_a_method_lacks_is_said(data: Data, method: str, problem: str) -> None:
    with pytest.raises(DataError, match=problem):
        Splits(data, Split(method=method), 0)


def test_a_class_that_comes_last_can_be_neither_learnt_nor_be_the_whole_test() -> None:
    late = Data(
        np.zeros((60, 1), np.float32),
        (TIMES > 50).astype(int),
        None,
        None,
        ("a", "b"),
        "",
        times=TIMES,
    )
    with pytest.raises(DataError, match=r"class 'b' isn't among the 45 examples before the last"):
        Splits(late, Split(), 0)
    early = Data(
        np.zeros((60, 1), np.float32),
        (TIMES < 30).astype(int),
        None,
        None,
        ("a", "b"),
        "",
        times=TIMES,
    )
    with pytest.raises(DataError, match=r"the test holds only the class .a. under split\.method"):
        Splits(early, Split(), 0)


def test_few_test_cases_of_a_class_are_warned_of() -> None:
    (note,) = Splits(numbered([1000, 40]), Split(), 0).notes
    assert "class '1' has 10." in note
    assert "10 points of its error" in note
    assert not Splits(numbered([400, 400]), Split(), 0).notes
    assert not Splits(table(1000, classes=0), Split(), 0).notes
    (note,) = Splits(numbered([40, 40, 40, 40]), Split(), 0).notes
    assert "and 1 more classes" in note


def test_groups_and_times_that_are_not_heeded_are_warned_of() -> None:
    data = table(1000, groups=np.arange(1000) // 4, times=np.arange(1000.0))
    notes = Splits(data, Split(method="stratified"), 0).notes
    assert len(notes) == 2
    assert "groups" in notes[0]
    assert "times" in notes[1]


def test_the_size_of_the_smallest_training_part_is_known() -> None:
    assert Splits(numbered([40, 40]), Split(), 0).train_size(20) == 54
    sizes = np.random.default_rng(0).integers(2, 12, size=20)
    splits = Splits(table(int(sizes.sum()), groups=np.repeat(np.arange(20), sizes)), Split(), 0)
    trained = [len(splits.measuring(replicate).x) for replicate in range(20)]
    assert splits.train_size(20) == min(trained) < max(trained)


def test_fewer_may_be_left_out_than_there_are_classes() -> None:
    """Forty digits at a train_fraction of .9: four are dropped, and every class is trained on."""
    splits = Splits(registry.load("digits"), Split(train_limit=40), 0)
    folds = [splits.measuring(replicate) for replicate in range(3)]
    assert {len(fold.x) for fold in folds} == {36}
    assert all(len(np.unique(fold.y)) == 10 for fold in folds)
    assert not np.array_equal(folds[0].x, folds[1].x)
