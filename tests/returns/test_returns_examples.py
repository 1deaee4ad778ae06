"""Verdicts over replicates and examples rest on the crossed variance, written out with loops."""

import itertools
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import stats

from tuner.curve import Question, VerdictOutcome
from tuner.returns import DataError, analyze_examples, mcnemar, paired_bounds
from tuner.returns.assessment import assess_evidence
from tuner.returns.bounds import Floats
from tuner.returns.crossed import MOST_EXAMPLES, Crossed
from tuner.returns.designs import FIXED, MOST_REPLICATES, SEQUENTIAL
from tuner.returns.examples import Examples, clustered

pytestmark = pytest.mark.filterwarnings("error")

# A busy machine is no failure of the property.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

LEVELS = (1, 2, 4)
QUESTION = Question("d", "", "d", LEVELS, "accuracy", "maximize", 0.05)

SHAPES = st.tuples(st.integers(2, 5), st.integers(2, 9), st.integers(0, 2**32 - 1))


def scores(replicates: int, examples: int, seed: int, levels: int = 3) -> Floats:
    """Returns (levels, replicates, examples) with luck of seeds, hard examples and noise."""
    rng = np.random.default_rng(seed)
    sizes = rng.choice([0.0, 0.1, 1.0], 3)
    return (
        rng.normal(0, 0.3, (levels, 1, 1))
        + sizes[0] * rng.normal(0, 1, (levels, replicates, 1))
        + sizes[1] * rng.normal(0, 1, (levels, 1, examples))
        + (sizes[2] + 0.01) * rng.normal(0, 1, (levels, replicates, examples))
    )


def by_hand(d: Floats) -> tuple[float, float, float, float, float]:
    """Returns s_R², s_E², s_RE², the variance of the mean and its degrees of freedom."""
    R, m = d.shape
    rows = [sum(d[r][e] for e in range(m)) / m for r in range(R)]
    columns = [sum(d[r][e] for r in range(R)) / R for e in range(m)]
    mean = sum(rows) / R
    s_r = sum((x - mean) ** 2 for x in rows) / (R - 1)
    s_e = sum((x - mean) ** 2 for x in columns) / (m - 1)
    s_re = 0.0
    for r in range(R):
        for e in range(m):
            s_re += (d[r][e] - rows[r] - columns[e] + mean) ** 2 / ((R - 1) * (m - 1))
    seeds, cases, both = s_r / R, s_e / m, s_re / (R * m)
    variance = seeds + cases - both
    if variance <= max(seeds, cases):
        return s_r, s_e, s_re, max(seeds, cases), (R - 1 if seeds >= cases else m - 1)
    degrees = variance**2 / (
        seeds**2 / (R - 1) + cases**2 / (m - 1) + both**2 / ((R - 1) * (m - 1))
    )
    return s_r, s_e, s_re, variance, max(degrees, min(R - 1, m - 1))


def quantile(level: float, d: Floats) -> float:
    """Returns the wider of Satterthwaite's t and Cochran's mean of both sources' t."""
    (R, m), (s_r, s_e, _, _, degrees) = d.shape, by_hand(d)
    seeds, cases = s_r / R, s_e / m
    both = seeds * stats.t.isf(level, R - 1) + cases * stats.t.isf(level, m - 1)
    return max(stats.t.isf(level, degrees), both / (seeds + cases))


@unhurried
@given(SHAPES)
def test_bounds_are_those_of_the_crossed_formula(shape: tuple[int, int, int]) -> None:
    values = scores(*shape)
    look = assess_evidence(QUESTION, Examples(LEVELS, values, FIXED))
    for (i, k), (j, larger) in itertools.combinations(enumerate(LEVELS), 2):
        d = values[j] - values[i]
        *_, variance, _ = by_hand(d)
        c = look.compare(k, larger)
        assert c is not None
        price = 0.05 * math.log2(larger / k)
        width = quantile(0.05 / 2, d) * math.sqrt(variance)
        assert c.estimate == pytest.approx(d.mean() - price, abs=1e-12)
        assert c.high - c.estimate == pytest.approx(width)
        assert c.estimate - c.low == pytest.approx(width)
        if j == i + 1:
            gain = look.gains[larger]
            wider = quantile(0.05 / 2 / 2, d) * math.sqrt(variance)
            assert gain.high - gain.estimate == pytest.approx(wider)
    for i, k in enumerate(LEVELS):
        *_, variance, _ = by_hand(values[i])
        low, high = look.intervals[k]
        width = quantile(0.05 / 3 / 2, values[i]) * math.sqrt(variance)
        assert (low, high) == pytest.approx((values[i].mean() - width, values[i].mean() + width))
        assert look.errors[k] == pytest.approx(math.sqrt(variance))


