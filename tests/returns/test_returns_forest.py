"""A forest's curve from one fit is what forests of other sizes score, and its bounds hold."""

import itertools
import math
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from tuner.curve import Question
from tuner.returns import assess
from tuner.returns.forest import curve_of_moments, forest_curve
from tuner.returns.tree_residuals import TreeMoments, TreeResiduals

Array = npt.NDArray[Any]

EXAMPLES = 60


@cache
def population() -> Array:
    """Residuals of 400 trees of mixed skill on a binary task: every forest draws from these."""
    rng = np.random.default_rng(0)
    y = rng.random(EXAMPLES) < 0.5
    skill = rng.normal(1.0, 0.6, (400, 1))
    hard = rng.normal(0, 1.5, EXAMPLES)
    p = 1 / (1 + np.exp(-(skill * np.where(y, 1, -1) + hard + rng.normal(0, 1.5, (400, EXAMPLES)))))
    return p - y


@cache
def population_gram() -> Array:
    return population() @ population().T


def true_curve() -> tuple[float, float]:
    """Returns a and b of forests whose trees are independent draws from the population."""
    r = population()
    a = float(np.mean(r.mean(axis=0) ** 2))
    return a, float(np.mean(r**2)) - a


def drawn(trees: int, forests: int, seed: int) -> list[TreeMoments]:
    """Returns the moments of forests drawn from the population."""
    rng, gram = np.random.default_rng(seed), population_gram()
    draws = rng.integers(0, len(gram), (forests, trees))
    return [TreeMoments.from_gram(gram[np.ix_(i, i)], EXAMPLES) for i in draws]


