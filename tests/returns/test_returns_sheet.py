"""Whatever is in a table, there is a verdict or an error that names the cell; never a warning."""

import itertools
import math
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pandas
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tuner.curve import Curve, Question, VerdictOutcome
from tuner.returns import DataError, analyze
from tuner.returns.assessment import assess_evidence
from tuner.returns.columns import names_to_numbers, numbers
from tuner.returns.designs import FIXED
from tuner.returns.evidence import Replicates
from tuner.returns.failures import verdict_depends
from tuner.returns.sheet import MOST_LEVELS, Sheet, read_sheet

pytestmark = pytest.mark.filterwarnings("error")

# A busy machine is no failure of the property.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.fixture(autouse=True)
def _strict_numpy() -> Iterator[None]:
    with np.errstate(all="raise", under="ignore"):
        yield


Table = dict[str, Any]

DEPTHS = [1, 2, 4, 8]
SEEDS = range(6)
ROWS = list(itertools.product(DEPTHS, SEEDS))
LUCK = [0.012, -0.007, 0.004, -0.011, 0.009, -0.002]


def error_of(depth: int, seed: int) -> float:
    """Plateaus at 2, paired: what the seeds share is ten times what they don't."""
    return {1: 0.5, 2: 0.4, 4: 0.399, 8: 0.401}[depth] + LUCK[seed] + 0.0004 * ((depth + seed) % 3)


SWEEP: Table = {
    "depth": [k for k, _ in ROWS],
    "seed": [i for _, i in ROWS],
    "error": [error_of(k, i) for k, i in ROWS],
    "seconds": [float(k) for k, _ in ROWS],
}


def sweep(frame: Any = SWEEP, **changes: Any) -> Curve:
    asked: dict[str, Any] = {
        "level": "depth",
        "score": "error",
        "direction": "minimize",
        "margin": 0.03,
        "replicate": "seed",
        "design": "fixed",
    }
    return analyze(frame, **{**asked, **changes})


def outcome_of(curve: Curve) -> tuple[VerdictOutcome, float | None]:
    assert curve.verdict is not None
    return curve.verdict.answer


def put(column: str, row: int, value: Any) -> Table:
    """Returns the sweep with another value in a cell; rows count from 1."""
    cells = list(SWEEP[column])
    cells[row - 1] = value
    return {**SWEEP, column: cells}


def test_the_sweep_itself_plateaus() -> None:
    assert outcome_of(sweep()) == (VerdictOutcome.PLATEAUED, 2)