def crossed(r: int, m: int, by: tuple[float, float, float], design: Any = FIXED) -> Crossed:
    return Crossed(design, r, m, *by)


def test_the_variance_never_falls_below_either_part() -> None:
    # A residual so large that the sum falls below the larger part: that part stands alone.
    assert crossed(4, 10, (1.0, 0.0, 90.0)).variance() == (1 / 4, 3)
    assert crossed(4, 10, (0.0, 1.0, 90.0)).variance() == (1 / 10, 9)
    # Without a residual the parts add up.
    variance, degrees = crossed(4, 10, (1.0, 5.0, 0.0)).variance()
    assert variance == pytest.approx(1 / 4 + 5 / 10)
    assert degrees == pytest.approx(0.75**2 / (0.25**2 / 3 + 0.5**2 / 9))
    # Degrees are never fewer than the scarcer source has.
    assert crossed(2, 2, (1.0, 1.0, 1.9)).variance()[1] == 1


@unhurried
@given(SHAPES)
def test_a_single_fit_is_a_paired_t_over_examples(shape: tuple[int, int, int]) -> None:
    _, examples, seed = shape
    values = scores(1, examples, seed)
    look = assess_evidence(QUESTION, Examples(LEVELS, values, FIXED))
    for (i, k), (j, larger) in itertools.combinations(enumerate(LEVELS), 2):
        c = look.compare(k, larger)
        assert c is not None
        price = 0.05 * math.log2(larger / k)
        one_sided = 1 - 0.05 / 2
        less = stats.ttest_rel(values[j, 0] - price, values[i, 0], alternative="less")
        more = stats.ttest_rel(values[j, 0] - price, values[i, 0], alternative="greater")
        assert c.high == pytest.approx(less.confidence_interval(one_sided).high, abs=1e-9)
        assert c.low == pytest.approx(more.confidence_interval(one_sided).low, abs=1e-9)
    assert all(row == 1 for row in look.replicates.values())


def test_a_single_fit_says_what_it_speaks_of() -> None:
    rng = np.random.default_rng(3)
    right = rng.random((3, 400)) < np.array([[0.2], [0.5], [0.9]])
    found = analyze_examples(dict(zip(LEVELS, right, strict=True)), margin=0.05)
    assert found.verdict is not None
    assert found.verdict.answer == (VerdictOutcome.RISING, None)
    assert found.verdict.reason.endswith("of these fits, not of other seeds")
    assert found.notes[0].startswith("each level is a single fit")
    assert found.level_probabilities is None
    test = mcnemar(right[0], right[1])
    assert found.notes[1] == (
        f"McNemar, 1 against 2: only 1 is right on {test.only_first}, only 2 on "
        f"{test.only_second}; p = {test.p:.2g} of no difference at all"
    )
    # One number a row is one replicate, however it is nested.
    assert analyze_examples({k: [row] for k, row in zip(LEVELS, right, strict=True)}, margin=0.05)


# Sequential designs


@unhurried
@given(SHAPES, st.booleans())
def test_a_sequential_design_survives_the_bound_over_replicates(
    shape: tuple[int, int, int], coarse: bool
) -> None:
    """Scores of 0 and 1 on few examples often give replicates of one mean."""
    values = scores(*shape)
    if coarse:
        values = (values > 0).astype(float)
    evidence = Examples(LEVELS, values, SEQUENTIAL, step=1.0 if coarse else 0.0)
    look = assess_evidence(QUESTION, evidence)
    plain = assess_evidence(QUESTION, replace(evidence, design=FIXED))
    m = values.shape[2]
    gaps = np.diff(np.unique(values))
    step = 1.0 if coarse else gaps.min()
    for (i, k), (j, larger) in itertools.combinations(enumerate(LEVELS), 2):
        c, fixed = look.compare(k, larger), plain.compare(k, larger)
        assert c is not None
        assert fixed is not None
        means = values[j].mean(axis=1) - values[i].mean(axis=1)
        if np.ptp(means) < 1e-12:
            means = np.full(len(means), means[0])
        _, low, high = paired_bounds(means, 0.05 / 2, step=step / m)
        width, over = c.high - c.estimate, (high - low) / 2
        assert width >= over * (1 - 1e-9)
        assert width >= (fixed.high - fixed.estimate) * (1 - 1e-9)
        assert width == pytest.approx(max(over, fixed.high - fixed.estimate))


