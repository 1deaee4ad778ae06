"""Pseudo-values give AUC the spread that it has, and groups are dealt as they must be."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuner.returns.jackknife import auc, pseudo_values

Array = npt.NDArray[Any]


def pair_auc(labels: Array, scores: Array) -> float:
    """The definition: a share of pairs."""
    positive, negative = scores[labels == 1][:, None], scores[labels == 0]
    return float(np.mean((positive > negative) + (positive == negative) / 2))


def delong(labels: Array, scores: Array) -> tuple[float, float, int, int]:
    """Returns DeLong's variances of the positives' and the negatives' placements, and counts."""
    positive, negative = scores[labels == 1][:, None], scores[labels == 0]
    wins = (positive > negative) + (positive == negative) / 2
    return (
        float(wins.mean(axis=1).var(ddof=1)),
        float(wins.mean(axis=0).var(ddof=1)),
        len(positive),
        len(negative),
    )


def variance(values: Array) -> Array:
    """Returns the variance of the mean of pseudo-values."""
    return np.asarray(values.var(axis=-1, ddof=1) / values.shape[-1])


def binormal(seed: int, positives: int, negatives: int, rows: int = 1) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    labels = np.repeat([1, 0], [positives, negatives])
    return labels, rng.normal(size=(rows, labels.size)) + 1.2 * labels


def counted(groups: int, seed: int = 0, **options: Any) -> Callable[[Array], list[Array]]:
    """Returns a way to see which examples each group takes away."""

    def dealt(labels: Array) -> list[Array]:
        m, seen = len(labels), []

        def spy(_: Array, kept: Array) -> float:
            seen.append(np.setdiff1d(np.arange(m), kept))
            return 0.0

        pseudo_values(spy, labels, np.arange(m), groups, seed, **options)
        assert seen[0].size == 0
        return seen[1:]

    return dealt


@settings(deadline=None)
@given(
    labels=st.lists(st.booleans(), min_size=2, max_size=30).filter(lambda y: len(set(y)) == 2),
    data=st.data(),
)
def test_auc_is_the_share_of_pairs_ties_half(labels: list[bool], data: st.DataObject) -> None:
    row = st.lists(st.integers(-3, 3), min_size=len(labels), max_size=len(labels))
    scores = np.array(data.draw(st.lists(row, min_size=2, max_size=3)), dtype=float)
    y = np.array(labels)
    expected = [pair_auc(y, s) for s in scores]
    assert auc(y, scores) == pytest.approx(expected)
    assert auc(y.astype(int), scores[0]) == pytest.approx(expected[0])
    assert auc(y, -scores) == pytest.approx([1 - area for area in expected])


def test_auc_minds_order_alone() -> None:
    y, (s,) = binormal(1, 20, 30)
    assert auc(y, np.exp(s)) == auc(y, s)
    assert auc(y, np.where(s > 1, np.inf, s)) == pair_auc(y, np.where(s > 1, 9, s))


