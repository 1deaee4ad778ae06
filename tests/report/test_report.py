"""A result as one object, as Markdown and as tables."""

import io
import json
import math
from dataclasses import replace

import pytest
import yaml
from rich.console import Console

from tuner import JobSpec, report
from tuner.curve import (
    Costs,
    CostStep,
    CostTrend,
    Curve,
    CurveLevel,
    Gain,
    Needed,
    NextDoubling,
    SearchState,
    Verdict,
    VerdictOutcome,
)
from tuner.record import make_setting
from tuner.report import naming, objects, sentences, tables
from tuner.report.advice import advice
from tuner.report.specs import spec_as_yaml
from tuner.spec import BlobFile, Dataset, Worth


def changed(result, key, **changes):
    curves = dict(result.curves)
    curves[key] = replace(curves[key], **changes)
    return replace(result, curves=curves)


def test_the_object_has_the_keys_that_are_promised(result):
    got = report.to_dict(result)
    assert {"job", "state", "dataset", "margin", "searches", "spent_device_seconds"} <= set(got)
    assert got["job"] == "namespaces/default/jobs/digits-1"
    assert (got["state"], got["dataset"], got["margin"]) == ("SUCCEEDED", "digits", 0.02)
    assert got["spent_device_seconds"] == 146.0
    assert [s["key"] for s in got["searches"]] == ["cnn/depth", "forest/trees"]
    assert got["baseline"]["learner"] == "perceptron"
    search = got["searches"][0]
    assert (search["learner"], search["axis"]) == ("cnn", "depth")
    assert {"outcome", "level", "reason"} <= set(search["verdict"])
    assert search["levels"][1] == {
        "level": 2,
        "score": 0.04,
        "low": 0.03,
        "high": 0.05,
        "replicates": 4,
        "failed": 1,
        "gain": {"estimate": 0.06, "low": 0.04, "high": 0.08, "per_doubling": 0.06},
        "margin_supported": 0.01,
        "forgone": 0.012,
        "cost_device_seconds": 2.5,
        "billed_device_seconds": 40.0,
        "robustness_device_seconds": 0.0,
        "parameters": 9000,
        "latency_ms": None,
        "batch_latency_ms": None,
        "model_bytes": None,
        "barred": "",
        "hyperparameters": {"dropout": 0.1, "learning_rate": 0.00312345},
    }
    assert search["levels"][0]["gain"] is None


def test_the_object_tells_gains_costs_chances_and_what_comes_next(result):
    search, other = report.to_dict(result)["searches"]
    assert search["gains"] == [
        {
            "from": 1,
            "to": 2,
            "gain": 0.06,
            "low": 0.04,
            "high": 0.08,
            "per_doubling": 0.06,
            "cost_ratio": 2.0,
            "gain_per_cost": 172.8,
        },
        {
            "from": 2,
            "to": 4,
            "gain": 0.001,
            "low": None,
            "high": None,
            "per_doubling": 0.001,
            "cost_ratio": 2.0,
            "gain_per_cost": 1.44,
        },
    ]
    assert search["level_probabilities"] == {"1": 0.01, "2": 0.93, "4": 0.06}
    assert search["needed"] == {"replicates": None, "examples": None, "reason": ""}
    assert search["next_doubling"] == {
        "level": 8,
        "gain": 0.0004,
        "low": -0.011,
        "high": 0.012,
        "method": "log-linear",
        "beats_no_gain": False,
    }
    assert search["costs"] == {
        "trend": {
            "exponent": 1.0,
            "low": None,
            "high": None,
            "scale": 1.25,
            "unit": "device-seconds",
        },
        "last_worthwhile": {"from": 1, "to": 2, "gain": 0.06, "cost": 1.25, "measured": True},
        "first_worthless": {"from": 2, "to": 4, "gain": 0.001, "cost": 2.5, "measured": True},
    }
    assert (search["design"], search["alpha"], search["per"]) == ("sequential", 0.05, "")
    assert other["needed"]["replicates"] == [13, None]
    assert other["level_probabilities"] is None
    assert other["next_doubling"] is None
    assert other["costs"] == {"trend": None, "last_worthwhile": None, "first_worthless": None}