# Cells


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("depth", None, "the cell is empty or not finite"),
        ("depth", "", "the cell is empty"),
        ("depth", math.nan, "the cell is empty"),
        ("depth", math.inf, "not finite"),
        ("depth", -math.inf, "not finite"),
        ("depth", pandas.NA, "the cell is empty"),
        ("depth", 0, "0 can't be doubled"),
        ("depth", -2.5, "-2.5 can't be doubled"),
        ("depth", "deep", "'deep' is not a number"),
        ("depth", 2 + 1j, "is not a number"),
        ("depth", [1, 2], r"\[1, 2\] is not a number"),
        pytest.param("depth", 10**400, "the number is too large", id="depth-huge"),
        ("error", "oom", "'oom' is not a number"),
        ("error", b"?", "is not a number"),
        pytest.param("error", 10**400, "the number is too large", id="error-huge"),
        ("error", pandas.Timestamp("2020-01-01"), "is not a number"),
        ("seconds", -1, "-1 is no cost"),
        ("seconds", math.inf, "inf is no cost"),
        ("seconds", -math.inf, "-inf is no cost"),
        ("seconds", "1 min", "'1 min' is not a number"),
        ("seed", None, "the cell is empty"),
        ("seed", "", "the cell is empty"),
        ("seed", math.nan, "the cell is empty"),
    ],
)
def test_a_wrong_cell_is_named(column: str, value: Any, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        sweep(put(column, 5, value), cost="seconds")
    assert (caught.value.column, caught.value.row) == (column, 5)
    assert str(caught.value).startswith(f"column {column!r}, row 5: ")


@pytest.mark.parametrize(
    "missing",
    [
        *(None, math.nan, math.inf, -math.inf, np.float32("nan"), pandas.NA, pandas.NaT),
        *("", "  ", "nan", "NaN", "NA", "n/a", "None", "-", "inf"),
    ],
)
def test_a_score_that_is_no_number_is_a_failure_and_counted(missing: Any) -> None:
    found = sweep(put("error", 7, missing))  # depth 2, seed 0
    row = found.at(2)
    assert (row.replicates, row.failed) == (5, 1)
    expected = np.mean([error_of(2, i) for i in SEEDS if i != 0])
    assert row.score == pytest.approx(expected)
    assert found.at(4).replicates == 6
    said = "level 2: 1 of 6 replicates failed (no finite score) and are not in its mean"
    assert said in found.notes
    pair = next(c for c in found.comparisons if (c.smaller, c.larger) == (2, 4))
    assert pair.replicates == 5


def test_a_missing_cost_is_left_out_of_the_mean() -> None:
    found = sweep(put("seconds", 1, None), cost="seconds")
    assert found.at(1).standalone_device_seconds == 1
    nothing: Table = {**SWEEP, "seconds": [None] * len(ROWS)}
    assert sweep(nothing, cost="seconds") == sweep()
    some: Table = {**SWEEP, "seconds": [None if k == 1 else k for k, _ in ROWS]}
    found = sweep(some, cost="seconds")
    assert found.at(1).standalone_device_seconds is None
    assert [gain.cost_ratio for gain in found.gains] == [None, 2, 2]


def test_costs_of_zero_divide_nothing() -> None:
    found = sweep({**SWEEP, "seconds": [0.0] * len(ROWS)}, cost="seconds")
    assert [gain.cost_ratio for gain in found.gains] == [None] * 3
    assert [gain.gain_per_cost for gain in found.gains] == [None] * 3
    assert found.costs.trend is None


@pytest.mark.parametrize(
    "levels",
    [
        lambda k: str(k),
        lambda k: f" {k}.0 ",
        lambda k: np.int8(k),
        lambda k: np.float32(k),
        lambda k: Decimal(k),
        lambda k: Fraction(k),
        lambda k: k if k % 2 else float(k),
    ],
)
def test_levels_and_scores_may_be_written_in_many_ways(levels: Any) -> None:
    written = {**SWEEP, "depth": [levels(k) for k in SWEEP["depth"]]}
    assert sweep(written) == sweep()


@pytest.mark.parametrize(
    "name",
    [
        lambda i: i,
        lambda i: float(i),
        lambda i: str(i),
        lambda i: f" {i} ",
        lambda i: f"{i}.0",
        lambda i: np.int64(i),
        lambda i: np.float64(i),
        lambda i: str(i) if i % 2 else float(i),
    ],
)
def test_seeds_may_be_written_in_many_ways(name: Any) -> None:
    assert sweep({**SWEEP, "seed": [name(i) for i in SWEEP["seed"]]}) == sweep()


def test_names_of_replicates_have_an_order_that_never_varies() -> None:
    """Not that of a set of text, which differs from process to process."""
    texts = ["07", "7", "b", "-2", "007", "10", "--5", "0007", "a", "2.5", "9" * 5000, "1e3"]
    expected = ["-2", "0007", "007", "07", "7", "10", "--5", "1e3", "2.5", "9" * 5000, "a", "b"]
    for turn in range(len(texts)):
        turned = texts[turn:] + texts[:turn]
        found, names = names_to_numbers("seed", turned)
        assert names == expected
        assert [names[i] for i in found] == turned


def test_a_masked_cell_is_missing() -> None:
    masked = np.ma.array(SWEEP["error"], mask=[i == 6 for i in range(len(ROWS))])
    assert sweep({**SWEEP, "error": masked}) == sweep(put("error", 7, None))
    whole = np.ma.array(SWEEP["depth"], mask=[i == 6 for i in range(len(ROWS))])
    with pytest.raises(DataError, match="row 7: the cell is empty"):
        sweep({**SWEEP, "depth": whole})


@unhurried
@given(st.lists(st.one_of(st.integers(), st.floats(), st.booleans(), st.none(), st.text())))
def test_a_column_is_numbers_or_an_error_that_names_the_row(cells: list[Any]) -> None:
    try:
        found = numbers("score", cells)
    except DataError as error:
        assert error.column == "score"
        assert error.row is not None
        cell = cells[error.row - 1]
        if isinstance(cell, str):
            with pytest.raises(ValueError, match="float"):
                float(cell)
        else:
            with pytest.raises(OverflowError):
                float(cell)
    else:
        for number, cell in zip(found.tolist(), cells, strict=True):
            if not isinstance(cell, str) and cell is not None and not math.isnan(cell):
                assert number == float(cell)


# Columns


def test_a_column_that_is_not_there_suggests_the_near_one() -> None:
    with pytest.raises(DataError, match="did you mean 'depth'") as caught:
        sweep(level="dpeth")
    assert (caught.value.column, caught.value.row) == ("dpeth", None)
    assert "there are 'depth', 'seed', 'error', 'seconds'" in str(caught.value)
    for argument in ("score", "replicate", "cost", "per"):
        with pytest.raises(DataError, match="there is no such column") as caught:
            sweep(**{argument: "xyzzy"})
        assert caught.value.column == "xyzzy"
        assert "did you mean" not in str(caught.value)


@pytest.mark.parametrize("column", ["error", "seed", "seconds", "size"])
@pytest.mark.parametrize("change", [-1, 1])
def test_columns_of_different_lengths_are_named(column: str, change: int) -> None:
    table = {**SWEEP, "size": [10.0 * k for k in SWEEP["depth"]]}
    table[column] = (table[column] * 2)[: len(ROWS) + change]
    with pytest.raises(DataError, match=f"it has {len(ROWS) + change} rows") as caught:
        sweep(table, cost="seconds", per="size")
    assert caught.value.column == column


@pytest.mark.parametrize("frame", [{"depth": [], "error": []}, pandas.DataFrame(SWEEP)[:0]])
def test_a_table_without_rows_is_refused(frame: Any) -> None:
    with pytest.raises(DataError, match="the table: it has no rows"):
        analyze(frame, level="depth", score="error", direction="minimize", margin=0.1)


def test_a_single_value_is_no_column() -> None:
    for value in (3, "3", None):
        with pytest.raises(DataError, match="it is a single value") as caught:
            sweep({**SWEEP, "error": value})
        assert caught.value.column == "error"


def test_several_columns_of_one_name_are_refused() -> None:
    frame = pandas.DataFrame(SWEEP)
    frame.columns = pandas.Index(["depth", "seed", "error", "error"])
    with pytest.raises(DataError, match="more than one column") as caught:
        sweep(frame)
    assert caught.value.column == "error"
    with pytest.raises(DataError, match="more than one column"):
        sweep({**SWEEP, "error": np.array([SWEEP["error"], SWEEP["error"]]).T})


def test_columns_need_not_be_named_by_text() -> None:
    frame = pandas.DataFrame(SWEEP)
    frame.columns = pandas.Index([0, 1, 2, 3])
    found = sweep(frame, level="0", replicate="1", score="2", cost="3")
    expected = sweep(cost="seconds")
    assert found.levels == expected.levels
    assert found.level_probabilities == expected.level_probabilities


class Polarslike:
    """A frame that iterates over its columns and not over their names."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self.columns = list(table)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._table.values())

    def __getitem__(self, name: str) -> Any:
        return self._table[name]


@pytest.mark.parametrize(
    "make",
    [
        lambda table: pandas.DataFrame(table),
        lambda table: pandas.DataFrame(table).convert_dtypes(),
        lambda table: pandas.DataFrame(table).astype(object),
        lambda table: pandas.DataFrame(table).convert_dtypes(dtype_backend="pyarrow"),
        lambda table: Polarslike(table),
        lambda table: {name: tuple(cells) for name, cells in table.items()},
        lambda table: {name: np.array(cells) for name, cells in table.items()},
        lambda table: {name: np.array(cells, dtype=object) for name, cells in table.items()},
        lambda table: {name: pandas.Series(cells)[::-1] for name, cells in table.items()},
    ],
    ids=["pandas", "nullable", "objects", "arrow", "polars", "tuples", "arrays", "any", "series"],
)
def test_frames_of_many_kinds_say_the_same(make: Any) -> None:
    table = put("error", 7, None)
    frame = make(table)
    if isinstance(frame, dict) and isinstance(frame["error"], np.ndarray):
        frame["error"] = np.array(table["error"], dtype=object)  # for its None
    assert sweep(frame, cost="seconds") == sweep(table, cost="seconds")


def test_capacities_have_to_rise_with_the_level() -> None:
    table = {**SWEEP, "size": [{1: 10, 2: 30, 4: 20, 8: 40}[k] for k in SWEEP["depth"]]}
    with pytest.raises(DataError, match="doesn't rise from level 2 to 4") as caught:
        sweep(table, per="size")
    assert caught.value.column == "size"
    for wrong in (0, -1, None, math.inf):
        sizes = [10 * k for k in SWEEP["depth"]]
        sizes[8] = wrong
        with pytest.raises(DataError, match="capacities are numbers above 0") as caught:
            sweep({**SWEEP, "size": sizes}, per="size")
        assert (caught.value.column, caught.value.row) == ("size", 9)


# Rows


def longer(table: Table, **row: Any) -> Table:
    return {name: [*cells, row[name]] for name, cells in table.items()}


def test_a_row_that_says_the_same_counts_once() -> None:
    again = longer(SWEEP, depth=2, seed=3, error=error_of(2, 3), seconds=2.0)
    found = sweep(again, cost="seconds")
    assert "1 row repeated another and count once" in found.notes
    assert replace(found, notes=()) == replace(sweep(cost="seconds"), notes=())


def test_of_a_replicate_s_two_costs_the_least_counts_whatever_the_order() -> None:
    dear = longer(SWEEP, depth=2, seed=3, error=error_of(2, 3), seconds=99.0)
    assert sweep(dear, cost="seconds").at(2).standalone_device_seconds == 2
    turned = {name: cells[::-1] for name, cells in dear.items()}
    assert sweep(turned, cost="seconds") == sweep(dear, cost="seconds")


def test_repeats_do_not_weigh_in_the_mean_capacity() -> None:
    table = {**SWEEP, "size": [100 * k + i for k, i in ROWS]}
    again = longer(table, depth=2, seed=5, error=error_of(2, 5), seconds=2.0, size=205)
    once, twice = sweep(table, per="size"), sweep(again, per="size")
    assert once.gains[0].doublings == pytest.approx(math.log2(202.5 / 102.5))
    assert twice.gains == once.gains


@pytest.mark.parametrize("score", [0.123, None])
def test_rows_that_contradict_each_other_are_named(score: float | None) -> None:
    wrong = longer(SWEEP, depth=2, seed=3, error=score, seconds=2.0)
    with pytest.raises(
        DataError, match="rows 10 and 25 are the same level and replicate"
    ) as caught:
        sweep(wrong)
    assert (caught.value.column, caught.value.row) == ("seed", 25)


def test_a_failure_that_is_there_twice_fails_once() -> None:
    failed = longer(put("error", 10, None), depth=2, seed=3, error=math.nan, seconds=2.0)
    assert sweep(failed).at(2).failed == 1


def test_without_a_column_of_replicates_equal_rows_are_runs() -> None:
    again = longer(SWEEP, depth=2, seed=3, error=error_of(2, 3), seconds=2.0)
    assert sweep(again, replicate=None).at(2).replicates == 7


# Shapes


def test_one_level_has_nothing_to_compare_it_with() -> None:
    found = analyze(
        {"d": [4] * 5, "s": [1.0, 2, 3, 4, 5]},
        level="d",
        score="s",
        direction="maximize",
        margin=0.1,
    )
    assert outcome_of(found) == (VerdictOutcome.INCONCLUSIVE, None)
    assert "only declared level" in found.verdict.reason  # type: ignore[union-attr]
    assert found.needed.reason == "the ladder has one level: returns need at least two"
    assert (found.gains, found.next_doubling, found.level_probabilities) == ((), None, None)
    assert found.at(4).score == 3


def test_one_replicate_bounds_nothing() -> None:
    found = sweep({name: cells[::6] for name, cells in SWEEP.items()})
    assert outcome_of(found) == (VerdictOutcome.INCONCLUSIVE, None)
    assert all(gain.high == math.inf for gain in found.gains)
    assert any("significance can't be had from it" in note for note in found.notes)
    assert found.needed.replicates is not None


@pytest.mark.parametrize(
    ("paired", "design"), [(True, "fixed"), (True, "sequential"), (False, "fixed")]
)
@pytest.mark.parametrize("replicates", range(2, 8))
def test_equal_scores_are_believed_from_five_on(paired: bool, design: str, replicates: int) -> None:
    """No replicate differs from another anywhere: it may be deterministic work, or few digits."""
    rows = list(itertools.product(DEPTHS, range(replicates)))
    table = {
        "depth": [k for k, _ in rows],
        "seed": [i for _, i in rows],
        "error": [0.5] * len(rows),
    }
    found = sweep(table, design=design, replicate="seed" if paired else None)
    believed = replicates >= 5
    assert outcome_of(found)[0] is (
        VerdictOutcome.PLATEAUED if believed else VerdictOutcome.INCONCLUSIVE
    )
    assert all((gain.high == 0) == believed for gain in found.gains)
    if not believed:
        assert found.needed.replicates == (5, None)
        assert "at least 5 replicates of both" in found.needed.reason


def test_a_level_where_all_failed_is_shown_and_not_judged() -> None:
    table = {**SWEEP, "error": [None if k == 8 else error_of(k, i) for k, i in ROWS]}
    found = sweep(table, cost="seconds")
    row = found.at(8)
    assert (row.replicates, row.failed, row.score, row.gain) == (0, 6, None, None)
    assert found.unmeasured == (8,)
    said = "level 8: all 6 replicates failed (no finite score); the verdict leaves it out"
    assert said in found.notes


def test_where_all_failed_everywhere_there_is_a_verdict_still() -> None:
    found = sweep({**SWEEP, "error": [math.nan] * len(ROWS)})
    assert outcome_of(found) == (VerdictOutcome.INCONCLUSIVE, None)
    assert found.verdict.reason == "no level is measured"  # type: ignore[union-attr]
    assert found.unmeasured == tuple(DEPTHS)
    assert [row.failed for row in found.levels] == [6] * 4


def test_too_many_levels_are_refused() -> None:
    n = MOST_LEVELS + 1
    with pytest.raises(DataError, match=f"{n} different levels") as caught:
        read_sheet({"d": range(1, n + 1), "s": [0.5] * n}, level="d", score="s")
    assert caught.value.column == "d"


def test_levels_that_only_rounding_keeps_apart_are_refused() -> None:
    with pytest.raises(DataError, match="too close to be two levels"):
        read_sheet({"d": [0.3, 0.1 + 0.2], "s": [1, 2]}, level="d", score="s")


@pytest.mark.parametrize("largest", [1e-300, 1e300, 1.7e308])
def test_scores_at_the_ends_of_floats_give_no_warning(largest: float) -> None:
    table = {**SWEEP, "error": [x / 0.6 * largest for x in SWEEP["error"]]}
    for replicate in ("seed", None):
        found = sweep(table, margin=0.03 / 0.6 * largest, replicate=replicate)
        assert outcome_of(found) == outcome_of(sweep(replicate=replicate))
        assert found.level_probabilities == sweep(replicate=replicate).level_probabilities


@pytest.mark.parametrize("replicate", ["seed", None])
def test_a_million_rows(replicate: str | None) -> None:
    rng = np.random.default_rng(0)
    levels, n = 2 ** np.arange(10), 100_000
    truth = np.array([0.5, 0.4, *[0.38] * 8])
    table = {
        "depth": np.repeat(levels, n),
        "seed": np.tile(np.arange(n), 10),
        "error": np.repeat(truth, n) + rng.normal(0, 0.01, 10 * n),
    }
    found = sweep(table, replicate=replicate)
    assert outcome_of(found) == (VerdictOutcome.PLATEAUED, 2)
    assert found.at(4).replicates == n
    assert found.at(4).score == pytest.approx(0.38, abs=0.0005)
    if replicate:
        assert found.level_probabilities == {k: float(k == 2) for k in levels.tolist()}


# Failures that a verdict hangs on


def judged(values: list[list[float]], margin: float = 0.05) -> tuple[Question, Replicates]:
    levels = tuple(2**i for i in range(len(values)))
    asked = Question("d", "", "d", levels, "error", "minimize", margin)
    return asked, Replicates(levels, tuple(range(len(values[0]))), np.array(values), FIXED)


def test_a_verdict_that_the_worst_score_turns_says_so() -> None:
    found = sweep(put("error", 7, None))
    said = (
        "the verdict depends on the 1 failed replicate: with the worst score seen in their place "
        "it would be "
    )
    assert any(note.startswith(said) for note in found.notes)


def test_a_verdict_that_no_score_turns_says_nothing_of_it() -> None:
    found = sweep(put("error", 1, None), margin=0.2)  # 1 suffices by a mile
    assert outcome_of(found) == (VerdictOutcome.PLATEAUED, 1)
    assert found.at(1).failed == 1
    assert not any("depends" in note for note in found.notes)


def test_failures_at_two_levels_are_set_against_each_other() -> None:
    """One score in the place of both cancels, where they are the same replicate's."""
    nan = math.nan
    rows = [
        [0.500, 0.510, 0.490, 0.505, 0.495, 0.500, nan],
        [0.501, 0.510, 0.491, 0.504, 0.496, 0.500, nan],
        [0.499, 0.511, 0.490, 0.505, 0.494, 0.501, nan],
    ]
    rows[0][0] = 0.2  # far from the rest, so that a best and a worst score are
    rows[1][0] = rows[2][0] = 0.2
    asked, evidence = judged(rows)
    look = assess_evidence(asked, evidence)
    assert look.verdict.answer == (VerdictOutcome.PLATEAUED, 1)
    (note,) = verdict_depends(asked, evidence, np.isnan(evidence.values), look.verdict)
    assert "with the worst score seen at level 1 and the best elsewhere it would be" in note


@unhurried
@given(
    st.integers(3, 4).flatmap(
        lambda k: st.lists(
            st.lists(st.integers(-40, 40), min_size=6, max_size=6), min_size=k, max_size=k
        )
    ),
    st.sets(st.tuples(st.integers(0, 3), st.integers(0, 5)), min_size=1, max_size=3),
    st.lists(st.sampled_from([0.5, 0.45, 0.3]), min_size=4, max_size=4),
)
def test_a_note_is_true_and_the_same_score_in_all_places_is_always_tried(
    noise: list[list[int]], where: set[tuple[int, int]], truth: list[float]
) -> None:
    values = [[m + x / 1000 for x in row] for m, row in zip(truth, noise, strict=False)]
    for i, j in where:
        if i < len(values):
            values[i][j] = math.nan
    asked, evidence = judged(values)
    failed = np.isnan(evidence.values)
    verdict = assess_evidence(asked, evidence).verdict
    notes = verdict_depends(asked, evidence, failed, verdict)
    ends = float(np.nanmin(evidence.values)), float(np.nanmax(evidence.values))
    places = np.argwhere(failed)
    answers = set()
    for fill in itertools.product(ends, repeat=len(places)):
        filled = evidence.values.copy()
        filled[tuple(places.T)] = fill
        other = assess_evidence(asked, replace(evidence, values=filled)).verdict.answer
        if len(set(fill)) == 1 and other != verdict.answer:
            assert notes
        answers.add(other)
    if notes:
        assert answers - {verdict.answer}


def test_reading_says_what_failed_and_what_is_not_there() -> None:
    table = put("error", 7, None)
    shorter = {name: cells[:-1] for name, cells in table.items()}  # depth 8, seed 5
    sheet: Sheet = read_sheet(shorter, level="depth", score="error", replicate="seed")
    assert sheet.levels == (1, 2, 4, 8)
    assert sheet.replicates == tuple("012345")
    assert sheet.failed.sum() == 1
    assert sheet.failed[1, 0]
    assert np.argwhere(np.isnan(sheet.values)).tolist() == [[1, 0], [3, 5]]
    assert (sheet.capacities, sheet.notes) == ((), ())