# Nothing varies


def test_identical_predictions_give_no_width_of_zero() -> None:
    rng = np.random.default_rng(1)
    row = rng.random((4, 50)) < 0.8
    for replicates in (row[:1], row):
        for design in ("fixed", "sequential"):
            found = analyze_examples(
                {1: replicates, 2: replicates, 4: replicates},
                margin=0.001,
                design=design,  # type: ignore[arg-type]
            )
            assert found.verdict is not None
            assert found.verdict.outcome is VerdictOutcome.INCONCLUSIVE
            assert all(gain.estimate == 0 for gain in found.gains)
            assert all(gain.high >= 1 / 50 for gain in found.gains)  # one example's worth
            assert "differ by the same amount in every" in found.notes[0]


def test_a_level_that_is_right_on_every_example_still_has_an_interval() -> None:
    rng = np.random.default_rng(1)
    right = rng.random((3, 50)) < 0.5
    right[2] = True
    found = analyze_examples(dict(zip(LEVELS, right, strict=True)), margin=0.05)
    row = found.at(4)
    assert row.score == 1
    assert row.low is not None
    assert row.low < 1 - 1 / 50


@pytest.mark.parametrize(("examples", "plateaus"), [(10, False), (100_000, True)])
def test_all_right_everywhere_is_worth_its_examples(examples: int, plateaus: bool) -> None:
    right = np.ones(examples, dtype=bool)
    found = analyze_examples({1: right, 2: right, 4: right}, margin=0.005)
    assert found.verdict is not None
    assert (found.verdict.outcome is VerdictOutcome.PLATEAUED) == plateaus
    assert found.gains[0].high == pytest.approx(stats.t.isf(0.0125, examples - 1) / examples)


def test_one_number_everywhere_bounds_nothing() -> None:
    """Of a loss no step is known, so that nothing is known of other examples."""
    loss = np.full((6, 30), 0.1)
    found = analyze_examples({1: loss, 2: loss, 4: loss}, margin=0.05, direction="minimize")
    assert found.verdict is not None
    assert found.verdict.outcome is VerdictOutcome.INCONCLUSIVE
    assert all((row.low, row.high) == (-math.inf, math.inf) for row in found.levels)
    assert all(gain.high == math.inf for gain in found.gains)
    assert (found.needed.replicates, found.needed.examples) == (None, None)
    assert "examples on which some score differs from another" in found.needed.reason


def test_differences_that_cancel_over_replicates_and_examples_are_not_certain() -> None:
    first = np.array([[0.0, 1.0, 0.0, 1.0], [1.0, 0.0, 1.0, 0.0]])
    found = analyze_examples({1: first, 2: 1 - first, 4: first}, margin=0.05)
    assert found.gains[0].estimate == 0
    assert found.gains[0].high > 0.25


# Clusters


def test_clusters_of_one_change_nothing() -> None:
    values = scores(3, 12, 5)
    plain = analyze_examples(dict(zip(LEVELS, values, strict=True)), margin=0.05)
    names = [f"patient {i}" for i in range(12)]
    found = analyze_examples(dict(zip(LEVELS, values, strict=True)), margin=0.05, groups=names)
    for a, b in zip(found.comparisons, plain.comparisons, strict=True):
        assert (a.estimate, a.low, a.high) == pytest.approx((b.estimate, b.low, b.high))
    assert found.verdict is not None
    assert plain.verdict is not None
    assert found.verdict.answer == plain.verdict.answer
    assert found.needed == plain.needed