def test_the_object_tells_how_learners_compare(result):
    got = report.to_dict(result)["comparison"]
    assert [c["search"] for c in got["contenders"]] == ["cnn/depth", "perceptron", "forest/trees"]
    assert got["contenders"][2]["cost"] is None
    assert [d["apart"] for d in got["differences"]] == [False, True, True]
    assert got["differences"][2]["high"] is None
    assert got["groups"] == [["cnn/depth", "perceptron"], ["forest/trees"]]
    assert got["good_enough"] == "cnn/depth"
    assert report.to_dict(replace(result, comparison=None))["comparison"] is None


def test_whole_levels_are_written_without_a_point_and_others_as_they_are(result):
    levels = tuple(
        CurveLevel(k, 4, 0, 0.5 - k / 100, gain=Gain(k / 2, k, 0.1, 0.0, 0.2, 1))
        for k in (0.39, 4.0)
    )
    curve = Curve(
        "flops",
        "",
        "flops",
        "error",
        "minimize",
        0.01,
        levels,
        Verdict(VerdictOutcome.PLATEAUED, 4.0, "because"),
        level_probabilities={0.39: 0.2, 4.0: 0.8},
    )
    got = objects.curve_to_dict(curve)
    assert json.dumps([row["level"] for row in got["levels"]]) == "[0.39, 4]"
    assert got["level_probabilities"] == {"0.39": 0.2, "4": 0.8}
    assert json.dumps(got["verdict"]["level"]) == "4"
    assert naming.plain_verdict(curve) == "flops 4 is enough"
    assert naming.title(curve) == "flops"
    console = Console(file=io.StringIO(), width=100)
    console.print(tables.levels(curve))
    assert "4.0" not in console.file.getvalue()
    assert "0.39" in console.file.getvalue()


def test_bounds_that_are_infinite_are_null_in_json(result):
    text = json.dumps(report.to_dict(result), allow_nan=False)
    row = json.loads(text)["searches"][0]["levels"][2]
    assert row["low"] is None
    assert row["high"] is None
    assert row["gain"]["high"] is None
    assert row["gain"]["estimate"] == 0.001


def test_the_report_says_verdicts_first_and_everything_else(result):
    text = report.markdown(result)
    order = [
        "## Verdicts",
        "**depth 2 is enough**",
        "## Learners compared",
        "**cnn/depth is the cheapest",
        "| a | **cnn/depth** | 2 | 0.0400 | [0.0300, 0.0500] | 2.5 s | ×5 |",
        "| a | perceptron | – |",
        "| b | forest/trees | 4? |",
        "chance of equal",
        "cnn/depth and perceptron can't be told apart.",
        "Four replicates are few.",
        "## cnn, depth",
        "**PLATEAUED**: Depth 2 is enough",
        "+0.0600",
        "[+0.0400, +0.0800]",
        "4, 1 failed",
        "| depth | chance | forgoes at most | least margin | cost | gain per device-hour |",
        "| 2 | .93 | 0.0120 | 0.0100 | 2.5 s (×2) | +173 | 9,000 |",
        "Never measured, and so never paid for: depth 8.",
        "**What the next doubling gains.** Nothing speaks for a further gain from doubling once "
        "more, to depth 8 (95% interval [-0.0110, +0.0120]).",
        "**What capacity costs.** Doubling depth multiplies the cost by 2 (cost ∝ depth^1.00).",
        "The step 1 → 2 gained +0.0600 for 1.25 device-seconds more: the last worth having.",
        "The step 2 → 4 gained +0.0010 for 2.5 device-seconds more: the first not worth having.",
        "One replicate diverged.",
        "## forest, trees",
        "What is missing:",
        "about 9 more replicates at 16",
        "13 replicates in all, or no number of them",
        "## Baseline: perceptron",
        "## Bill",
        "## What to try next",
        "## How to reproduce",
        "```yaml",
        "## How to read it",
    ]
    place = -1
    for words in order:
        found = text.find(words, place + 1)
        assert found > place, words
        place = found