@pytest.mark.parametrize(
    ("labels", "scores", "message"),
    [
        ([1, 1, 1], [1, 2, 3], "labels must be"),
        ([0, 0, 0], [1, 2, 3], "labels must be"),
        ([0, 1, 2], [1, 2, 3], "labels must be"),
        ([[0, 1, 1]], [1, 2, 3], "labels must be"),
        ([0, 1, 1], [1, 2], "scores have the shape"),
        ([0, 1, 1], 1.0, "scores have the shape"),
        ([0, 1, 1], [1, 2, math.nan], "scores are NaN"),
    ],
)
def test_auc_of_what_has_none_is_refused(labels: Any, scores: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        auc(np.array(labels), np.array(scores, dtype=float))


@pytest.mark.parametrize("tied", [False, True])
def test_the_closed_form_of_auc_is_taking_groups_away(tied: bool) -> None:
    y, s = binormal(2, 31, 52, rows=6)
    s = (np.round(s) if tied else s).reshape(2, 3, -1)
    fast = pseudo_values(auc, y, s, groups=9)
    assert fast.shape == (2, 3, 9)
    assert fast == pytest.approx(pseudo_values(pair_auc, y, s, groups=9))


def test_their_mean_is_the_metric_and_an_average_has_the_averages_of_groups() -> None:
    y, s = binormal(3, 60, 40, rows=4)
    assert pseudo_values(auc, y, s, 20).mean(axis=-1) == pytest.approx(auc(y, s))

    groups = counted(20)(y)
    values = pseudo_values(lambda _, row: float(row.mean()), y, s, 20)
    assert values == pytest.approx(np.stack([s[:, g].mean(axis=1) for g in groups], axis=-1))


def test_without_one_example_at_a_time_it_is_delong_s_variance() -> None:
    """Exactly, with the jackknife's n-1 where DeLong's formula has n."""
    y, (s,) = binormal(4, 80, 120)
    of_positives, of_negatives, p, n = delong(y, s)
    m = p + n
    values = pseudo_values(auc, y, s, groups=m)
    assert values.shape == (m,)
    assert variance(values) == pytest.approx(
        (m - 1) / m * (of_positives / (p - 1) + of_negatives / (n - 1))
    )
    assert variance(values) == pytest.approx(of_positives / p + of_negatives / n, rel=0.02)


def test_groups_agree_with_delong_and_with_the_spread_between_test_sets() -> None:
    y, s = binormal(5, 150, 250, rows=800)
    by_groups = float(np.mean(variance(pseudo_values(auc, y, s, groups=20))))
    by_delong = []
    for row in s[:200]:
        of_positives, of_negatives, p, n = delong(y, row)
        by_delong.append(of_positives / p + of_negatives / n)
    seen = float(np.var(np.asarray(auc(y, s)), ddof=1))
    assert by_groups == pytest.approx(np.mean(by_delong), rel=0.06)
    # Four standard errors of a variance over 800 sets.
    assert by_groups == pytest.approx(seen, rel=4 * math.sqrt(2 / 800))


def test_clusters_widen_the_spread_to_what_it_is() -> None:
    """Ten copies of each example tell no more than one, unless they pass for ten."""
    y, s = binormal(6, 100, 100, rows=200)
    copies, ids = np.tile(s, 10), np.tile(np.arange(200), 10)
    true = float(np.var(np.asarray(auc(y, s)), ddof=1))
    clustered = np.mean(variance(pseudo_values(auc, np.tile(y, 10), copies, 40, clusters=ids)))
    assert clustered == pytest.approx(true, rel=4 * math.sqrt(2 / 200))
    assert np.mean(variance(pseudo_values(auc, np.tile(y, 10), copies, 40))) < true / 5


def test_pairs_stay_paired() -> None:
    """Of two rows that order alike, the difference has no spread; rows don't touch each other."""
    y, s = binormal(7, 40, 60, rows=2)
    values = pseudo_values(auc, y, np.stack([s[0], 2 * s[0] + 1, s[1]]), 10)
    assert (values[0] == values[1]).all()
    assert (values[2] == pseudo_values(auc, y, s[1], 10)).all()
    assert (values == pseudo_values(auc, y, np.stack([s[0], s[0], s[1]]), 10, seed=0)).all()
    assert (values[0] != pseudo_values(auc, y, s[0], 10, seed=1)).any()


def test_predictions_may_have_classes() -> None:
    rng = np.random.default_rng(8)
    y, p = rng.integers(0, 3, 60), rng.dirichlet(np.ones(3), (2, 60))

    def macro_recall(labels: Array, row: Array) -> float:
        assert row.shape == (len(labels), 3)
        hit = row.argmax(axis=1) == labels
        return float(np.mean([hit[labels == c].mean() for c in range(3)]))

    values = pseudo_values(macro_recall, y, p, 12, classes=True)
    assert values.shape == (2, 12)
    assert values.mean(axis=1) == pytest.approx([macro_recall(y, row) for row in p])


@pytest.mark.parametrize("groups", [2, 7, 50])
def test_examples_are_dealt_evenly_within_each_class(groups: int) -> None:
    y = np.random.default_rng(9).permutation(np.repeat([0, 1, 2], [2, 31, 167]))
    dealt = counted(groups)(y)
    assert sorted(np.concatenate(dealt)) == list(range(200))
    for label, total in [(0, 2), (1, 31), (2, 167)]:
        sizes = [int((y[g] == label).sum()) for g in dealt]
        assert max(sizes) - min(sizes) <= 1
        assert max(sizes) < total


@settings(deadline=None)
@given(
    units=st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=5), min_size=4, max_size=25),
    groups=st.integers(4, 30),
    seed=st.integers(0, 5),
)
def test_whole_clusters_are_dealt_and_no_class_is_taken_away(
    units: list[list[int]], groups: int, seed: int
) -> None:
    y = np.concatenate([np.array(unit) for unit in units])
    ids = np.repeat([f"patient {i}" for i in range(len(units))], [len(unit) for unit in units])
    deal = counted(groups, seed, clusters=ids)
    if any(sum(c in unit for unit in units) == 1 for c in range(3)):
        with pytest.raises(ValueError, match="only one cluster has"):
            deal(y)
        return
    dealt = deal(y)
    assert len(dealt) == min(groups, len(units))
    assert sorted(np.concatenate(dealt)) == list(range(len(y)))
    owners = [set(ids[g]) for g in dealt]
    assert all(owners)
    assert sum(map(len, owners)) == len(units)
    for g in dealt:
        assert set(np.delete(y, g)) == set(y)


