"""Learners are told apart, grouped and found good enough as by brute force over SciPy's tests."""

import itertools
import math
import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from tuner.curve import LearnerComparison, Question
from tuner.record import Measurement, Outcome, Phase, make_setting, measurement_id
from tuner.returns import Entry, compare, compare_record, paired_bounds
from tuner.returns.designs import FIXED, SEQUENTIAL, Resampled

pytestmark = pytest.mark.filterwarnings("error")

# A busy machine is no failure of the property.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

ALPHA, MARGIN = 0.1, 0.05
NAMES = ("mlp", "svm", "forest", "resnet", "cnn")


def compared(entries: Sequence[Entry], **changes: Any) -> LearnerComparison | None:
    asked: dict[str, Any] = {
        "metric": "error",
        "direction": "minimize",
        "margin": MARGIN,
        "alpha": ALPHA,
        "design": FIXED,
    }
    return compare(entries, **{**asked, **changes})


def found_in(entries: Sequence[Entry], **changes: Any) -> LearnerComparison:
    found = compared(entries, **changes)
    assert found is not None
    return found


def entry(
    name: str, scores: Sequence[float], cost: float | None = 1.0, shown: bool = True
) -> Entry:
    return Entry(name, 4, shown, dict(enumerate(scores)), cost)


@st.composite
def fields(draw: st.DrawFn, least: int = 2, most: int = 5) -> list[Entry]:
    """Returns learners of near and far means, on replicates that most of them have."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    learners, n = draw(st.integers(least, most)), draw(st.integers(3, 8))
    means = 0.3 + rng.choice([0.0, 0.02, 0.04, 0.08], learners)
    noise = draw(st.sampled_from([0.003, 0.01, 0.03]))
    luck = rng.normal(0, 0.05, n)
    return [
        Entry(
            name,
            level=float(rng.integers(1, 9)),
            shown=bool(rng.random() < 0.8),
            scores={
                i: float(mean + luck[i] + rng.normal(0, noise))
                for i in range(n)
                if i < 3 or rng.random() < 0.9
            },
            cost=None if rng.random() < 0.2 else float(rng.integers(1, 4)),
        )
        for name, mean in zip(NAMES, means, strict=False)
    ]


def columns(entries: Sequence[Entry]) -> tuple[list[str], dict[str, list[float]]]:
    """Returns the names, best mean first, and the scores on common replicates."""
    common = sorted(set.intersection(*(set(e.scores) for e in entries)))
    scores = {e.search: [e.scores[i] for i in common] for e in entries}
    return sorted(scores, key=lambda name: (np.mean(scores[name]), name)), scores


@unhurried
@given(fields())
def test_differences_are_the_paired_t_s_at_a_share_of_alpha(entries: list[Entry]) -> None:
    names, scores = columns(entries)
    found = found_in(entries)
    assert [c.search for c in found.contenders] == names
    for c in found.contenders:
        own = next(e for e in entries if e.search == c.search)
        assert (c.level, c.shown, c.cost) == (own.level, own.shown, own.cost)
        assert c.score == pytest.approx(np.mean(scores[c.search]))
    pairs = list(itertools.combinations(names, 2))
    assert [(d.better, d.worse) for d in found.differences] == pairs
    for d in found.differences:
        test = stats.ttest_rel(scores[d.worse], scores[d.better])
        interval = test.confidence_interval(1 - ALPHA / len(pairs))
        assert d.replicates == len(scores[d.better])
        assert d.estimate == pytest.approx(np.mean(scores[d.worse]) - np.mean(scores[d.better]))
        assert d.estimate >= 0
        assert (d.low, d.high) == pytest.approx((interval.low, interval.high))
        assert d.apart == (interval.low > 0)
        assert (d.practically_equal, d.practically_better) == (None, None)


@unhurried
@given(fields())
def test_groups_are_all_the_largest_sets_that_can_t_be_told_apart(entries: list[Entry]) -> None:
    names, _ = columns(entries)
    found = found_in(entries)
    apart = {frozenset((d.better, d.worse)) for d in found.differences if d.apart}

    def alike(group: tuple[str, ...]) -> bool:
        return not any(frozenset(pair) in apart for pair in itertools.combinations(group, 2))

    sets = [
        group
        for size in range(1, len(names) + 1)
        for group in itertools.combinations(names, size)
        if alike(group)
    ]
    largest = [a for a in sets if not any(set(a) < set(b) for b in sets)]
    assert sorted(found.groups) == sorted(largest)
    assert list(found.groups) == sorted(found.groups, key=lambda g: [names.index(x) for x in g])
    assert {name for group in found.groups for name in group} == set(names)


@unhurried
@given(fields())
def test_good_enough_is_the_cheapest_that_nothing_leads_by_the_margin(
    entries: list[Entry],
) -> None:
    names, scores = columns(entries)
    level = ALPHA / (len(names) - 1)
    enough, near = [], False
    for name in names:
        highs = [
            stats.ttest_rel(scores[name], scores[other], alternative="less")
            .confidence_interval(1 - level)
            .high
            for other in names
            if other != name
        ]
        near |= any(abs(high - MARGIN) < 1e-9 for high in highs)
        if all(high < MARGIN for high in highs):
            enough.append(name)
    assume(not near)
    found = found_in(entries)
    cost = {e.search: math.inf if e.cost is None else e.cost for e in entries}
    cheapest = min(enough, key=lambda name: (cost[name], name), default=None)
    assert found.good_enough == cheapest
    assert found.reason.startswith(f"{names[0]} has the best mean")
    if cheapest is None:
        assert "none is shown to be within 0.05 error of the best" in found.reason
    else:
        assert f"{cheapest} at " in found.reason
        assert "not worse than the best by 0.05 error" in found.reason
        assert ("no cost is known" in found.reason) == math.isinf(cost[cheapest])


@unhurried
@given(fields(), st.randoms(use_true_random=False))
def test_the_order_of_learners_and_of_replicates_is_no_matter(
    entries: list[Entry], rng: random.Random
) -> None:
    turned = []
    for e in rng.sample(entries, len(entries)):
        rows = list(e.scores.items())
        rng.shuffle(rows)
        turned.append(replace(e, scores=dict(rows)))
    assert compared(turned, rope=True) == compared(entries, rope=True)


@unhurried
@given(fields())
def test_direction_is_only_a_sign(entries: list[Entry]) -> None:
    turned = [replace(e, scores={i: -s for i, s in e.scores.items()}) for e in entries]
    a, b = found_in(entries), found_in(turned, direction="maximize")
    assert (a.differences, a.groups, a.good_enough) == (b.differences, b.groups, b.good_enough)
    assert [c.score for c in a.contenders] == [-c.score for c in b.contenders]


@unhurried
@given(fields(), st.sampled_from([FIXED, SEQUENTIAL, Resampled(1, 4)]))
def test_practical_equivalence_is_a_t_s_share_within_the_margin(
    entries: list[Entry], design: Any
) -> None:
    _, scores = columns(entries)
    for d in found_in(entries, rope=True, design=design).differences:
        x = np.array(scores[d.worse]) - np.array(scores[d.better])
        n = len(x)
        scale = 1 / n + (1 / 4 if design.name == "resampled" else 0)
        t = stats.t(n - 1, x.mean(), x.std(ddof=1) * math.sqrt(scale))
        assert d.practically_equal == pytest.approx(t.cdf(MARGIN) - t.cdf(-MARGIN), abs=1e-9)
        assert d.practically_better == pytest.approx(t.sf(MARGIN), abs=1e-9)


def test_sequential_comparisons_are_anytime_valid() -> None:
    a, b = [0.3, 0.32, 0.31, 0.29, 0.3], [0.4, 0.41, 0.44, 0.38, 0.4]
    found = found_in([entry("a", a), entry("b", b)], design=SEQUENTIAL, margin=0.2)
    (d,) = found.differences
    x = np.array(b) - np.array(a)
    assert (d.estimate, d.low, d.high) == pytest.approx(paired_bounds(x, ALPHA / 2))
    assert found.good_enough == "a"
    assert paired_bounds(x, ALPHA)[2] < 0.2  # so b would do as well, and costs the same
    assert "the cheapest of 2 such" in found.reason


def test_a_cheap_learner_may_be_good_enough_and_is_named() -> None:
    scores = np.array([0.30, 0.31, 0.29, 0.30, 0.32, 0.28])
    noise = np.array([1, -1, 1, -1, 1, -1]) / 1000
    dear = entry("resnet", scores, cost=100.0)
    cheap = entry("forest", scores + 0.02 + noise, cost=2.0)
    bad = entry("perceptron", scores + 0.2 - noise, cost=0.1)
    found = found_in([dear, cheap, bad])
    assert found.good_enough == "forest"
    assert found.groups == (("resnet",), ("forest",), ("perceptron",))
    assert found.reason == (
        "resnet has the best mean, 0.3 error; forest at 4 is shown to be not worse than the best "
        "by 0.05 error (the cheapest of 2 such)"
    )


def test_scores_in_steps_are_no_surer_than_their_step() -> None:
    first = [0.31, 0.30, 0.32, 0.30]
    found = found_in([entry("a", first), entry("b", [s + 0.01 for s in first])])
    (d,) = found.differences
    error = 0.01 / math.sqrt(4) / math.sqrt(4)
    assert d.high - d.estimate == pytest.approx(stats.t.isf(ALPHA / 2, 3) * error)
    assert d.low < d.estimate


# What can't be compared


def test_there_is_none_with_fewer_than_two_or_without_a_common_replicate() -> None:
    one, two = entry("a", [0.1, 0.2, 0.3]), Entry("b", 1, True, {7: 0.1, 8: 0.2})
    assert compared([]) is None
    assert compared([one]) is None
    assert compared([one, two]) is None
    assert compared([one, Entry("c", 1, True, {})]) is None


def test_one_common_replicate_bounds_nothing() -> None:
    found = found_in([entry("a", [0.1]), entry("b", [0.9])], rope=True)
    (d,) = found.differences
    assert (d.replicates, d.low, d.high) == (1, -math.inf, math.inf)
    assert (d.practically_equal, d.practically_better) == (None, None)
    assert found.good_enough is None
    assert found.groups == (("a", "b"),)


def test_notes_say_what_is_open_what_is_left_out_and_what_is_lacking() -> None:
    found = found_in(
        [
            entry("a", [0.1, 0.2, 0.3], shown=False),
            entry("b", [0.1, 0.2, 0.3, 0.4, 0.5]),
            Entry("c", 1, True, {}),
        ]
    )
    assert found.notes == (
        "a: stands at 4, which isn't shown to be enough",
        "left out, for want of scores: c",
        "compared on the 3 replicates that all have; b had more",
    )
    assert [c.search for c in found.contenders] == ["a", "b"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"direction": "min"}, "direction is 'min'"),
        ({"margin": math.nan}, "margin is nan"),
        ({"margin": -1.0}, "margin is -1.0"),
        ({"margin": math.inf}, "margin is inf"),
        ({"alpha": 0.0}, "alpha is 0.0"),
        ({"alpha": 0.7}, "alpha is 0.7"),
    ],
)
def test_a_wrong_argument_is_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        compared([entry("a", [0.1, 0.2]), entry("b", [0.1, 0.3])], **changes)


@pytest.mark.parametrize("score", [math.nan, math.inf, -math.inf])
def test_a_score_that_is_no_number_is_named(score: float) -> None:
    with pytest.raises(ValueError, match="a: replicate 1 scored"):
        compared([entry("a", [0.1, score]), entry("b", [0.1, 0.3])])


def test_one_search_at_two_levels_is_refused() -> None:
    with pytest.raises(ValueError, match="a search is there twice"):
        compared([entry("a", [0.1, 0.2]), replace(entry("a", [0.1, 0.2]), level=8)])


# From the record of a job

DEPTH = Question("mlp/depth", "mlp", "depth", (1, 2, 4, 8), "error", "minimize", 0.02)
TREES = Question("forest/trees", "forest", "trees", (1, 2, 4), "brier", "minimize", 0.02)
BASE = Question("perceptron", "perceptron", "", (1,), "error", "minimize", 0.02, baseline=True)
SETTING = make_setting({"learning_rate": 0.1})


def row(asked: Question, level: int, replicate: int, cost: float, **scores: float) -> Measurement:
    name = measurement_id("j", asked.search, Phase.MEASURING, level, SETTING, replicate)
    return Measurement(
        name,
        asked.search,
        Phase.MEASURING,
        level,
        SETTING,
        replicate,
        Outcome.COMPLETED,
        scores,
        standalone_device_seconds=cost,
    )


def record(trees: Sequence[float] = (0.5, 0.3, 0.3)) -> list[Measurement]:
    rng = np.random.default_rng(0)
    luck = rng.normal(0, 0.01, 8)
    rows = []
    for asked, means in (
        (DEPTH, (0.5, 0.2, 0.2, 0.2)),
        (TREES, trees),
        (BASE, (0.6,)),
    ):
        for level, mean in zip(asked.levels, means, strict=True):
            for i in range(8):
                value = mean + luck[i] + rng.normal(0, 0.001)
                scores = {asked.metric: value, "error": value}
                rows.append(row(asked, int(level), i, 3.0 * level, **scores))
    return rows


def of_record(rows: list[Measurement], **changes: Any) -> LearnerComparison:
    asked: dict[str, Any] = {"metric": "error", "margin": 0.05}
    found = compare_record([DEPTH, TREES, BASE], rows, **{**asked, **changes})
    assert found is not None
    return found


def test_a_record_is_compared_at_each_search_s_sufficient_level() -> None:
    rows = record()
    found = of_record(rows)
    assert [(c.search, c.level, c.shown, c.cost) for c in found.contenders] == [
        ("mlp/depth", 2, True, 6.0),
        ("forest/trees", 2, False, 6.0),  # one larger level: patience asks for two
        ("perceptron", 1, True, 3.0),
    ]
    assert found.notes == ("forest/trees: stands at 2, which isn't shown to be enough",)
    scores = {
        asked.search: np.array(
            [r.scores["error"] for r in rows if (r.search, r.level) == (asked.search, level)]
        )
        for asked, level in ((DEPTH, 2), (TREES, 2), (BASE, 1))
    }
    d = found.differences[0]
    x = scores["forest/trees"] - scores["mlp/depth"]
    assert (d.estimate, d.low, d.high) == pytest.approx(paired_bounds(x, 0.05 / 6))
    assert found.good_enough == "mlp/depth"
    assert found.contenders[0].score == pytest.approx(scores["mlp/depth"].mean())


def test_neither_the_order_nor_repeats_of_rows_matter() -> None:
    rows = record()
    turned = [*rows, *rows[::3]]
    random.Random(1).shuffle(turned)
    assert of_record(turned, rope=True) == of_record(rows, rope=True)


def test_what_still_rises_is_compared_at_its_top() -> None:
    found = of_record(record(trees=(0.5, 0.4, 0.3)))
    forest = next(c for c in found.contenders if c.search == "forest/trees")
    assert (forest.level, forest.shown) == (4, False)


def test_a_score_that_one_learner_lacks_or_that_is_no_number_is_left_out() -> None:
    rows = record()
    without = [
        replace(r, scores={"brier": r.scores["brier"]}) if r.search == TREES.search else r
        for r in rows
    ]
    found = of_record(without)
    assert [c.search for c in found.contenders] == ["mlp/depth", "perceptron"]
    assert found.notes == ("left out, for want of scores: forest/trees",)
    # The metric of the verdict is there, that of the comparison diverged once.
    once = [
        replace(r, scores={**r.scores, "error": math.nan})
        if r.search == TREES.search and r.replicate == 3
        else r
        for r in rows
    ]
    assert {d.replicates for d in of_record(once).differences} == {7}
    only = [r for r in rows if r.search == DEPTH.search]
    assert compare_record([DEPTH, TREES, BASE], only, metric="error", margin=0.05) is None
    assert compare_record([], [], metric="error", margin=0.05) is None


def test_the_strictest_alpha_counts() -> None:
    strict = [DEPTH, replace(TREES, alpha=0.01), BASE]
    found = compare_record(strict, record(), metric="error", margin=0.05)
    assert found is not None
    usual = of_record(record())
    assert found.differences[0].high > usual.differences[0].high


def test_an_unknown_metric_is_refused() -> None:
    with pytest.raises(KeyError):
        of_record(record(), metric="auc of sorts")


def test_a_replicate_that_lacks_a_search_s_own_metric_counts_under_one_that_it_has() -> None:
    """An attack that ran late on one replicate of every search takes none from clean scores."""
    under = "error@pgd:0.1"
    rows = [
        replace(
            row,
            scores={**row.scores} if row.replicate == 3 else {**row.scores, under: 0.5},
            standalone_device_seconds=100.0 if row.replicate == 3 else 2.0,
        )
        for row in record()
        if row.level == 1
    ]
    asked = [replace(question, metric=under) for question in (DEPTH, TREES, BASE)]
    clean = compare_record(asked, rows, metric="error", margin=0.05)
    robust = compare_record(asked, rows, metric=under, margin=0.05)
    assert clean is not None
    assert robust is not None
    replicates = {row.replicate for row in rows}
    assert {d.replicates for d in clean.differences} == {len(replicates)}
    assert {d.replicates for d in robust.differences} == {len(replicates) - 1}
    assert {c.cost for c in robust.contenders} == {2.0}
    mean = (100 + 2 * (len(replicates) - 1)) / len(replicates)
    assert [c.cost for c in clean.contenders] == pytest.approx([mean] * 3)
    for found in clean.contenders:
        own = [r.scores["error"] for r in rows if r.search == found.search]
        assert found.score == pytest.approx(np.mean(own))