def priced(result):
    """The same result at a price on device time."""
    spec = result.job.spec.model_copy(update={"worth": Worth(gain=0.01, device_hours=40)})
    curves = {
        key: replace(
            curve,
            price=0.01 / 144_000,
            worth="0.01 error per 40 device-hours",
            levels=tuple(replace(row, margin_supported=None) for row in curve.levels),
        )
        for key, curve in result.curves.items()
    }
    return replace(result, job=replace(result.job, spec=spec), curves=curves)


def test_a_report_at_a_price_speaks_of_the_price(result):
    told = report.markdown(priced(result))
    assert (
        "A larger level must gain at least 0.01 for every 40 device-hours that it costs more to be "
        "worth it; at most"
    ) in told
    assert "gains more than the price of what it costs more" in told
    for word in ("doubling of capacity must gain", "for each doubling", "east margin"):
        assert word in report.markdown(result)
        assert word not in told
    assert "A difference below 0.02 error doesn't matter" in told  # the margin across learners
    assert "worth: {gain: 0.01, device_hours: 40.0}" in told
    got = report.to_dict(priced(result))
    assert got["worth"] == {"gain": 0.01, "device_hours": 40.0}
    assert got["searches"][0]["price"] == pytest.approx(0.01 / 144_000)
    assert got["searches"][0]["worth"] == "0.01 error per 40 device-hours"
    plain = report.to_dict(result)
    assert (plain["worth"], plain["searches"][0]["price"]) == (None, None)


def test_advice_at_a_price_is_to_ask_for_more_of_it(result):
    open_ended = Verdict(VerdictOutcome.INCONCLUSIVE, None, "It is open.")
    for of, advised in ((result, "a larger `margin`"), (priced(result), "more gain in `worth`")):
        lines = advice(changed(of, "cnn/depth", verdict=open_ended))
        assert any(f"or ask for {advised}" in line for line in lines)


def test_every_row_of_a_table_in_the_report_has_as_many_cells_as_its_header(result):
    text = report.markdown(changed(result, "cnn/depth", notes=("a | b\nc",)))
    width = 0
    for line in text.splitlines():
        if not line.startswith("|"):
            width = 0
            continue
        cells = line.replace("\\|", "").count("|")
        assert width in (0, cells), line
        width = cells


def test_the_spec_in_the_report_gives_the_same_spec(result):
    text = report.markdown(result)
    written = text.partition("```yaml\n")[2].partition("```")[0]
    assert JobSpec.parse(yaml.safe_load(written)) == result.job.spec


def test_a_spec_written_out_again_keeps_its_space_and_keys():
    spec = JobSpec.parse(
        {
            "dataset": "digits",
            "baseline": None,
            "budget": {"device_hours": 2.0},
            "searches": [
                {
                    "learner": "cnn",
                    "axis": "depth",
                    "key": "mine",
                    "space": {
                        "epochs": 3,
                        "learning_rate": {"low": 0.001, "high": 0.1},
                        "dropout": {"choices": [0.0, 0.5]},
                    },
                },
                {"learner": "perceptron"},
            ],
        }
    )
    assert JobSpec.parse(yaml.safe_load(spec_as_yaml(spec))) == spec


def test_tables_fit_100_columns(result):
    console = Console(file=io.StringIO(), width=100)
    console.print(report.table(result))
    text = console.file.getvalue()
    assert "…" not in text
    for words in ("depth 2 is enough", "one of 4, 16", "[+0.0400, +0.0800]", "3", "Never measured"):
        assert words in text


def test_the_table_of_a_long_ladder_fits_100_columns_too(result):
    levels = tuple(
        CurveLevel(
            level,
            19,
            1,
            0.0123,
            -0.1234,
            0.1234,
            Gain(level / 2, level, -0.0123, -0.1234, 0.1234, 1, 2.0, 1.0),
            0.1,
            123.4,
            99999.0,
            12345678,
        )
        for level in (1024, 2048, 4096)
    )
    hard = changed(
        result,
        "cnn/depth",
        metric="log_loss",
        levels=levels,
        verdict=Verdict(VerdictOutcome.RISING, None, "why " * 60),
        level_probabilities={1024: 0.001, 2048: 0.009, 4096: 0.99},
    )
    console = Console(file=io.StringIO(), width=100)
    console.print(report.table(hard))
    text = console.file.getvalue()
    assert "…" not in text
    assert "[-0.1234, +0.1234]  19+1✗" in text
    assert "<.01" in text
    assert "12,345,678" in text