@unhurried
@given(
    st.lists(st.integers(0, 5), min_size=4, max_size=30).filter(lambda c: len(set(c)) > 1),
    st.integers(0, 2**32 - 1),
    st.randoms(use_true_random=False),
)
def test_a_single_fit_s_error_is_the_cluster_robust_one(
    clusters: list[int], seed: int, rng: Any
) -> None:
    """sum over clusters of (sum of residuals)², over m², times G/(G-1): the sandwich of a mean."""
    m = len(clusters)
    values = scores(1, m, seed)
    units = clustered(values, np.array(clusters))
    look = assess_evidence(QUESTION, Examples(LEVELS, units, FIXED))
    d = values[1, 0] - values[0, 0]
    names = sorted(set(clusters))
    meat = 0.0
    for name in names:
        total = sum(d[i] - d.mean() for i in range(m) if clusters[i] == name)
        meat += total**2
    g = len(names)
    error = math.sqrt(meat / m**2 * g / (g - 1))
    gain = look.gains[2]
    assert gain.estimate == pytest.approx(d.mean(), abs=1e-12)
    expected = stats.t.isf(0.05 / 2 / 2, g - 1) * error
    assert gain.high - gain.estimate == pytest.approx(expected, rel=1e-6, abs=1e-9)
    # Neither the order of examples nor the names of clusters matter.
    order = list(range(m))
    rng.shuffle(order)
    called = np.array([f"c{9 - clusters[i]}" for i in order])
    again = clustered(values[:, :, order], called)
    assert np.sort(again, axis=2) == pytest.approx(np.sort(units, axis=2))


def test_a_replicate_s_luck_is_no_cluster_s() -> None:
    """A seed that lifts all examples alike leaves no residual, whatever the clusters' sizes."""
    luck = np.array([0.0, 1.0, -1.0, 2.0])[None, :, None]
    values = np.array([1.0, 2.0])[:, None, None] * (luck + np.zeros((2, 4, 10)))
    units = clustered(values, np.array([0] * 7 + [1, 2, 3]))
    assert units == pytest.approx(np.broadcast_to(values[:, :, :1], units.shape))


def test_clusters_of_alike_examples_are_worth_fewer() -> None:
    rng = np.random.default_rng(0)
    of_patient = rng.normal(0, 1, (3, 1, 20)).repeat(10, axis=2)
    values = dict(zip(LEVELS, of_patient + rng.normal(0, 0.1, (3, 2, 200)), strict=True))
    groups = np.repeat(np.arange(20), 10)
    plain = analyze_examples(values, margin=0.05)
    found = analyze_examples(values, margin=0.05, groups=groups)
    for a, b in zip(found.gains, plain.gains, strict=True):
        assert a.estimate == pytest.approx(b.estimate)
        assert (a.high - a.low) > 2.5 * (b.high - b.low)
    # Needed are examples, ten to a patient.
    assert found.needed.examples is None or found.needed.examples % 10 == 0


