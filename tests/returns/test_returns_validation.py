"""`make validate` holds its figures to what it says, and gives the same for the same seed."""

import json
import sys
from pathlib import Path

import pytest

from benchmarks.validation import __main__ as program
from benchmarks.validation import examples, foresight, rows, splits, verdicts
from benchmarks.validation.rows import Row, Share, covered, limit, markdown, rare, worst
from tuner.testing.truths import CASES


def test_a_thousand_curves_may_be_wrong_67_times() -> None:
    assert limit(1000) == 67
    assert not rare(67, 1000, gated=True).failed
    assert rare(68, 1000, gated=True).failed
    assert not covered(933, 1000, gated=True).failed
    assert covered(932, 1000, gated=True).failed


def test_many_rows_at_once_have_a_wider_limit() -> None:
    assert limit(1000, rows=30) > limit(1000)


def test_what_is_reported_alone_never_fails() -> None:
    assert not rare(1000, 1000, gated=False).failed
    assert not covered(0, 1000, gated=False).failed


def test_tables_mark_what_fails_and_name_the_worst() -> None:
    found = [
        Row("S", "good", "d", {"wrong": rare(10, 1000, gated=True), "x": 1.25}),
        Row("S", "bad", "d", {"wrong": rare(100, 1000, gated=True)}),
        Row("S", "other", "d", {"wrong": rare(900, 1000, gated=False)}),
    ]
    assert markdown(found).splitlines()[2:] == [
        "| case | design | wrong | x |",
        "| --- | --- | --- | --- |",
        "| good | d | 1.0 % | 1.25 |",
        "| bad | d | **10.0 % !** |  |",
        "| other | d | 90.0 % |  |",
    ]
    (row,) = worst(found)
    assert row.case == "S: bad"
    assert (row.figures["limit"], row.figures["gated rows"]) == ("at most 6.7 %", "2")


def fast(*, broken: bool = False) -> list[tuple[object, tuple[object, ...]]]:
    return [
        (verdicts.sequential, (CASES["two levels, no gain"],)),
        (_broken if broken else verdicts.fixed, (CASES["two levels, no gain"],)),
    ]


def _broken(case: object, curves: int, seed: int) -> list[Row]:
    return [Row("S", "case", "d", {"wrong": rare(curves, curves, gated=True)})]


def run(monkeypatch: pytest.MonkeyPatch, *options: str, broken: bool = False) -> int:
    monkeypatch.setattr(program, "simulations", lambda: iter(fast(broken=broken)))
    monkeypatch.setattr(sys, "argv", ["validation", "--curves", "20", "--workers", "1", *options])
    return program.main()


def test_the_program_saves_what_it_prints(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    table, counts = tmp_path / "table.md", tmp_path / "counts.json"
    assert run(monkeypatch, "--markdown", str(table), "--json", str(counts)) == 0
    printed = capsys.readouterr().out
    assert printed == table.read_text() + "\n"
    saved = json.loads(counts.read_text())
    assert [row["design"] for row in saved] == [
        *("first verdict", "settled", "5 replicates", "10 replicates", "20 replicates")
    ]
    assert all(row["figures"]["wrong"]["of"] == 20 for row in saved)


def test_a_failed_gate_ends_in_code_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, broken=True) == 1
    assert "failed: case, d: wrong" in capsys.readouterr().err


def test_every_case_and_kind_is_simulated() -> None:
    """Nothing that is written down is left out of the run."""
    found = list(program.simulations())
    of = {function: [a[0] for f, a in found if f is function and a] for function, _ in found}
    assert of[verdicts.sequential] == of[verdicts.fixed] == list(CASES.values())
    assert of[examples.crossed] == list(examples.SHARES)
    assert of[foresight.needed] == list(foresight.NEEDED)
    assert of[foresight.extrapolation] == list(foresight.LAWS)
    assert splits.real in of


QUICK = 40


@pytest.mark.parametrize(
    ("simulate", "of"),
    [
        (examples.crossed, ("all alike",)),
        (examples.in_clusters, ("50 clusters of 2 to 38",)),
        (splits.assumed, ("a fifth held out",)),
        (foresight.needed, ("two levels, no gain",)),
        (foresight.needed, ("six levels, plateau late",)),
        (foresight.probabilities, (10,)),
        (foresight.extrapolation, ("power law",)),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else value.__name__,
)
def test_other_intervals_hold_too_and_repeat(simulate, of) -> None:
    found = simulate(*of, QUICK, 0)
    assert [row.as_json() for row in found] == [row.as_json() for row in simulate(*of, QUICK, 0)]
    assert not [name for row in found for name in row.failed]
    for row in found:
        shares = [v for v in row.figures.values() if isinstance(v, Share)]
        assert shares
        assert all(0 <= share.count <= share.of for share in shares)


def test_replicates_needed_by_the_truth_decide_four_in_five() -> None:
    """What `needed` computes is right where the distance is: at power .8."""
    row = foresight.needed("two levels, no gain", 400, 0)[0]
    share = row.figures["then decided"]
    assert isinstance(share, Share)
    assert share.count / share.of == pytest.approx(0.8, abs=0.06)


def test_chances_of_levels_are_what_they_say() -> None:
    """In the middle of the range, where there is something to be wrong about."""
    middle = foresight.probabilities(10, 200, 0)[2:4]
    for row in middle:
        share, said = row.figures["was so"], row.figures["chance said"]
        assert isinstance(share, Share)
        assert isinstance(said, str)
        chance = float(said.removesuffix(" %")) / 100
        error = (chance * (1 - chance) / share.of) ** 0.5
        assert share.count / share.of == pytest.approx(chance, abs=3 * error)


def test_the_page_shows_every_case() -> None:
    """Added to the simulation means added to docs/validation.md, with what was measured."""
    page = (Path(__file__).parents[2] / "docs" / "validation.md").read_text()
    shown = {line.split("|")[1].strip() for line in page.splitlines() if line.startswith("| ")}
    cases = {*CASES, *examples.SHARES, *examples.CLUSTERS, *splits.PARTS, *foresight.NEEDED}
    assert cases | set(foresight.LAWS) <= shown
    assert "!**" not in page


def test_limits_rest_on_alpha() -> None:
    assert CASES["no gain"].question.alpha == rows.ALPHA