def test_what_is_unknown_takes_no_room_in_the_report(result):
    text = report.markdown(replace(result, comparison=None))
    assert "Learners compared" not in text
    assert "chance of equal" not in text
    forest = text.partition("## forest")[2].partition("\n## ")[0]
    assert "| trees | cost | parameters |" in forest
    assert "next doubling" not in forest
    assert "What capacity costs" not in forest


def test_what_is_missing_is_said_once(result):
    text = report.markdown(result).partition("## forest")[2].partition("\n## ")[0]
    assert text.count("about 9 more replicates at 16") == 1
    console = Console(file=io.StringIO(), width=200)
    console.print(tables.levels(result.curves["forest/trees"]))
    assert "about 9 more replicates at 16. To settle it with" in console.file.getvalue()


@pytest.mark.parametrize(
    ("needed", "said"),
    [
        (Needed(), ""),
        (Needed(reason="More levels."), "More levels."),
        (Needed((12, 40)), "about 12 to 40 replicates in all"),
        (Needed((12, 12)), "about 12 replicates in all"),
        (Needed((None, 30)), "30 replicates in all, or no number of them"),
        (Needed((None, None), 5000), "no number of replicates would do; or up to about 5,000 test"),
    ],
)
def test_what_is_needed_is_said_in_words(needed, said):
    assert said in sentences.needed(needed)
    assert bool(said) == bool(sentences.needed(needed))


def test_steps_that_were_not_measured_are_told_from_those_that_were():
    curve = Curve(
        "flops",
        "",
        "flops",
        "error",
        "minimize",
        0.01,
        (),
        None,
        costs=Costs(
            CostTrend(2.0, 1.7, 2.3, 1.0, "GPU-days"),
            CostStep(0.5, 1.0, 0.2, 0.3, False),
            CostStep(1.0, 2.0, None, 1234.0, False),
        ),
        next_doubling=NextDoubling(16.0, 0.01, -math.inf, math.inf, "log-linear", True),
    )
    assert sentences.cost_trend(curve) == (
        "Doubling flops multiplies the cost by 4 "
        "(cost ∝ flops^2.00, exponent's 95% interval [1.70, 2.30])."
    )
    assert sentences.cost_steps(curve) == [
        "The step 0.5 → 1 gained +0.2000 for about 0.3 GPU-days more: "
        "the last worth having, by the estimates.",
        "The step 1 → 2, not measured, would take about 1,234 GPU-days more: "
        "the first not worth having, by the estimates.",
    ]
    shown = replace(curve, verdict=Verdict(VerdictOutcome.PLATEAUED, 1.0, "because"))
    assert sentences.cost_steps(shown)[1].endswith("more: the first not worth having.")
    assert sentences.next_doubling(curve) == (
        "Doubling once more, to flops 16, is expected to gain +0.0100 "
        "(too few levels to bound it; log-linear)."
    )
    assert "to 16 parameters," in sentences.next_doubling(replace(curve, per="parameters"))


def test_a_step_that_costs_less_says_so(result):
    costs = Costs(last_worthwhile=CostStep(1, 2, 0.06, -0.25, True))
    assert sentences.cost_steps(replace(result.curves["cnn/depth"], costs=costs)) == [
        "The step 1 → 2 gained +0.0600 for 0.25 device-seconds less: the last worth having."
    ]


def test_a_result_without_curves_is_still_a_report(result):
    empty = replace(result, curves={})
    assert "Nothing has been measured yet." in report.markdown(empty)
    assert report.to_dict(empty)["searches"] == []
    Console(file=io.StringIO(), width=100).print(report.table(empty))