def test_clusters_are_dealt_evenly_in_examples() -> None:
    rng = np.random.default_rng(10)
    ids = np.repeat(np.arange(100), rng.integers(1, 20, 100))
    y = rng.random(ids.size) < 0.3
    dealt = counted(10, clusters=ids)(y)
    assert max(map(len, dealt)) <= 1.1 * ids.size / 10
    assert max(y[g].sum() for g in dealt) <= 1.3 * y.sum() / 10


@pytest.mark.parametrize("seed", range(5))
def test_small_clusters_fill_up_beside_large_ones(seed: int) -> None:
    """Four of ten examples and forty of one make four groups of twenty, whatever the order."""
    ids = np.concatenate([np.repeat(np.arange(4), 10), np.arange(4, 44)])
    assert [len(g) for g in counted(4, seed, clusters=ids)(np.zeros(80, dtype=int))] == [20] * 4


def test_clusters_that_can_t_be_dealt_are_refused() -> None:
    """Each two of three clusters share a class: two groups leave one of them whole."""
    y, ids = np.array([0, 1, 1, 2, 2, 0]), np.array([1, 1, 2, 2, 3, 3])
    with pytest.raises(ValueError, match="can't be dealt into 2 groups"):
        counted(2, clusters=ids)(y)
    assert len(counted(3, clusters=ids)(y)) == 3


def test_quantities_are_dealt_without_classes() -> None:
    y = np.random.default_rng(11).normal(size=30)
    with pytest.raises(ValueError, match="stratify=False where labels are quantities"):
        counted(5)(y)
    assert [len(g) for g in counted(5, stratify=False)(y)] == [6] * 5


@pytest.mark.parametrize(
    ("name", "labels", "predictions", "options"),
    [
        ("labels have", [], [], {}),
        ("labels have", [[0, 1]], [0, 1], {}),
        ("predictions have", [0, 0, 1, 1], [1, 2, 3], {}),
        ("predictions have", [0, 0, 1, 1], 1.0, {}),
        ("predictions have", [0, 0, 1, 1], [1, 2, 3, 4], {"classes": True}),
        ("groups would be 1", [0, 0, 1, 1], [1, 2, 3, 4], {"groups": 1}),
        ("clusters have", [0, 0, 1, 1], [1, 2, 3, 4], {"clusters": [1, 2]}),
        ("groups would be 1", [0, 0, 1, 1], [1, 2, 3, 4], {"clusters": [1, 1, 1, 1]}),
        ("only one example has", [0, 0, 0, 1], [1, 2, 3, 4], {}),
    ],
)
def test_what_is_wrong_is_named(
    name: str, labels: Any, predictions: Any, options: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match=name):
        pseudo_values(auc, labels, predictions, **options)


def test_a_metric_that_is_none_without_a_group_is_refused() -> None:
    def needs_all(labels: Array, _: Array) -> float:
        return 0.0 if len(labels) == 20 else math.nan

    with pytest.raises(ValueError, match="metric is not finite"):
        pseudo_values(needs_all, np.arange(20) % 2, np.arange(20))