def test_mcnemar_is_not_offered_where_examples_come_in_groups() -> None:
    right = np.random.default_rng(0).random((3, 40)) < 0.5
    table = dict(zip(LEVELS, right, strict=True))
    assert any("McNemar" in note for note in analyze_examples(table, margin=0.05).notes)
    grouped = analyze_examples(table, margin=0.05, groups=np.arange(40) // 2)
    assert not any("McNemar" in note for note in grouped.notes)


# What is needed


def short(c: Crossed, replicates: int, examples: int, distance: float, level: float) -> bool:
    """Tells whether half-width and .84 standard errors of such numbers are too much."""
    seeds = max(c.by_replicate - c.residual / c.examples, 0) + c.residual / examples
    cases = max(c.by_example - c.residual / c.replicates, 0) + c.residual / replicates
    there = replace(
        c, replicates=replicates, examples=examples, by_replicate=seeds, by_example=cases
    )
    return there.half_width(level) + 0.84 * there.standard_error > distance


@unhurried
@given(
    st.integers(2, 8),
    st.integers(2, 60),
    st.tuples(*[st.sampled_from([0.01, 0.3, 1.0, 20.0])] * 3),
    st.sampled_from([FIXED, SEQUENTIAL]),
    st.floats(0.02, 3.0),
)
def test_the_numbers_that_are_needed_do_and_one_fewer_would_not(
    replicates: int, examples: int, by: tuple[float, float, float], design: Any, distance: float
) -> None:
    c = crossed(replicates, examples, by, design)
    n = c.replicates_needed(distance, 0.01)
    # Small numbers one by one: with few examples, more replicates needn't be better.
    first = next((i for i in range(2, 100) if not short(c, i, examples, distance, 0.01)), None)
    if n is None or n >= 100:
        assert first is None
    else:
        assert n == first
    if n is not None:
        assert n <= MOST_REPLICATES
        assert not short(c, n, examples, distance * (1 + 1e-9), 0.01)
        assert n == 2 or short(c, n - 1, examples, distance * (1 - 1e-9), 0.01)
    m = c.examples_needed(distance, 0.01)
    first = next((i for i in range(2, 60) if not short(c, replicates, i, distance, 0.01)), None)
    if m is None or m >= 60:
        assert first is None
    else:
        assert m == first
    if m is not None:
        assert m <= MOST_EXAMPLES
        assert not short(c, replicates, m, distance * (1 + 1e-9), 0.01)
        assert m == 2 or short(c, replicates, m - 1, distance * (1 - 1e-9), 0.01)


def test_more_examples_help_though_at_last_the_few_replicates_govern() -> None:
    """At a billion examples a t with one degree of freedom rules, and the bound is wider."""
    c = crossed(2, 50, (0.003, 4.0, 0.01))
    m = c.examples_needed(0.8, 0.01)
    assert m is not None
    assert not short(c, 2, m, 0.8, 0.01)
    assert short(c, 2, m - 1, 0.8, 0.01)
    assert short(c, 2, MOST_EXAMPLES, 0.8, 0.01)


def test_no_number_of_replicates_mends_what_the_examples_lack() -> None:
    rng = np.random.default_rng(2)
    hard = rng.normal(0, 1, (3, 1, 30))
    values = hard + rng.normal(0, 0.01, (3, 6, 30))
    values -= values.mean(axis=(1, 2), keepdims=True) - np.array([0.0, 0.2, 0.3])[:, None, None]
    found = analyze_examples(dict(zip(LEVELS, values, strict=True)), margin=0.05)
    assert found.verdict is not None
    assert found.verdict.outcome is VerdictOutcome.INCONCLUSIVE
    assert found.needed.replicates is None
    assert found.needed.examples is not None
    assert found.needed.examples > 30
    assert "more test examples at the present spread" in found.needed.reason
    assert "replicate" not in found.needed.reason


def test_no_number_of_examples_mends_what_the_replicates_lack() -> None:
    rng = np.random.default_rng(2)
    lucky = rng.normal(0, 1, (3, 6, 1))
    values = lucky + rng.normal(0, 0.01, (3, 6, 30))
    values -= values.mean(axis=(1, 2), keepdims=True) - np.array([0.0, 0.2, 0.5])[:, None, None]
    found = analyze_examples(dict(zip(LEVELS, values, strict=True)), margin=0.05)
    assert found.needed.examples is None
    assert found.needed.replicates is not None
    assert "more test example" not in found.needed.reason


def test_where_neither_would_do_alone_it_says_so() -> None:
    rng = np.random.default_rng(2)
    values = rng.normal(0, 1, (3, 3, 1)) + rng.normal(0, 1, (3, 1, 5))
    values -= values.mean(axis=(1, 2), keepdims=True) - np.array([0.0, 0.11, 0.17])[:, None, None]
    found = analyze_examples(dict(zip(LEVELS, values, strict=True)), margin=0.05)
    assert (found.needed.replicates, found.needed.examples) == (None, None)
    assert "not by replicates: neither more of them nor more test examples" in found.needed.reason


# Units, order, arguments


@unhurried
@given(SHAPES, st.sampled_from([-900, -300, 8, 300, 900]), st.sampled_from([FIXED, SEQUENTIAL]))
def test_the_unit_of_the_score_is_no_matter(
    shape: tuple[int, int, int], power: int, design: Any
) -> None:
    values, unit = scores(*shape), 2.0**power
    look = assess_evidence(QUESTION, Examples(LEVELS, values, design))
    asked = replace(QUESTION, margin=0.05 * unit)
    other = assess_evidence(asked, Examples(LEVELS, values * unit, design))
    for a, b in zip(other.comparisons, look.comparisons, strict=True):
        assert (a.estimate, a.low, a.high) == (b.estimate * unit, b.low * unit, b.high * unit)
    assert other.needed == replace(look.needed, reason=other.needed.reason)
    assert other.verdict.answer == look.verdict.answer


@settings(unhurried, max_examples=30)
@given(SHAPES, st.randoms(use_true_random=False))
def test_neither_the_order_of_levels_nor_the_direction_matters(
    shape: tuple[int, int, int], rng: Any
) -> None:
    table = dict(zip(LEVELS, scores(*shape), strict=True))
    found = analyze_examples(table, margin=0.05)
    order = list(table)
    rng.shuffle(order)
    assert analyze_examples({k: table[k] for k in order}, margin=0.05) == found
    turned = analyze_examples(
        {k: -values for k, values in table.items()}, margin=0.05, direction="minimize"
    )
    assert (turned.gains, turned.verdict, turned.needed) == (
        found.gains,
        found.verdict,
        found.needed,
    )


RIGHT = np.arange(20) % 3 > 0


@pytest.mark.parametrize(
    ("examples", "message"),
    [
        ({}, "examples is empty"),
        ({1: RIGHT, 0: RIGHT}, "level 0 can't be doubled"),
        ({1: RIGHT, math.nan: RIGHT}, "level nan can't be doubled"),
        ({1: RIGHT, math.inf: RIGHT}, "level inf can't be doubled"),
        ({1: RIGHT, "2": RIGHT}, "level '2' can't be doubled"),
        ({1: RIGHT, 2: RIGHT[:-1]}, "column '2': its shape is .1, 19. where level 1 has .1, 20."),
        ({1: RIGHT, 2: [RIGHT, RIGHT]}, "column '2': its shape is .2, 20."),
        ({1: RIGHT, 2: [[RIGHT]]}, "column '2': its shape is .1, 1, 20."),
        ({1: [True], 2: [False]}, "column '1': .*two examples at least"),
        ({1: RIGHT, 2: 0.5}, "column '2': .*two examples at least"),
        ({1: RIGHT, 2: ["x"] * 20}, "column '2': it is no array of numbers"),
        ({1: RIGHT, 2: [[1, 0], [1]]}, "column '2': it is no array of numbers"),
        ({1: RIGHT, 2: [*[0.5] * 19, math.nan]}, "column '2': replicate 0, example 19 is nan"),
        ({1: RIGHT, 2: [*[0.5] * 18, math.inf, 1]}, "column '2': replicate 0, example 18 is inf"),
    ],
)
def test_a_wrong_array_is_named(examples: dict[Any, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        analyze_examples(examples, margin=0.05)
    assert isinstance(caught.value, DataError) == message.startswith("column")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"margin": -1.0}, "margin is -1.0"),
        ({"design": "adaptive"}, "design is 'adaptive'"),
        ({"groups": [1] * 20}, "all examples are in one group"),
        ({"groups": [1, 2]}, r"groups: \(2,\) names for 20 examples"),
        ({"groups": [None, "a"] * 10}, "groups: some are text and some are not"),
        ({"costs": {1: -5.0}}, "costs: level 1 has -5.0"),
        ({"costs": {1: math.nan}}, "costs: level 1 has nan"),
        ({"costs": {2: math.inf}}, "costs: level 2 has inf"),
        ({"costs": {8: 1.0}}, "costs: level 8 is not among"),
        ({"breaks": [(1, 4, "it")]}, "no neighbouring levels"),
    ],
)
def test_a_wrong_argument_is_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        analyze_examples({1: RIGHT, 2: RIGHT, 4: RIGHT}, **{"margin": 0.05, **changes})


def test_costs_reach_the_curve() -> None:
    table = dict(zip(LEVELS, scores(2, 9, 1), strict=True))
    found = analyze_examples(table, margin=0.05, costs={1: 2.0, 2.0: 3.0}, cost="hours", knee=True)
    assert found.gains[0].cost_ratio == 1.5
    assert found.gains[0].gain_per_cost == pytest.approx(found.gains[0].estimate)
    assert found.gains[1].cost_ratio is None
    assert found.costs.trend is not None
    assert found.costs.trend.unit == "hours"
