"""Anybody's table: published curves say what they can, and the order of rows changes no digit."""

import csv
import math
import random
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from published_curves import (
    CURVES,
    EFFICIENTNET,
    RESNET_CIFAR,
    RESNET_IMAGENET,
    VGG,
    WRN_CIFAR10,
    WRN_CIFAR100,
)
from scipy import stats

from tuner.curve import Curve, VerdictOutcome
from tuner.returns import DataError, analyze, knee
from tuner.returns.extrapolation import next_doubling

pytestmark = pytest.mark.filterwarnings("error")

# A busy machine is no failure of the property.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=60)

Published = tuple[str, str, str, str]
Table = dict[str, list[Any]]

PUBLISHED = [EFFICIENTNET, RESNET_CIFAR, RESNET_IMAGENET, VGG, WRN_CIFAR10, WRN_CIFAR100]


def published(of: Published) -> tuple[Table, dict[str, Any]]:
    """Returns a table as its file has it, all text, and what says how it is read."""
    name, level, score, direction = of
    path = CURVES / f"{name}.csv"
    if not path.exists():
        pytest.skip("the published curves are not beside this checkout")
    with path.open() as lines:
        rows = list(csv.DictReader(lines))
    table = {column: [row[column] for row in rows] for column in rows[0]}
    return table, {"level": level, "score": score, "direction": direction}


def of(table: Published, **asked: Any) -> Curve:
    frame, columns = published(table)
    return analyze(frame, **columns, **{"margin": 0.5, **asked})


# Published curves


@pytest.mark.parametrize("table", PUBLISHED, ids=lambda table: table[0] + ":" + table[2])
def test_a_table_without_replicates_is_described_and_not_judged(table: Published) -> None:
    frame, columns = published(table)
    found = of(table)
    assert found.verdict is not None
    assert found.verdict.outcome is VerdictOutcome.INCONCLUSIVE
    assert found.verdict.level is None
    assert found.level_probabilities is None
    assert sum("significance can't be had from it" in note for note in found.notes) == 1
    assert all((c.low, c.high) == (-math.inf, math.inf) for c in found.comparisons)
    assert all((gain.low, gain.high) == (-math.inf, math.inf) for gain in found.gains)
    for row in found.levels:
        printed = frame[columns["score"]][
            [float(x) for x in frame[columns["level"]]].index(row.level)
        ]
        if printed:
            assert row.score == float(printed)  # as its source prints it: nothing is smoothed
            assert (row.low, row.high) == (-math.inf, math.inf)
            assert row.margin_supported is None


def test_efficientnet_s_gain_per_doubling_falls_at_every_step() -> None:
    found = [gain.per_doubling for gain in of(EFFICIENTNET).gains]
    assert [round(gain, 2) for gain in found] == [2.37, 1.94, 1.77, 1.06, 0.57, 0.43, 0.31]
    assert found == sorted(found, reverse=True)


@pytest.mark.parametrize("noise", [None, 0.16])
def test_nothing_hides_that_1202_layers_are_worse_than_110(noise: float | None) -> None:
    found = of(RESNET_CIFAR, noise=noise)
    gain = found.at(1202).gain
    assert gain is not None
    assert (gain.below, gain.estimate) == (110, pytest.approx(6.43 - 7.93))
    assert gain.per_doubling < 0
    assert (found.at(110).score, found.at(1202).score) == (6.43, 7.93)
    if noise:
        assert gain.high < 0
        assert found.at(110).high < found.at(1202).low  # type: ignore[operator]
    else:
        assert gain.high == math.inf
    assert found.next_doubling is not None
    assert found.next_doubling.gain <= 0


def test_with_patience_1_resnets_decline_after_110() -> None:
    found = of(RESNET_CIFAR, noise=0.16, patience=1)
    assert found.verdict is not None
    assert found.verdict.answer == (VerdictOutcome.DECLINING, 110)
    assert "1202 is worse by 1.5" in found.verdict.reason
    assert found.needed.reason == ""


def test_with_patience_2_one_larger_level_is_not_enough() -> None:
    verdict = of(RESNET_CIFAR, noise=0.16).verdict
    assert verdict is not None
    assert verdict.outcome is VerdictOutcome.INCONCLUSIVE