def some_forest(
    trees: int = 7, examples: int = 11, classes: int | None = 3, seed: int = 1
) -> tuple[Array, Array]:
    """Returns random probabilities and labels; without classes, of class 1 alone."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes or 2, examples)
    if classes is None:
        return rng.random((trees, examples)), labels
    return rng.dirichlet(np.ones(classes), (trees, examples)), labels


def residuals(probabilities: Array, labels: Array) -> Array:
    return probabilities - (
        labels if probabilities.ndim == 2 else np.eye(probabilities.shape[2])[labels]
    )


@pytest.mark.parametrize("trees", [2, 5, 20])
def test_estimates_are_unbiased_at_every_size(trees: int) -> None:
    """Over 2,000 forests the mean estimate is the truth within four of its standard errors."""
    a, b = true_curve()
    forests = drawn(trees, 2000, seed=trees)
    for size in (1, 3, 20, 1000):
        estimates = [moments.brier_at(size) for moments in forests]
        error = np.std(estimates, ddof=1) / math.sqrt(len(estimates))
        assert abs(np.mean(estimates) - (a + b / size)) < 4 * error


def test_the_form_is_the_mean_over_all_smaller_forests_within_the_fit() -> None:
    for classes in (None, 4):
        p, labels = some_forest(6, classes=classes)
        curve = forest_curve(p, labels, [1, 2, 6])
        r = residuals(p, labels)
        for size in range(1, 7):
            scores = [
                np.sum(r[list(some)].mean(axis=0) ** 2) / len(labels)
                for some in itertools.combinations(range(6), size)
            ]
            assert curve.brier_at(size) == pytest.approx(np.mean(scores))


def test_jackknife_bounds_cover_the_truth() -> None:
    """Of 300 forests of 20 trees, each 95 % bound misses no more often than chance allows."""
    a, b = true_curve()
    sizes = [4, 16, 64]
    hits = dict.fromkeys(["limit", "one size", "all sizes", "one step", "all steps"], 0)
    for moments in drawn(20, 300, seed=3):
        curve = curve_of_moments(moments, sizes)
        small, step = curve_of_moments(moments, [16]), curve_of_moments(moments, [4, 16])
        hits["limit"] += curve.limit_low <= a <= curve.limit_high
        hits["one size"] += small.sizes[0].low <= a + b / 16 <= small.sizes[0].high
        hits["all sizes"] += all(s.low <= a + b / s.trees <= s.high for s in curve.sizes)
        hits["one step"] += step.gains[0].low <= b * (1 / 4 - 1 / 16) <= step.gains[0].high
        hits["all steps"] += all(
            g.low <= b * (1 / g.below - 1 / g.trees) <= g.high for g in curve.gains
        )
    least = stats.binom.ppf(0.01, 300, 0.95)
    assert {name: n for name, n in hits.items() if n < least} == {}
    # Bounds that never miss would be no bounds.
    assert hits["limit"] < 300
    assert hits["one size"] < 300


def test_the_more_sizes_the_more_a_band_is_worth() -> None:
    """All scores are a + b/T: from a few sizes on, what serves every T is the narrower."""
    moments = drawn(20, 1, seed=3)[0]
    for count in (1, 2, 5, 11):
        curve = curve_of_moments(moments, [2**k for k in range(count)])
        row = curve.sizes[0]
        quantile = (row.high - row.brier) / moments.standard_error(1, 1)
        bonferroni = stats.t.isf(0.05 / (2 * count), 19)
        scheffe = math.sqrt(2 * 19 / 18 * stats.f.isf(0.05, 2, 18))
        assert quantile == pytest.approx(min(bonferroni, scheffe))
        for gain in curve.gains:
            error = moments.standard_error(0, 1 / gain.below - 1 / gain.trees)
            assert gain.high - gain.gain == pytest.approx(stats.t.isf(0.025, 19) * error)


def test_the_standard_error_is_the_spread_between_forests() -> None:
    forests = drawn(20, 1000, seed=4)
    for of_a, of_b in [(1.0, 0.0), (1.0, 1.0), (1.0, 1 / 64), (0.0, 3 / 16)]:
        spread = np.std([of_a * f.a + of_b * f.b for f in forests], ddof=1)
        estimated = math.sqrt(np.mean([f.standard_error(of_a, of_b) ** 2 for f in forests]))
        assert estimated == pytest.approx(spread, rel=0.12)


@pytest.mark.parametrize("classes", [None, 3])
def test_leaving_out_in_closed_form_is_leaving_out(classes: int | None) -> None:
    p, labels = some_forest(classes=classes)
    r = residuals(p, labels).reshape(len(p), -1)
    moments = TreeMoments.from_gram(r @ r.T, len(labels))
    a, b = moments.left_out()
    naive = [forest_curve(np.delete(p, t, axis=0), labels, [1]) for t in range(len(p))]
    assert a == pytest.approx([curve.a for curve in naive])
    assert b == pytest.approx([curve.b for curve in naive])

    at = np.array([curve.brier_at(5) for curve in naive])
    error = math.sqrt((len(p) - 1) / len(p) * np.sum((at - at.mean()) ** 2))
    assert moments.standard_error(1, 1 / 5) == pytest.approx(error)
    size = forest_curve(p, labels, [5], alpha=0.1).sizes[0]
    assert size.high - size.brier == pytest.approx(stats.t.ppf(0.95, len(p) - 1) * error)


def test_over_both_classes_everything_is_twice_that_of_one() -> None:
    p, labels = some_forest(classes=None)
    one = forest_curve(p, labels == 1, [1, 4, 16])
    two = forest_curve(np.stack([1 - p, p], axis=-1), labels, [1, 4, 16])
    for ours, theirs in zip(two.sizes, one.sizes, strict=True):
        twice = [2 * theirs.brier, 2 * theirs.low, 2 * theirs.high]
        assert [ours.brier, ours.low, ours.high] == pytest.approx(twice)
        assert ours.error == theirs.error
    assert [g.high for g in two.gains] == pytest.approx([2 * g.high for g in one.gains])
    assert two.limit == pytest.approx(2 * one.limit)
    margins = [0.001, 0.01, 0.05]
    assert [two.sufficient(2 * d) for d in margins] == [one.sufficient(d) for d in margins]


def test_a_tree_at_a_time_and_a_gram_matrix_give_the_same_curve() -> None:
    p, labels = some_forest()
    r = residuals(p, labels)
    stream = TreeResiduals()
    for tree in r:
        stream.add(tree)
    curve = forest_curve(p, labels, [2, 4])
    assert stream.estimates() == pytest.approx((curve.a, curve.b))
    for tree in r:
        stream.revisit(tree)
    flat = r.reshape(len(p), -1)
    for moments in (stream.moments(), TreeMoments.from_gram(flat @ flat.T, len(labels))):
        other = curve_of_moments(moments, [2, 4])
        assert other.sizes[1].high == pytest.approx(curve.sizes[1].high)
        assert other.gains[0].low == pytest.approx(curve.gains[0].low)
        assert (other.trees, other.examples) == (curve.trees, curve.examples) == (7, 11)
        assert other.sizes[1].error is None


def test_a_second_pass_must_be_the_first_one_again() -> None:
    p, labels = some_forest()
    r = residuals(p, labels)
    stream = TreeResiduals()
    with pytest.raises(ValueError, match="residuals of 0 trees"):
        stream.estimates()
    for tree in r:
        stream.add(tree)
    with pytest.raises(ValueError, match="7 trees were added and 0 revisited"):
        stream.moments()
    with pytest.raises(ValueError, match="tree 0 is not the one"):
        stream.revisit(r[1])
    stream.revisit(r[0])
    with pytest.raises(ValueError, match="once the second pass has begun"):
        stream.add(r[0])
    for tree in r[1:]:
        stream.revisit(tree)
    with pytest.raises(ValueError, match="had 7 trees and no more"):
        stream.revisit(r[0])


@pytest.mark.parametrize(
    "tree", [np.zeros(()), np.zeros((0, 3)), np.zeros((2, 3)), np.full((11, 3), np.nan)]
)
def test_residuals_that_are_none_are_refused(tree: Array) -> None:
    stream = TreeResiduals()
    stream.add(np.zeros((11, 3)))
    with pytest.raises(ValueError, match="residuals"):
        stream.add(tree)


@pytest.mark.parametrize("classes", [None, 3])
def test_errors_are_those_of_the_first_trees(classes: int | None) -> None:
    p, labels = some_forest(5, 40, classes)
    curve = forest_curve(p, labels, [1, 3, 5, 6])
    for size in curve.sizes[:3]:
        mean = p[: size.trees].mean(axis=0)
        vote = mean > 0.5 if classes is None else mean.argmax(axis=1)
        assert size.error == np.mean(vote != labels)
    assert curve.sizes[3].error is None


def test_hard_votes_err_as_the_majority_does_and_a_tie_goes_to_the_first_class() -> None:
    votes = np.array([[1, 0, 1], [1, 1, 0], [0, 1, 1]])
    curve = forest_curve(votes, [1, 1, 1], [1, 2, 3])
    assert [size.error for size in curve.sizes] == [1 / 3, 2 / 3, 0]
    both = forest_curve(np.stack([1 - votes, votes], axis=-1), [1, 1, 1], [1, 2, 3])
    assert [size.error for size in both.sizes] == [1 / 3, 2 / 3, 0]


@settings(deadline=None)
@given(
    b=st.floats(1e-4, 1),
    margin=st.floats(1e-5, 0.5),
    sizes=st.sets(st.integers(1, 4096), min_size=1, max_size=8).map(sorted),
)
def test_what_suffices_is_what_every_other_curve_says(
    b: float, margin: float, sizes: list[int]
) -> None:
    """Agrees with the rule that the verdict and the climb use, unless rounding decides."""
    # One example, two opposed trees: a is 0 - b/2 and ‖r‖² is b/2.
    gram = np.array([[b / 2, -b / 2], [-b / 2, b / 2]])
    curve = curve_of_moments(TreeMoments.from_gram(gram, 1), sizes)
    assert curve.b == pytest.approx(b)
    worths = [
        b * (1 / k - 1 / j) - margin * math.log2(j / k) for k, j in itertools.combinations(sizes, 2)
    ]
    if any(abs(worth) < 1e-9 for worth in worths):
        return
    question = Question("f", "forest", "trees", tuple(sizes), "brier", "minimize", margin)
    scores = {k: {0: curve.brier_at(k)} for k in sizes}
    assert curve.sufficient(margin) == assess(question, scores).estimated_sufficient


def test_a_known_forest_suffices_where_a_doubling_gains_less_than_the_margin() -> None:
    """b = 0.64: from T to 2T it gains 0.32/T, so 0.02 at 16 and 0.01 at 32 trees."""
    gram = 0.64 * np.eye(10) + 0.36
    curve = curve_of_moments(TreeMoments.from_gram(gram, 1), [1, 2, 4, 8, 16, 32, 64])
    assert (curve.limit, curve.b) == pytest.approx((0.36, 0.64))
    assert curve.sufficient(0.021) == 16
    assert curve.sufficient(0.019) == 32
    assert curve.sufficient(0.0) == 64
    assert curve.sufficient(1.0) == 1


@pytest.mark.parametrize("seed", range(10))
def test_equal_trees_gain_nothing_and_rounding_does_not_make_fewer_better(seed: int) -> None:
    tree = np.random.default_rng(seed).random((1, 9))
    curve = forest_curve(np.repeat(tree, 5, axis=0), np.arange(9) % 2, [1, 2, 4])
    assert [g.gain for g in curve.gains] == pytest.approx([0, 0])
    assert all(g.gain >= 0 for g in curve.gains)
    assert curve.sufficient(1e-6) == 1
    assert curve.sufficient(0.0) == 4
    assert curve.limit_high == pytest.approx(curve.limit)


def test_two_trees_estimate_but_bound_nothing() -> None:
    p, labels = some_forest(2)
    curve = forest_curve(p, labels, [1, 8])
    assert math.isfinite(curve.brier_at(8))
    assert (curve.limit_low, curve.limit_high) == (-math.inf, math.inf)
    assert (curve.gains[0].low, curve.sizes[0].high) == (-math.inf, math.inf)


def test_a_forest_of_digits_predicts_what_refits_score() -> None:
    """A fit of 60 trees foretells forests of 5, 20 and, by extrapolation, 150 trees."""
    from sklearn.datasets import load_digits
    from sklearn.ensemble import RandomForestClassifier

    x, y = load_digits(return_X_y=True)
    train, test = np.arange(0, 500), np.arange(500, 1500)

    def fit(trees: int, seed: int) -> Any:
        return RandomForestClassifier(trees, random_state=seed).fit(x[train], y[train])

    forest = fit(60, 0)
    p = np.stack([tree.predict_proba(x[test]) for tree in forest.estimators_])
    sizes = {5: 15, 20: 10, 150: 4}
    curve = forest_curve(p.astype(np.float32), y[test], list(sizes))
    for row, (trees, refits) in zip(curve.sizes, sizes.items(), strict=True):
        briers = []
        for seed in range(1, refits + 1):
            mean = fit(trees, seed).predict_proba(x[test])
            briers.append(np.mean(np.sum((mean - np.eye(10)[y[test]]) ** 2, axis=1)))
        jackknife = (row.high - row.brier) / stats.t.isf(0.05 / 6, 59)
        error = math.hypot(jackknife, np.std(briers, ddof=1) / math.sqrt(refits))
        assert abs(row.brier - np.mean(briers)) < 4 * error
        assert error < 0.05 * row.brier  # or the test would agree with anything
    assert curve.sizes[1].error is not None
    assert curve.sizes[1].error < 0.3


def spoilt(where: float) -> Array:
    p, _ = some_forest()
    p[2, 3, 1] = where
    return p


P, LABELS = some_forest()
BINARY = some_forest(classes=None)[0]


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("probabilities", (P[0, 0], LABELS, [1])),
        ("probabilities", (P[:1], LABELS, [1])),
        ("probabilities", (P[:, :, :1], LABELS, [1])),
        ("probabilities", (P[:, :0], LABELS[:0], [1])),
        ("probabilities", (spoilt(math.nan), LABELS, [1])),
        ("probabilities", (spoilt(1.1), LABELS, [1])),
        ("probabilities", (spoilt(-0.1), LABELS, [1])),
        ("labels", (P, LABELS[:-1], [1])),
        ("labels", (P, LABELS + 1, [1])),
        ("labels", (P, LABELS - 1, [1])),
        ("labels", (P, LABELS.astype(float), [1])),
        ("labels", (BINARY, np.full(11, 2), [1])),
        ("sizes", (P, LABELS, [])),
        ("sizes", (P, LABELS, [0, 1])),
        ("sizes", (P, LABELS, [1.5])),
        ("sizes", (P, LABELS, [True, 2])),
        ("sizes", (P, LABELS, [2, 1])),
        ("sizes", (P, LABELS, [2, 2])),
        ("alpha", (P, LABELS, [1], 0.0)),
        ("alpha", (P, LABELS, [1], 1.0)),
    ],
)
def test_what_is_wrong_is_named(name: str, arguments: tuple[Any, ...]) -> None:
    with pytest.raises(ValueError, match=name):
        forest_curve(*arguments)


@pytest.mark.parametrize("margin", [-0.1, math.nan, math.inf])
def test_a_margin_that_is_none_is_refused(margin: float) -> None:
    curve = forest_curve(P, LABELS, [1, 2])
    with pytest.raises(ValueError, match="margin is"):
        curve.sufficient(margin)
    with pytest.raises(ValueError, match="trees: 0 is not"):
        curve.brier_at(0)


@pytest.mark.parametrize(
    ("gram", "examples"),
    [
        (np.ones((2, 3)), 5),
        (np.ones((1, 1)), 5),
        (np.array([[1.0, 2], [3, 4]]), 5),
        (np.array([[1.0, math.inf], [math.inf, 4]]), 5),
        (np.array([[-1.0, 0], [0, 1]]), 5),
        (np.eye(3), 0),
    ],
)
def test_a_gram_matrix_that_is_none_is_refused(gram: Array, examples: int) -> None:
    with pytest.raises(ValueError, match=r"gram|examples"):
        TreeMoments.from_gram(gram, examples)
