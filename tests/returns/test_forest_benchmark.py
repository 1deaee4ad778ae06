"""benchmarks/forest.py: its ways score the same forests, and what it prints follows from them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from benchmarks import forest
from benchmarks.forest import Effort, Measured, Row, Runs, Task
from tuner.returns.forest import forest_curve

SIZES = (1, 2, 4, 8, 16)
TOY = Effort(sizes=SIZES, seeds=4, timed=2, most=300)


@cache
def task() -> Task:
    return Task.load("breast_cancer")


@cache
def measured() -> Measured:
    return forest.measure(task(), TOY)


@cache
def scores() -> list[Row]:
    return [forest.score_row(measured(), place) for place in range(len(SIZES))]


@cache
def gains() -> list[Row]:
    return [forest.gain_row(measured(), place) for place in range(len(SIZES) - 1)]


def half_width(spread: float, n: int, one_sided_level: float) -> float:
    """Returns that of a t interval, by another way than the benchmark's."""
    return float(stats.t.ppf(1 - one_sided_level, n - 1) * spread / math.sqrt(n))


@settings(deadline=None, max_examples=200)
@given(st.floats(1e-3, 10), st.floats(1e-3, 10), st.floats(1e-3, 0.2))
def test_the_seeds_needed_are_the_fewest(spread: float, width: float, level: float) -> None:
    n = forest.seeds_needed(spread, width, level)
    assert half_width(spread, n, level) <= width * (1 + 1e-9)
    assert n == 2 or half_width(spread, n - 1, level) > width * (1 - 1e-9)


def test_no_number_of_seeds_is_enough_for_no_width() -> None:
    with pytest.raises(ValueError, match="half_width is 0"):
        forest.seeds_needed(1.0, 0.0, 0.025)


def test_a_forests_first_trees_are_the_smaller_forest_of_its_seed() -> None:
    """So gains are paired, and all ways judge the same forests."""
    for seed in (0, 5):
        nested = forest.nested(task(), SIZES, seed)
        blocks = forest.block_scores(task(), SIZES, seed)
        assert [len(block) for block in blocks] == [16, 8, 4, 2, 1]
        for size, first_trees, block in zip(SIZES, nested, blocks, strict=True):
            refit = forest.refit(task(), size, seed)
            assert first_trees == pytest.approx(refit, rel=1e-12)
            assert block[0] == pytest.approx(refit, rel=1e-5)


def test_blocks_mean_what_theory_says_of_one_tree() -> None:
    p = forest.tree_probabilities(task(), SIZES[-1], 3)
    curve = forest_curve(p, task().y_test, SIZES)
    blocks = forest.block_scores(task(), SIZES, 3)
    assert curve.brier_at(1) == pytest.approx(blocks[0].mean())


def test_ours_and_the_refits_estimate_the_same_number() -> None:
    """At every size and step, within four joint standard errors of trees and of seeds."""
    for row in scores() + gains():
        assert abs(row.distance) < 4
    wrong = replace(measured(), curves=[replace(c, sizes=c.sizes[::-1]) for c in measured().curves])
    assert abs(forest.score_row(wrong, 0).distance) > 4


def test_seeds_are_run_until_their_interval_is_as_narrow_as_ours() -> None:
    level = 0.025 / len(SIZES)
    for row, runs in zip(scores(), measured().refits.values(), strict=True):
        assert row.run == len(runs.scores) == len(runs.seconds)
        assert TOY.seeds <= row.run < TOY.most
        assert row.seeds <= row.run
        spread = float(np.std(runs.scores, ddof=1))
        own = [measured().curves[k].sizes[SIZES.index(row.trees)] for k in range(TOY.seeds)]
        width = float(np.mean([(s.high - s.low) / 2 for s in own]))
        assert half_width(spread, row.seeds, level) <= width
        assert row.seeds == 2 or half_width(spread, row.seeds - 1, level) > width
        assert row.blocks == row.seeds


def test_no_more_than_the_most_seeds_are_run() -> None:
    found = forest.measure(task(), replace(TOY, most=6))
    run = {size: len(runs.scores) for size, runs in found.refits.items()}
    assert max(run.values()) == run[1] == 6
    assert forest.score_row(found, 0).seeds > 6