@pytest.mark.parametrize("runs", [None, 5])
def test_noise_that_is_given_is_used(runs: int | None) -> None:
    noise, levels = 0.16, 6
    law = stats.norm if runs is None else stats.t(runs - 1)
    found = of(RESNET_CIFAR, noise=noise, noise_runs=runs)
    of_gain = law.isf(0.05 / (levels - 1) / 2) * math.sqrt(2) * noise
    for gain in found.gains:
        assert gain.high - gain.estimate == pytest.approx(of_gain)
        assert gain.estimate - gain.low == pytest.approx(of_gain)
    of_verdict = law.isf(0.05 / (levels - 1)) * math.sqrt(2) * noise
    for c in found.comparisons:
        assert c.high - c.estimate == pytest.approx(of_verdict)
        assert c.estimate - c.low == pytest.approx(of_verdict)
    of_mean = law.isf(0.05 / levels / 2) * noise
    for row in found.levels:
        assert row.score is not None
        assert (row.low, row.high) == pytest.approx((row.score - of_mean, row.score + of_mean))
    assert found.design == "noise"
    how = "exact" if runs is None else "estimated from 5 runs"
    assert any("noise of 0.16 was given" in note and how in note for note in found.notes)
    assert not any("significance" in note for note in found.notes)


def test_noise_shrinks_with_the_runs_behind_a_mean() -> None:
    table = {"k": [1, 1, 1, 1, 2, 2, 2, 2], "i": [0, 1, 2, 3] * 2, "s": [1.0, 3, 2, 2, 4, 5, 7, 4]}
    found = analyze(
        table, level="k", score="s", direction="maximize", margin=0.5, replicate="i", noise=0.3
    )
    (gain,) = found.gains
    assert gain.estimate == 3
    assert gain.high - 3 == pytest.approx(stats.norm.isf(0.025) * math.sqrt(2 / 4) * 0.3)


def test_a_change_of_block_type_is_named_and_not_extrapolated_across() -> None:
    marked = of(RESNET_IMAGENET, breaks=[(34, 50, "the block type")])
    (note,) = [note for note in marked.notes if "changes" in note]
    assert note.startswith("between 34 and 50 the block type changes")
    frame, columns = published(RESNET_IMAGENET)
    depths = [float(x) for x in frame[columns["level"]]]
    scores = [float(x) for x in frame[columns["score"]]]
    assert marked.next_doubling == next_doubling(depths[2:], scores[2:], "maximize", 0.05)
    assert marked.next_doubling != of(RESNET_IMAGENET).next_doubling
    # What lies below the break has no part in what is predicted.
    frame[columns["score"]][:2] = ["10", "20"]
    again = analyze(frame, **columns, margin=0.5, breaks=[(34, 50, "the block type")])
    assert again.next_doubling == marked.next_doubling
    # The step itself is shown all the same.
    gain = marked.at(50).gain
    assert gain is not None
    assert gain.estimate == pytest.approx(76.130 - 73.314)


def test_the_knee_is_there_only_where_it_is_asked_for() -> None:
    assert of(RESNET_CIFAR).knee is None
    frame, columns = published(RESNET_CIFAR)
    depths = [float(x) for x in frame["depth"]]
    errors = [float(x) for x in frame[columns["score"]]]
    asked = of(RESNET_CIFAR, knee=True)
    assert asked.knee == knee(depths, errors, "minimize") == 110
    assert replace(asked, knee=None) == of(RESNET_CIFAR)


def test_an_empty_cell_is_a_level_without_a_score() -> None:
    found = of(WRN_CIFAR100)
    row = found.at(8)
    assert (row.replicates, row.failed, row.score, row.gain) == (0, 1, None, None)
    assert found.unmeasured == (8,)
    said = "level 8: its one replicate failed (no finite score); the verdict leaves it out"
    assert said in found.notes
    assert [gain.level for gain in found.gains] == [2, 4]
    # Its ladder has four levels still, so noise is shared among three gains.
    noisy = of(WRN_CIFAR100, noise=0.2)
    assert noisy.gains[0].high - noisy.gains[0].estimate == pytest.approx(
        stats.norm.isf(0.05 / 3 / 2) * math.sqrt(2) * 0.2
    )


