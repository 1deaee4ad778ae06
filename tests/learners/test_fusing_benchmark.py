"""benchmarks/fusing.py: its ways fit the same members, and its tables follow from what it ran."""

import json

import pytest

from benchmarks import fusing
from benchmarks.fusing import Effort, Size, Speed

SMALL = Effort((Size(8, depth=1, filters=2, epochs=2, examples=40),), (1, 3), lone=2, rounds=1)


def test_every_way_has_its_row_and_members_agree(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path
) -> None:
    monkeypatch.setattr(fusing, "FULL", SMALL)
    fusing.main(["--json", str(tmp_path / "rows.json")])
    rows = json.loads((tmp_path / "rows.json").read_text())
    speeds = rows["speeds"]
    assert [row["members"] for row in speeds] == [0, 1, 3]
    for row in speeds:
        assert row["per_second"] / row["ratio"] == pytest.approx(speeds[0]["per_second"])
    what = {row["what"]: row for row in rows["agreements"]}
    assert set(what) == {"fused", "last bit"}
    for row in what.values():
        assert row["members"] == 3
        assert 0 <= row["probability"] < 1e-4
        assert row["error"] == pytest.approx(row["error_alone"], abs=0.05)
    printed = capsys.readouterr().out
    assert "| members a second | one by one | 1 fused | 3 fused | cost told |" in printed
    assert "8 px, depth 1, 2 filters" in printed


def test_a_row_says_how_fast_and_how_much_faster() -> None:
    rows = [Speed("some", 0, 2.0, 1.0, 1.0), Speed("some", 4, 5.0, 2.5, 0.9)]
    assert "| some | 2 | 5 (× 2.50) | 0.90 to 0.90 |" in fusing.markdown(rows, [])
