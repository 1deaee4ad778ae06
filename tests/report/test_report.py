"""A result as one object, as Markdown and as tables."""

import io
import json
import math
from dataclasses import replace

import pytest
import yaml
from rich.console import Console

from tuner import JobSpec, report
from tuner.curve import SearchState, Verdict, VerdictOutcome
from tuner.report import naming
from tuner.report.advice import advice
from tuner.report.specs import spec_as_yaml
from tuner.spec import BlobFile, Dataset


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
        "cost_device_seconds": 2.5,
        "billed_device_seconds": 40.0,
        "parameters": 9000,
        "hyperparameters": {"dropout": 0.1, "learning_rate": 0.00312345},
    }
    assert search["levels"][0]["gain"] is None


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
        "## cnn, depth",
        "**PLATEAUED**: Depth 2 is enough",
        "+0.0600",
        "[+0.0400, +0.0800]",
        "4, 1 failed",
        "Never measured, and so never paid for: depth 8.",
        "One replicate diverged.",
        "## forest, trees",
        "What is missing:",
        "about 9 more replicates at 16",
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


def test_uploaded_data_is_named_by_its_files():
    file = BlobFile(name="iris.npz", sha256="0" * 64, size_bytes=1)
    assert naming.dataset_name(Dataset(source="npz", files=(file,))) == "npz:iris.npz"
    assert "2 uploaded files" in naming.dataset_name(Dataset(source="idx", files=(file, file)))


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