def test_parameters_may_be_what_is_doubled() -> None:
    found = of(EFFICIENTNET, per="params_millions", cost="gflops")
    first = found.gains[0]
    assert first.doublings == pytest.approx(math.log2(7.8 / 5.3))
    assert found.per == "params_millions"
    assert first.cost_ratio == pytest.approx(0.70 / 0.39)
    assert first.gain_per_cost == pytest.approx(2.0 / 0.31)
    assert found.next_doubling is not None
    assert found.next_doubling.level == 132  # of parameters


# The API

SWEEP: Table = {
    "depth": [1, 2, 4, 8] * 4,
    "seed": [i for i in range(4) for _ in range(4)],
    "error": [
        *(0.50, 0.41, 0.40, 0.40),
        *(0.52, 0.42, 0.41, 0.42),
        *(0.49, 0.39, 0.39, 0.38),
        *(0.51, 0.41, 0.41, 0.42),
    ],
    "seconds": [1.0, 2.0, 4.0, 8.0] * 4,
}
ASKED: dict[str, Any] = {
    "level": "depth",
    "score": "error",
    "direction": "minimize",
    "margin": 0.05,
    "replicate": "seed",
}


def sweep(frame: Any = SWEEP, **changes: Any) -> Curve:
    return analyze(frame, **{**ASKED, **changes})


def test_what_a_user_is_promised() -> None:
    found = sweep(cost="seconds", design="fixed")
    assert found.verdict is not None
    assert found.verdict.answer == (VerdictOutcome.PLATEAUED, 2)
    assert [gain.level for gain in found.gains] == [2, 4, 8]
    assert found.level_probabilities is None  # four replicates
    assert found.next_doubling is not None
    assert found.next_doubling.level == 16
    assert (found.needed.replicates, found.needed.examples, found.needed.reason) == (None, None, "")
    assert (found.search, found.axis, found.metric) == ("depth", "depth", "error")
    assert found.at(8).standalone_device_seconds == 8
    assert found.gains[1].cost_ratio == 2
    assert found.gains[0].gain_per_cost == pytest.approx(np.mean([0.09, 0.10, 0.10, 0.10]) / 1)
    assert found.costs.trend is not None
    assert found.costs.trend.exponent == pytest.approx(1)
    assert found.costs.trend.unit == "seconds"


def test_a_design_that_is_not_named_is_fixed_and_said_to_be() -> None:
    named, taken = sweep(design="fixed"), sweep()
    (note,) = set(taken.notes) - set(named.notes)
    assert note.startswith("the number of replicates is taken as fixed beforehand")
    assert replace(taken, notes=()) == replace(named, notes=())


def test_looking_before_going_on_is_wider() -> None:
    fixed, sequential = sweep(design="fixed"), sweep(design="sequential")
    assert sequential.design == "sequential"
    for a, b in zip(fixed.gains, sequential.gains, strict=True):
        assert a.estimate == b.estimate
        assert b.high - b.low > a.high - a.low


def test_a_declared_level_that_was_never_measured_counts() -> None:
    found = sweep(ladder=[1, 2, 4, 8, 16.0], design="fixed")
    assert found.unmeasured == (16,)
    wider = sweep(design="fixed").gains[0].high < found.gains[0].high
    assert wider  # a share of alpha is kept for it
    with pytest.raises(DataError, match="level 8 is not on the ladder"):
        sweep(ladder=[1, 2, 4])