@pytest.mark.parametrize(
    ("outcome", "level", "said", "next_step"),
    [
        (VerdictOutcome.PLATEAUED, 4, "depth 4 is enough", "Level 3, between 2 and 4"),
        (VerdictOutcome.DECLINING, 2, "more is worse", "use depth 2"),
        (VerdictOutcome.RISING, None, "still rising at depth 4", "add level 8"),
        (VerdictOutcome.INCONCLUSIVE, None, "inconclusive", "max_replicates"),
    ],
)
def test_every_verdict_has_plain_words_and_a_next_step(result, outcome, level, said, next_step):
    result = changed(result, "cnn/depth", verdict=Verdict(outcome, level, "because"))
    assert said in naming.plain_verdict(result.curves["cnn/depth"])
    assert any(next_step in line for line in advice(result))


def test_a_search_that_failed_says_so(result):
    failed = changed(
        result,
        "cnn/depth",
        state=SearchState.FAILED,
        state_reason="no level could be measured",
        levels=(),
        verdict=None,
    )
    text = report.markdown(failed)
    assert "**failed**" in text
    assert "no level could be measured" in text


def test_what_is_no_better_than_the_baseline_is_told(result):
    curve = result.curves["perceptron"]
    good = replace(curve, levels=(replace(curve.levels[0], score=0.04),))
    result = replace(result, curves=dict(result.curves) | {"perceptron": good})
    assert any("not better than the baseline" in line for line in advice(result))


def test_a_winner_at_an_end_of_its_range_is_told(result):
    rows = result.curves["cnn/depth"].levels
    at_end = replace(rows[1], setting=make_setting({"learning_rate": 0.0495, "dropout": 0.0}))
    result = changed(result, "cnn/depth", levels=(rows[0], at_end, rows[2]))
    assert not any("lies at an end" in line for line in advice(result))
    spec = result.job.spec
    cnn = spec.searches[0].model_dump(exclude_defaults=True)
    for high, told in ((0.05, True), (0.1, False)):
        narrow = {**cnn, "space": {"learning_rate": {"low": 1e-3, "high": high}}}
        searches = [narrow, spec.searches[1].model_dump(exclude_defaults=True)]
        asked = JobSpec.parse({**spec.model_dump(exclude_defaults=True), "searches": searches})
        lines = advice(replace(result, job=replace(result.job, spec=asked)))
        said = any("at depth 2 the best learning_rate lies at an end" in line for line in lines)
        assert said is told  # the catalog ends at .1, and nobody can widen that
        assert not any("dropout lies" in line for line in lines)  # nothing lies beyond 0


def test_a_winner_is_judged_against_the_range_at_its_own_level(result):
    rows = result.curves["cnn/depth"].levels
    cnn = result.job.spec.search("cnn/depth")
    ends = {row.level: cnn.ranges(row.level)["learning_rate"].high for row in rows}
    assert ends[rows[2].level] < ends[rows[0].level]  # it falls with depth
    at_end = [
        replace(row, setting=make_setting({"learning_rate": ends[rows[2].level]})) for row in rows
    ]
    lines = [
        line
        for line in advice(changed(result, "cnn/depth", levels=tuple(at_end)))
        if "lies at an end" in line
    ]
    assert len(lines) == 1
    assert f"at depth {rows[2].level:g} the best learning_rate" in lines[0]
    assert f"searched, {ends[rows[2].level]:g};" in lines[0]


def test_uploaded_data_is_named_by_its_files():
    file = BlobFile(name="iris.npz", sha256="0" * 64, size_bytes=1)
    assert naming.dataset_name(Dataset(source="npz", files=(file,))) == "npz:iris.npz"
    assert "2 uploaded files" in naming.dataset_name(Dataset(source="idx", files=(file, file)))


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "–"), (0.0, ".00"), (0.004, "<.01"), (0.934, ".93"), (0.996, ">.99"), (1.0, "1.00")],
)
def test_chances_are_written_as_in_journals(value, shown):
    assert naming.probability(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "–"),
        (0.0, "0 s"),
        (0.0001, "<1 ms"),
        (0.0123456, "0.0123 s"),
        (99.96, "100 s"),
        (1234.5, "1234 s"),
        (7200.0, "2.00 h"),
        (math.inf, "–"),
    ],
)
def test_seconds_are_readable(value, shown):
    assert naming.seconds(value) == shown
