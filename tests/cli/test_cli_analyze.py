"""`tuner analyze`: tables and predictions from files, in every format, and what is refused."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from tuner.cli.asked import parse_margin, parse_worth
from tuner.cli.main import app
from tuner.errors import TunerError

RESNET = Path(__file__).parents[2] / "examples" / "resnet_cifar10.csv"
BY_DEPTH = ("--level", "depth", "--score", "error", "--minimize", "--margin", "0.5")


@pytest.fixture
def analyze():
    return lambda *arguments: CliRunner().invoke(app, ["analyze", *map(str, arguments)])


@pytest.fixture
def sweep(tmp_path):
    """Three clear doublings, then none: 8 suffices at a margin of half a point."""
    rng = np.random.default_rng(0)
    lines = ["depth,seed,error,seconds"]
    for seed in range(8):
        luck = rng.normal(0, 0.5)
        for depth, error in ((1, 20.0), (2, 12.0), (4, 8.0), (8, 6.0), (16, 6.0), (32, 6.0)):
            lines.append(f"{depth},s{seed},{error + luck + rng.normal(0, 0.05):.4f},{2 * depth}")
    file = tmp_path / "sweep.csv"
    file.write_text("\n".join(lines) + "\n")
    return file


def test_json_has_the_keys_that_programs_rely_on(analyze, sweep):
    done = analyze(
        sweep, *BY_DEPTH, "--replicate", "seed", "--cost", "seconds", "--knee", "-o", "json"
    )
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert (found["outcome"], found["level"]) == ("PLATEAUED", 8)
    assert "8 suffices" in found["reason"]
    assert set(found["level_probabilities"]) == {"1", "2", "4", "8", "16", "32"}
    assert found["level_probabilities"]["8"] > 0.99
    assert [(g["from"], g["to"]) for g in found["gains"]] == [
        (1, 2), (2, 4), (4, 8), (8, 16), (16, 32),
    ]  # fmt: skip
    first = found["gains"][0]
    assert first["low"] < first["gain"] < first["high"]
    assert first["per_doubling"] == first["gain"]
    assert first["cost_ratio"] == pytest.approx(2)
    assert first["gain_per_cost"] == pytest.approx(first["gain"] / 2)
    assert found["needed"] == {"replicates": None, "examples": None, "reason": ""}
    assert found["next_doubling"]["level"] == 64
    assert {"gain", "low", "high", "method", "beats_no_gain"} < set(found["next_doubling"])
    assert any("taken as fixed" in note for note in found["notes"])
    assert found["costs"]["trend"]["exponent"] == pytest.approx(1)
    assert found["knee"] in (2, 4, 8)


BY_PRICE = ("--level", "depth", "--score", "error", "--minimize", "--replicate", "seed")


def test_a_price_takes_the_place_of_the_margin(analyze, sweep):
    """A point is worth two seconds, and a doubling of depth adds two, four, eight, ..."""
    priced = (sweep, *BY_PRICE, "--cost", "seconds", "--worth", "1=2")
    found = json.loads(analyze(*priced, "-o", "json").stdout)
    assert (found["outcome"], found["level"]) == ("PLATEAUED", 4)
    assert found["price"] == 0.5
    assert found["worth"] == "1 error per 2 seconds"
    assert "for 8 more seconds" in found["reason"]
    assert {row["margin_supported"] for row in found["levels"]} == {None}
    cheap = json.loads(analyze(*priced[:-1], "1=80", "-o", "json").stdout)
    assert (cheap["outcome"], cheap["level"]) == ("PLATEAUED", 8)
    text = analyze(*priced, "-o", "md").stdout
    assert "A larger level must gain at least 1 error per 2 seconds that it costs more" in text
    assert "doubling of depth must gain" not in text
    assert "margin" not in analyze(*priced, "-o", "svg").stdout


def test_without_a_price_nothing_is_said_of_one(analyze, sweep):
    found = json.loads(analyze(sweep, *BY_DEPTH, "-o", "json").stdout)
    assert (found["price"], found["worth"]) == (None, None)


def test_a_table_for_people_says_the_verdict_first(analyze, sweep):
    done = analyze(sweep, *BY_DEPTH, "--replicate", "seed", "--cost", "seconds")
    assert done.exit_code == 0, done.output
    assert done.stdout.index("depth 8 is enough") < done.stdout.index("interval")
    assert max(map(len, done.stdout.splitlines())) <= 100
    text = analyze(sweep, *BY_DEPTH, "--replicate", "seed", "-o", "md").stdout
    assert text.startswith("# ")
    assert "**PLATEAUED**: 8 suffices" in text
    assert "taken as fixed" in text


def test_pictures_are_drawn_without_a_coordinator(analyze, sweep):
    text = analyze(sweep, *BY_DEPTH, "--replicate", "seed", "--knee", "-o", "svg").stdout
    assert text.startswith("<svg")
    assert "depth 8 is enough" in text
    assert "knee" in text
    done = analyze(sweep, *BY_DEPTH, "-o", "png")
    assert done.stdout_bytes.startswith(b"\x89PNG\r\n\x1a\n")


def test_a_published_table_is_described_and_not_judged(analyze):
    columns = ("--level", "depth", "--score", "test_error_percent")
    question = (RESNET, *columns, "--minimize", "--margin", "0.5")
    found = json.loads(analyze(*question, "-o", "json").stdout)
    assert found["outcome"] == "INCONCLUSIVE"
    assert found["gains"][-1]["gain"] == pytest.approx(-1.5)
    assert found["gains"][-1]["high"] is None
    assert any("significance can't be had" in note for note in found["notes"])
    known = json.loads(
        analyze(*question, "--noise", "0.16", "--noise-runs", "5", "-o", "json").stdout
    )
    assert known["gains"][-1]["high"] < 0
    marked = analyze(*question, "--break", "56:110=the optimiser", "-o", "json")
    assert any("the optimiser changes" in note for note in json.loads(marked.stdout)["notes"])


def test_the_same_table_with_semicolons_tabs_a_mark_and_from_stdin(analyze, sweep, tmp_path):
    options = (*BY_DEPTH, "--replicate", "seed", "-o", "json")
    expected = analyze(sweep, *options).stdout
    text = sweep.read_text()
    for delimiter in (";", "\t"):
        other = tmp_path / "other.csv"
        other.write_text("\ufeff" + text.replace(",", delimiter) + "\n\n", encoding="utf-8")
        assert analyze(other, *options).stdout == expected
    piped = CliRunner().invoke(app, ["analyze", "-", *options], input=text)
    assert piped.stdout == expected


def test_rows_are_chosen_by_where(analyze, sweep, tmp_path):
    lines = sweep.read_text().splitlines()
    both = [lines[0] + ",lr", *(f"{line},0.10" for line in lines[1:])]
    both += [f"{line},0.2" for line in lines[1:]]
    file = tmp_path / "both.csv"
    file.write_text("\n".join(both))
    options = (*BY_DEPTH, "--replicate", "seed", "-o", "json")
    assert analyze(file, *options, "--where", "lr=0.1").stdout == analyze(sweep, *options).stdout
    assert "no row has lr=0.3" in analyze(file, *options, "--where", "lr=0.3").stderr


def predictions(tmp_path, name="{}", **more):
    rng = np.random.default_rng(0)
    hard = rng.normal(0, 1, 4000)
    arrays = {
        name.format(level): hard + rng.normal(0, 0.3, 4000) < limit
        for level, limit in ((1, 0.5), (2, 1.2), (4, 1.22), (8, 1.22))
    }
    file = tmp_path / "predictions.npz"
    np.savez(file, **arrays, **more)
    return file


@pytest.mark.parametrize("name", ["{}", "depth={}", "depth_{}", "depth{}"])
def test_predictions_are_paired_by_example(analyze, tmp_path, name):
    done = analyze("--correct", predictions(tmp_path, name), "--margin", "2pp", "-o", "json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert (found["outcome"], found["level"]) == ("PLATEAUED", 2)
    assert found["margin"] == 0.02
    assert "of these fits, not of other seeds" in found["reason"]
    assert sum("McNemar" in note for note in found["notes"]) == 3


def test_predictions_in_groups(analyze, tmp_path):
    groups = np.repeat(np.arange(400), 10)
    file = predictions(tmp_path, groups=groups)
    clustered = json.loads(analyze("--correct", file, "--margin", "2pp", "-o", "json").stdout)
    plain = json.loads(
        analyze("--correct", predictions(tmp_path), "--margin", "2pp", "-o", "json").stdout
    )
    assert clustered["gains"][0]["gain"] == pytest.approx(plain["gains"][0]["gain"])
    assert clustered["gains"][0]["low"] != plain["gains"][0]["low"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "give a table, or predictions"),
        (("FILE", "--correct", "p.npz", "--margin", "1"), "and not both"),
        (("FILE", "--level", "depth", "--score", "error", "--minimize"), "--margin"),
        (("FILE", "--score", "error", "--minimize", "--margin", "1"), "'depth', 'seed'"),
        (("FILE", "--level", "depth", "--score", "error", "--margin", "1"), "--minimize"),
        (("FILE", *BY_DEPTH[:-1], "half"), "'half' is no margin"),
        (("FILE", *BY_PRICE, "--worth", "1=2"), "say which column that is"),
        (("FILE", *BY_DEPTH, "--cost", "seconds", "--worth", "1=2"), "give one of them"),
        (("FILE", *BY_PRICE, "--cost", "seconds", "--worth", "1"), "'1' is no price"),
        (("FILE", *BY_PRICE, "--cost", "seconds", "--worth", "0=2"), "above 0"),
        (("--correct", "p.npz", "--worth", "1=2"), "goes with a table"),
        (("FILE", *BY_DEPTH[:-1], "-1"), "'-1' is no margin"),
        (("FILE", *BY_DEPTH, "--cost", "second"), "did you mean 'seconds'?"),
        (("FILE", *BY_DEPTH, "--design", "sequential"), "name the column of replicates"),
        (("FILE", *BY_DEPTH, "--resampled", "50"), "TEST:TRAIN"),
        (("FILE", *BY_DEPTH, "--noise", "-1"), "--noise"),
        (("FILE", *BY_DEPTH, "--noise-runs", "3"), "--noise-runs"),
        (("FILE", *BY_DEPTH, "--ladder", "1,2"), "not on the ladder"),
        (("FILE", *BY_DEPTH, "--ladder", "one"), "no ladder"),
        (("FILE", *BY_DEPTH, "--break", "8"), "is no break"),
        (("FILE", *BY_DEPTH, "--break", "8:32"), "no neighbouring levels"),
        (("FILE", *BY_DEPTH, "--alpha", "2"), "--alpha"),
        (("FILE", *BY_DEPTH, "--where", "depth"), "COLUMN=VALUE"),
        (("FILE", *BY_DEPTH, "--where", "deep=1"), "no column 'deep'"),
        (("nothing.csv", *BY_DEPTH), "nothing.csv can't be read: No such file"),
        (("--correct", "nothing.npz", "--margin", "1pp"), "nothing.npz can't be read"),
        (("--correct", "p.npz", "--margin", "1pp", "--level", "depth"), "goes with a table"),
        (("--correct", "p.npz", "--margin", "1pp", "--minimize"), "leave it out"),
    ],
)
def test_what_is_wrong_is_named(analyze, sweep, arguments, said):
    done = analyze(*(sweep if a == "FILE" else a for a in arguments))
    assert done.exit_code == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("2,s9,abc,1", "column 'error', line 50: 'abc' is not a number"),
        ("0,s9,1,1", "column 'depth', line 50: 0 can't be doubled"),
        (",s9,1,1", "column 'depth', line 50: the cell is empty"),
        ("2,,1,1", "column 'seed', line 50: the cell is empty"),
        ("2,s9,1,-3", "column 'seconds', line 50: -3 is no cost"),
        ("2,s0,1,1", "same level and replicate with different scores"),
        ("2,s9,1", "line 50: 3 cells where the header has 4"),
    ],
)
def test_a_bad_cell_is_named_by_column_and_line(analyze, sweep, cell, said):
    with sweep.open("a") as file:
        file.write(cell + "\n")
    done = analyze(sweep, *BY_DEPTH, "--replicate", "seed", "--cost", "seconds")
    assert done.exit_code == 2
    assert said in done.stderr


def test_archives_that_hold_something_else_are_refused(analyze, tmp_path):
    file = tmp_path / "p.npz"
    cases = [
        ({"8": np.array([0.5, 0.7])}, "give booleans"),
        ({"deep": np.array([True, False])}, "names no level"),
        ({"a1": np.array([True]), "b1": np.array([True])}, "there twice"),
        ({"8": np.array([True, False]), "4": np.array([True])}, "shape"),
        ({}, "holds no array"),
        ({"8": np.array([{}], dtype=object)}, "can't be read"),
    ]
    for arrays, said in cases:
        np.savez(file, **arrays)
        done = analyze("--correct", file, "--margin", "1pp")
        assert done.exit_code == 2, said
        assert said in done.stderr
    file.write_bytes(b"no archive")
    assert "can't be read" in analyze("--correct", file, "--margin", "1pp").stderr
    content = io.BytesIO()
    np.save(content, np.array([True]))
    file.write_bytes(content.getvalue())
    assert "one array" in analyze("--correct", file, "--margin", "1pp").stderr


def test_what_reckons_is_named_where_it_is_not_installed(analyze, sweep, monkeypatch):
    monkeypatch.setattr("tuner.installed.importlib.util.find_spec", lambda name: None)
    done = analyze(sweep, *BY_DEPTH)
    assert done.exit_code == 1
    assert "numpy, scipy: pip install 'tuner[analyze]'" in done.stderr


def test_a_price_is_a_gain_and_a_cost():
    assert parse_worth("0.01=40") == (0.01, 40)
    assert parse_worth(" 1pp = 2.5e3 ") == pytest.approx((0.01, 2500))
    for wrong in ("", "1", "=2", "1=", "1=2pp", "a=b", "-1=2", "1=2=3", "inf=1"):
        with pytest.raises(TunerError, match="is no price"):
            parse_worth(wrong)


def test_a_margin_is_a_number_or_percentage_points():
    assert parse_margin("0.5") == 0.5
    assert parse_margin(" 0.5pp ") == pytest.approx(0.005)
    assert parse_margin("1e-3") == 1e-3
    assert parse_margin(".25 pp") == pytest.approx(0.0025)
    for wrong in ("", "pp", "1%", "nan", "inf", "-1", "1,5"):
        with pytest.raises(TunerError):
            parse_margin(wrong)