def test_a_frame_and_a_mapping_are_read_alike() -> None:
    frame = pandas.DataFrame(SWEEP)
    frame.index = frame.index[::-1]  # what a row is called means nothing
    assert sweep(frame, cost="seconds") == sweep(cost="seconds")
    arrays: Mapping[str, Any] = {name: np.array(column) for name, column in SWEEP.items()}
    assert sweep(arrays, cost="seconds") == sweep(cost="seconds")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"direction": "down"}, "direction is 'down'"),
        ({"margin": -0.1}, "margin is -0.1"),
        ({"margin": math.nan}, "margin is nan"),
        ({"margin": math.inf}, "margin is inf"),
        ({"alpha": 0.0}, "alpha is 0.0"),
        ({"alpha": 0.5}, "alpha is 0.5"),
        ({"alpha": math.nan}, "alpha is nan"),
        ({"patience": 0}, "patience is 0"),
        ({"design": "adaptive"}, "design is 'adaptive'"),
        ({"noise": 0.0}, "noise is 0.0"),
        ({"noise": -1.0}, "noise is -1.0"),
        ({"noise": math.inf}, "noise is inf"),
        ({"noise": 0.1, "noise_runs": 1}, "noise_runs is 1"),
        ({"noise_runs": 5}, "give noise, too"),
        ({"noise": 0.1, "design": "fixed"}, "design and noise can't go together"),
        ({"noise": 0.1, "resampled": (1, 9)}, "noise and resampled can't go together"),
        ({"design": "sequential", "resampled": (1, 9)}, "can't go together"),
        ({"resampled": (0, 9)}, r"resampled is \(0, 9\)"),
        ({"ladder": []}, r"ladder is \[\]"),
        ({"ladder": [0, 1, 2, 4, 8]}, "ladder is"),
        ({"ladder": [1, 2, 4, 8, math.inf]}, "ladder is"),
        ({"ladder": [1, math.nan, 2, 4, 8]}, "ladder is"),
        ({"ladder": [1, 2, 4, 8, 16], "per": "seconds"}, "ladder and per can't go together"),
        ({"breaks": [(1, 4, "it")]}, "break 1 to 4: these are no neighbouring levels"),
        ({"breaks": [(4, 2, "it")]}, "break 4 to 2"),
        ({"breaks": [(8, 16, "it")]}, "break 8 to 16"),
    ],
)
def test_an_argument_that_is_wrong_is_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        sweep(**changes)
    assert not isinstance(caught.value, DataError)


@pytest.mark.parametrize("name", ["design", "resampled"])
def test_designs_that_need_pairs_ask_for_the_column_of_replicates(name: str) -> None:
    asked = {"design": "sequential"} if name == "design" else {"resampled": (1, 9)}
    with pytest.raises(DataError, match="level 1 has 4 rows and nothing says which belong"):
        sweep(replicate=None, **asked)


def test_runs_that_nothing_pairs_are_compared_unpaired() -> None:
    found = sweep(replicate=None)
    assert any("levels are compared unpaired" in note for note in found.notes)
    assert found.level_probabilities is None
    # What the seeds share doesn't cancel.
    for a, b in zip(sweep().gains, found.gains, strict=True):
        assert a.estimate == pytest.approx(b.estimate)
    assert found.gains[2].high - found.gains[2].low > 0


# The same whatever the order, the names, the unit and the direction


def tables() -> st.SearchStrategy[Table]:
    """Returns sweeps with gaps, failures, costs and parameters that vary by run."""
    # Rounded, so that a property isn't lost to the last bit of a sum.
    number = st.integers(-1024, 1024).map(lambda n: n / 1024)
    near = st.integers(-16, 16).map(lambda n: n / 1024)
    score = st.one_of(number, near, near, st.sampled_from([math.nan, math.inf]))
    clean = st.one_of(near, near, number)

    def rows(cells: list[tuple[float, int]]) -> st.SearchStrategy[Table]:
        n = len(cells)
        return st.fixed_dictionaries(
            {
                "k": st.just([k for k, _ in cells]),
                "i": st.just([i for _, i in cells]),
                "s": st.one_of(
                    st.lists(score, min_size=n, max_size=n), st.lists(clean, min_size=n, max_size=n)
                ),
                "c": st.lists(
                    st.one_of(st.integers(0, 999).map(lambda c: c / 7), st.just(math.nan)),
                    min_size=n,
                    max_size=n,
                ),
                "p": st.lists(st.integers(0, 9), min_size=n, max_size=n).map(
                    lambda extra: [100 * k + x / 3 for (k, _), x in zip(cells, extra, strict=True)]
                ),
            }
        )

    cell = st.tuples(st.sampled_from([1, 2, 3.5, 8]), st.integers(0, 5))
    some = st.lists(cell, min_size=1, max_size=24, unique=True)
    # With five replicates of all levels there are probabilities, too.
    most = st.integers(5, 6).map(lambda n: [(k, i) for k in (1, 2, 3.5, 8) for i in range(n)])
    return st.one_of(some, most).flatmap(rows)


