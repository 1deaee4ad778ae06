"""benchmarks/search.py: a small comparison, and that what it prints follows from its runs."""

import json

import pytest

from benchmarks import search
from benchmarks.peers import Asha
from tuner.search.simulation import Setup, WorldSpec, play, simulate
from tuner.search.simulation.tables import find_world
from tuner.spec import Measuring, Tuning

SMALL = (
    "--runs", "4", "--trials", "2", "--replicates", "4", "12", "--processes", "1",
    "--tables", "simulated/plateau_early", "--margins", "0.01",
)  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("benchmark")
    files = [folder / name for name in ("rows.json", "rows.md", "rows.svg")]
    search.main(
        [*SMALL, "--policies", "climb", "tpe", "benchmarks.peers:Asha",
         "--json", str(files[0]), "--markdown", str(files[1]), "--svg", str(files[2])]
    )  # fmt: skip
    return json.loads(files[0].read_text()), files[1].read_text(), files[2].read_text()


def test_every_policy_has_a_row_and_the_sweep_is_its_measure(made):
    rows = {row["policy"]: row for row in made[0]["rows"]}
    assert list(rows) == ["sweep", "climb", "tpe", "asha"]
    assert rows["sweep"]["ratio"] == 1
    for row in rows.values():
        assert row["runs"] == 4
        assert row["ratio"] == pytest.approx(
            row["device_seconds"] / rows["sweep"]["device_seconds"]
        )
        assert sum(row[mark]["share"] for mark in ("right", "wrong", "abstained")) == pytest.approx(
            1
        )
        for mark in ("right", "wrong", "abstained"):
            assert row[mark]["low"] <= row[mark]["share"] <= row[mark]["high"]
    assert rows["climb"]["ratio"] < 0.5
    # Level 2 suffices: the oracle tunes and measures 1, 2, 4 and 8 of 63, on 2 + 4 fits of 2 + 12.
    assert rows["climb"]["oracle"] == pytest.approx(15 / 63 * 6 / 14)
    assert rows["climb"]["sufficient"] == 2


def test_optimizers_are_asked_on_their_way_and_are_told_nothing_earlier(made):
    rows = {row["policy"]: row for row in made[0]["rows"]}
    assert rows["climb"]["on_the_way"] == []
    for name in ("tpe", "asha"):
        way = rows[name]["on_the_way"]
        assert [step["ratio"] for step in way] == list(search.SHARES)
        if rows[name]["ratio"] < 1:
            assert way[-1]["right"] == rows[name]["right"]["share"]


def test_the_page_and_the_picture_name_every_policy(made):
    _, page, picture = made
    assert "2 suffices; the oracle needs 0.1020 of the sweep." in page
    for name in ("sweep", "climb", "tpe", "asha"):
        assert f"| {name} |" in page
        assert f">{name}<" in picture


def test_ashas_resource_is_replicates_and_few_trials_get_them_all():
    fits = []

    class Spied(Asha):
        def tell(self, member, score):
            fits.append(member)
            super().tell(member, score)

    spec = WorldSpec(
        find_world("simulated/plateau_early"),
        tuning=Tuning(trials=8),
        measuring=Measuring(max_replicates=16),
    )
    run = simulate(Spied, spec, 4)
    by_replicate = [sum(m.replicate == i for m in fits) for i in range(16)]
    assert by_replicate[0] == 8 * 6
    assert by_replicate == sorted(by_replicate, reverse=True)
    assert 0 < by_replicate[15] < by_replicate[0] / 2
    assert run.answers[0].level in spec.world.levels
    setup = Setup("benchmarks.peers:Asha", "simulated/plateau_early", "level")
    assert play(setup, 1) == play(setup, 1)


def test_replays_are_of_real_seeds_only():
    args = search.arguments(["--raw", "--policies", "climb"])
    assert args.tables
    assert all(table.startswith("hpobench/") for table in args.tables)
    assert args.policies == ["sweep", "climb"]
    assert args.runs == 400
    assert "gp" not in search.arguments(["--quick"]).policies