def test_gains_are_paired_by_seed_and_blocks_by_their_halves() -> None:
    small, large = measured().refits[2].scores, measured().refits[4].scores
    pairs = np.array(small[: len(large)]) - np.array(large[: len(small)])
    row = gains()[1]
    assert (row.trees, row.run) == (4, len(pairs))
    assert row.peer == pytest.approx(pairs.mean())
    assert row.spread == pytest.approx(pairs.std(ddof=1))
    halves = np.array(measured().halves[4])
    assert len(halves) == TOY.seeds * SIZES[-1] // 4
    assert (halves >= -1e-12).all()  # a mean of two is never worse than they are on average
    level = 0.025 / (len(SIZES) - 1)
    assert half_width(float(halves.std(ddof=1)), row.blocks, level) <= row.half_width


def made_up(what: str, seeds: Mapping[int, int], blocks: Mapping[int, int]) -> list[Row]:
    return [
        replace(scores()[0], what=what, trees=size, seeds=n, blocks=blocks[size])
        for size, n in seeds.items()
    ]


def known_times() -> Measured:
    """Three sizes: refits take 1, 2 and 4 s, run 5, 3 and 2 times; nested 1, 1.5 and 3 s."""
    return Measured(
        "made up",
        curves=[],
        seconds=[3.0, 5.0],
        refits={
            size: Runs([0.0] * n, [0.5 * size] * (n - 1) + [size * (1 + 0.5 * (n - 1))])
            for size, n in ((1, 5), (2, 3), (4, 2))
        },
        nested={1: [1.0], 2: [1.0, 2.0], 4: [3.0]},
        halves={},
    )


def test_what_scores_cost_follows_from_seeds_and_times() -> None:
    rows = made_up("score", {1: 10, 2: 3, 4: 4}, {1: 10, 2: 3, 4: 4})
    this, refits, nested, blocks = forest.totals(known_times(), rows)
    assert (this.forests, this.trees, this.seconds, this.ratio, this.run) == (1, 4, 4.0, 1.0, 1.0)
    assert (refits.forests, refits.trees) == (17, 10 + 6 + 16)
    assert refits.seconds == pytest.approx(10 * 1 + 3 * 2 + 4 * 4)
    assert refits.ratio == pytest.approx(refits.seconds / 4)
    assert refits.run == pytest.approx((5 * 1 + 3 * 2 + 2 * 4) / 32)
    # Four forests of 4 trees serve all sizes, the three of 2 trees among them; six more of 1.
    assert (nested.forests, nested.trees) == (10, 4 * 4 + 6)
    assert nested.seconds == pytest.approx(4 * 3 + 6 * 1)
    assert nested.run == pytest.approx((3 + 1) / 18)
    # 10 trees fit in 3 forests of 4; 4 blocks of 4 need 4.
    assert (blocks.forests, blocks.trees, blocks.seconds) == (4, 16, 12.0)


def test_what_gains_cost_counts_both_sizes_of_a_step() -> None:
    rows = made_up("gain", {2: 3, 4: 7}, {2: 9, 4: 2})
    _, refits, nested, blocks = forest.totals(known_times(), rows)
    assert (refits.forests, refits.trees) == (3 + 7 + 7, 3 * 1 + 7 * 2 + 7 * 4)
    assert (nested.forests, nested.trees) == (7, 7 * 4)
    assert (blocks.forests, blocks.trees) == (5, 20)  # nine pairs of single trees


def test_what_is_printed_is_what_is_saved(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(forest, "QUICK", replace(TOY, sizes=(1, 2, 4), most=20))
    forest.main(["--quick", "--json", str(tmp_path / "saved.json")])
    printed = capsys.readouterr().out
    saved = json.loads((tmp_path / "saved.json").read_text())
    tables = [line for line in printed.splitlines() if line.startswith("| ") and "---" not in line]
    assert len(tables) == 2 + len(saved["totals"]) + len(saved["rows"])
    for task_name in forest.LOADERS:
        for what in ("score", "gain"):
            kind = [t for t in saved["totals"] if (t["task"], t["what"]) == (task_name, what)]
            assert [t["way"] for t in kind] == ["this", "refits", "nested", "blocks"]
            for t in kind:
                assert t["ratio"] == pytest.approx(t["seconds"] / kind[0]["seconds"])
                line = f"| {task_name} | {what}s | {t['way']} | {t['forests']:,} | {t['trees']:,} |"
                assert line in printed
    for r in saved["rows"]:
        assert f"| {r['seeds']:,} | {r['blocks']:,} | {r['distance']:+.1f} |" in printed
    assert "what wasn't run is multiplied" in printed


def test_shares_read_well() -> None:
    assert [forest.share(part) for part in (1.0, 0.9999, 0.489, 0.0000468)] == [
        "all",
        "100 %",
        "48.9 %",
        "0.00468 %",
    ]