def asked_of(table: Table, **changes: Any) -> Curve:
    columns = {"level": "k", "score": "s", "cost": "c", "direction": "minimize", "margin": 0.25}
    return analyze(table, **{**columns, **changes})


READINGS = [
    {"replicate": "i"},
    {"replicate": "i", "design": "sequential"},
    {"replicate": "i", "resampled": (1, 9), "per": "p"},
    {"replicate": "i", "noise": 0.3},
    {},
    {"per": "p"},
]


def shuffled(table: Table, rng: random.Random) -> Table:
    order = list(range(len(table["k"])))
    rng.shuffle(order)
    return {name: [column[i] for i in order] for name, column in table.items()}


@unhurried
@given(tables(), st.sampled_from(READINGS), st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_no_digit(
    table: Table, reading: dict[str, Any], rng: random.Random
) -> None:
    assert asked_of(shuffled(table, rng), **reading) == asked_of(table, **reading)


@unhurried
@given(tables(), st.sampled_from(READINGS[:4]), st.randoms(use_true_random=False))
def test_repeated_rows_change_nothing_but_a_note(
    table: Table, reading: dict[str, Any], rng: random.Random
) -> None:
    again = rng.sample(range(len(table["k"])), rng.randint(1, len(table["k"])))
    longer = {name: [*column, *(column[i] for i in again)] for name, column in table.items()}
    once, twice = asked_of(table, **reading), asked_of(shuffled(longer, rng), **reading)
    assert replace(twice, notes=()) == replace(once, notes=())
    (note,) = set(twice.notes) - set(once.notes)
    noun = "row" if len(again) == 1 else "rows"
    assert note == f"{len(again)} {noun} repeated another and count once"


@unhurried
@given(tables(), st.sampled_from(READINGS[:4]))
def test_names_of_replicates_are_names(table: Table, reading: dict[str, Any]) -> None:
    renamed = {**table, "i": [f"run {i}" for i in table["i"]]}
    before, after = asked_of(table, **reading), asked_of(renamed, **reading)
    assert replace(after, notes=()) == replace(before, notes=())
    assert [note.replace("run ", "") for note in after.notes] == list(before.notes)


NAMES = {0: "zoe", 1: "7", 2: "-3", 3: "1e9", 4: "0.5", 5: "adam"}


@unhurried
@given(tables(), st.sampled_from(READINGS[:4]))
def test_their_order_changes_at_most_the_rounding(table: Table, reading: dict[str, Any]) -> None:
    renamed = {**table, "i": [NAMES[i] for i in table["i"]]}
    same_numbers(asked_of(renamed, **reading), asked_of(table, **reading))


def same_numbers(found: Curve, expected: Curve, factor: float = 1.0, offset: float = 0.0) -> None:
    """Compares bounds up to rounding, which a wide multiplier may magnify."""

    def close(a: float | None, b: float | None, offset: float = 0.0) -> bool:
        if a is None or b is None:
            return a is b
        return a == pytest.approx(factor * b + offset, rel=1e-6, abs=1e-6 * factor)

    assert len(found.levels) == len(expected.levels)
    for a, b in zip(found.levels, expected.levels, strict=True):
        assert (a.level, a.replicates, a.failed) == (b.level, b.replicates, b.failed)
        assert close(a.score, b.score, offset)
        assert close(a.low, b.low, offset)
        assert close(a.high, b.high, offset)
    for gain, other in zip(found.gains, expected.gains, strict=True):
        assert close(gain.estimate, other.estimate)
        assert close(gain.low, other.low)
        assert close(gain.high, other.high)
    for c, d in zip(found.comparisons, expected.comparisons, strict=True):
        assert (c.smaller, c.larger, c.replicates) == (d.smaller, d.larger, d.replicates)
        assert close(c.estimate, d.estimate)
        assert close(c.low, d.low)
        assert close(c.high, d.high)


def far_from_a_tie(curve: Curve) -> bool:
    """Tells whether no bound is so near 0 that the last bit of a sum decides it."""
    numbers = [x for c in curve.comparisons for x in (c.estimate, c.low, c.high)]
    numbers += [gain.high for gain in curve.gains]
    return all(x == 0 or abs(x) > 1e-9 for x in numbers)


def numbers_of(curve: Curve) -> list[float | None]:
    """Returns all that is in the metric's units."""
    found: list[float | None] = []
    for row in curve.levels:
        found += [row.score, row.low, row.high, row.margin_supported, row.forgone]
    for gain in curve.gains:
        found += [gain.estimate, gain.low, gain.high, gain.gain_per_cost]
    for c in curve.comparisons:
        found += [c.estimate, c.low, c.high]
    if curve.next_doubling is not None:
        found += [curve.next_doubling.gain, curve.next_doubling.low, curve.next_doubling.high]
    return found


@unhurried
@given(tables(), st.sampled_from(READINGS), st.sampled_from([-900, -600, -70, 9, 300, 900]))
def test_the_unit_of_the_score_is_no_matter(
    table: Table, reading: dict[str, Any], power: int
) -> None:
    """By a power of two, to the last digit: no square leaves the range of floats."""
    unit = 2.0**power
    scaled = {name: x * unit if name == "noise" else x for name, x in reading.items()}
    before = asked_of(table, **reading)
    other = {**table, "s": [s * unit for s in table["s"]]}
    after = asked_of(other, **scaled, margin=0.25 * unit)
    assert numbers_of(after) == [x if x is None else x * unit for x in numbers_of(before)]
    assert after.level_probabilities == before.level_probabilities
    assert after.needed.replicates == before.needed.replicates
    assert after.verdict is not None
    assert before.verdict is not None
    assert after.verdict.answer == before.verdict.answer
    assert after.verdict.not_excluded == before.verdict.not_excluded


@unhurried
@given(tables(), st.sampled_from(READINGS), st.integers(-1000, 1000))
def test_where_zero_lies_is_no_matter(table: Table, reading: dict[str, Any], offset: int) -> None:
    before = asked_of(table, **reading)
    after = asked_of({**table, "s": [s + offset for s in table["s"]]}, **reading)
    same_numbers(after, before, offset=offset)
    assume(far_from_a_tie(before))
    assert after.verdict is not None
    assert before.verdict is not None
    assert after.verdict.answer == before.verdict.answer
    assert after.needed.replicates == before.needed.replicates


@unhurried
@given(tables(), st.sampled_from(READINGS[:4]))
def test_direction_is_only_a_sign(table: Table, reading: dict[str, Any]) -> None:
    before = asked_of(table, **reading)
    turned = {**table, "s": [-s for s in table["s"]]}
    after = asked_of(turned, **reading, direction="maximize")

    def turn(x: float | None) -> float | None:
        return None if x is None else -x

    levels = [
        replace(a, score=turn(a.score), low=turn(a.high), high=turn(a.low)) for a in after.levels
    ]
    assert replace(after, direction="minimize", levels=tuple(levels)) == before


@unhurried
@given(tables(), st.sampled_from(READINGS[4:]))
def test_and_where_nothing_pairs_runs_up_to_rounding(table: Table, reading: dict[str, Any]) -> None:
    """They are summed from the smallest up, whichever way is better."""
    before = asked_of(table, **reading)
    turned = {**table, "s": [-s for s in table["s"]]}
    after = asked_of(turned, **reading, direction="maximize")
    assert [gain.estimate for gain in after.gains] == pytest.approx(
        [gain.estimate for gain in before.gains]
    )
    widths = [[gain.high - gain.low for gain in curve.gains] for curve in (after, before)]
    assert widths[0] == pytest.approx(widths[1])
    assume(far_from_a_tie(before))
    assert after.verdict is not None
    assert before.verdict is not None
    assert after.verdict.answer == before.verdict.answer
