"""CSV and Parquet files become examples as told, and every bad one is refused in words."""

from __future__ import annotations

import datetime
import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuner.datasets import files, parquet, registry, table
from tuner.datasets.base import Data, DataError, Request
from tuner.datasets.columns import from_text

HERD = """\
name,weight,colour,born,sold,kind
Ada,3.5,red,2024-01-02,true,cat
Bea,,blue,2024-01-03 12:00:00,false,dog
Cy, 4 ,,2024-01-05,true,cat
Dee,NA,red,2024-01-06,,dog
"""


def csv(folder: Path, text: str, **options: str) -> Data:
    file = folder / "herd.csv"
    file.write_text(text)
    return registry.load("csv", Request(file, options={"target": "kind", **options}))


def refused(folder: Path, text: str, **options: str) -> str:
    with pytest.raises(DataError) as error:
        csv(folder, text, **options)
    assert "herd.csv: " in str(error.value)
    return str(error.value)


def columns(data: Data) -> dict[str, list[float | None]]:
    named = zip(data.features, data.x.T, strict=True)
    return {name: [None if np.isnan(v) else float(v) for v in cells] for name, cells in named}


ENCODED = {
    "weight": [3.5, None, 4.0, None],
    "weight=(missing)": [0.0, 1.0, 0.0, 1.0],
    "colour=blue": [0.0, 1.0, 0.0, 0.0],
    "colour=red": [1.0, 0.0, 0.0, 1.0],
    "colour=(missing)": [0.0, 0.0, 1.0, 0.0],
    "born": [19724.0, 19725.5, 19727.0, 19728.0],
    "sold": [1.0, 0.0, 1.0, None],
    "sold=(missing)": [0.0, 0.0, 0.0, 1.0],
}


def test_cells_become_numbers_as_documented(tmp_path: Path) -> None:
    data = csv(tmp_path, HERD, drop="name")
    assert columns(data) == ENCODED
    assert data.classes == ("cat", "dog")
    assert data.y.tolist() == [0, 1, 0, 1]


def herd() -> pa.Table:
    when = [datetime.datetime(2024, 1, day, 12 * (day == 3)) for day in (2, 3, 5, 6)]
    return pa.table(
        {
            "weight": pa.array([3.5, None, 4, float("nan")]),
            "colour": pa.array(["red", "blue", None, "red"]).dictionary_encode(),
            "born": pa.array(when, pa.timestamp("ns")),
            "sold": pa.array([True, False, True, None]),
            "kind": ["cat", "dog", "cat", "dog"],
            "__index_level_0__": [0, 1, 2, 3],
        }
    )


def test_parquet_and_csv_say_the_same(tmp_path: Path) -> None:
    file = tmp_path / "herd.parquet"
    pa.parquet.write_table(herd(), file, row_group_size=2)
    read = registry.load("parquet", Request(file, options={"target": "kind"}))
    assert columns(read) == ENCODED
    assert read.digest == csv(tmp_path, HERD, drop="name").digest


@pytest.mark.parametrize(
    "write",
    [
        lambda file, text: file.write_bytes(b"\xef\xbb\xbf" + text.encode()),
        lambda file, text: file.write_bytes(gzip.compress(text.encode())),
        lambda file, text: file.write_text(text.replace(",", ";")),
        lambda file, text: file.write_text(text.replace(",", "\t")),
        lambda file, text: file.write_bytes(text.replace("\n", "\r\n").encode()),
        lambda file, text: file.write_text(text.replace("red", '"red"')),
    ],
    ids=["mark", "gzip", "semicolons", "tabs", "windows", "quotes"],
)
def test_a_table_is_the_same_however_it_was_written(
    tmp_path: Path, write: Callable[[Path, str], object]
) -> None:
    write(tmp_path / "other.csv", HERD)
    options = {"target": "kind", "drop": "name"}
    data = registry.load("csv", Request(tmp_path / "other.csv", options=options))
    assert data.digest == csv(tmp_path, HERD, drop="name").digest


def test_an_uploaded_file_is_known_by_its_owners_name(tmp_path: Path) -> None:
    (tmp_path / "blob").write_text(HERD)
    request = Request(files={"mine.csv": tmp_path / "blob"}, options={"target": "sort"})
    with pytest.raises(DataError, match=r"^mine\.csv: target=sort"):
        registry.load("csv", request)


def test_columns_are_chosen_in_the_order_that_is_asked_for(tmp_path: Path) -> None:
    data = csv(tmp_path, HERD, features="sold, weight")
    assert data.features == ("sold", "sold=(missing)", "weight", "weight=(missing)")


def test_a_time_column_serves_and_is_learnt_from_only_if_named(tmp_path: Path) -> None:
    data = csv(tmp_path, HERD, time="born", drop="name")
    assert data.times is not None
    assert np.diff(data.times).tolist() == [129600.0, 129600.0, 86400.0]
    assert "born" not in data.features
    assert csv(tmp_path, HERD, time="born", features="born").features == ("born",)


def test_a_part_column_is_the_datas_own_test(tmp_path: Path) -> None:
    text = "a,owner,part,kind\n" + "".join(
        f"{i},o{i % 4 + 10 * (i > 7)},{'Test' if i > 7 else 'train'},{'xy'[i % 2]}\n"
        for i in range(12)
    )
    data = csv(tmp_path, text, part="part", group="owner")
    assert data.x.ravel().tolist() == list(range(8))
    assert data.x_test is not None
    assert data.x_test.ravel().tolist() == [8.0, 9.0, 10.0, 11.0]
    assert data.groups is not None
    assert len(set(data.groups.tolist())) == 4
    said = refused(tmp_path, text.replace("o10", "o0"), part="part", group="owner")
    assert "group 'o0' is in the training part and in the test" in said


def test_numbers_are_predicted_where_that_is_asked(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("a,b\n1,2.5\n2,3.5\n4,-1\n")
    data = registry.load("csv", Request(file, options={"target": "b"}, task="regression"))
    assert data.classes == ()
    assert data.y.tolist() == [2.5, 3.5, -1.0]


def test_whole_numbers_and_truth_values_are_classes(tmp_path: Path) -> None:
    whole = csv(tmp_path, "a,kind\n1,2\n2,10\n3,2\n4,10.0\n")
    assert whole.classes == ("2", "10")
    truth = csv(tmp_path, "a,kind\n1,true\n2,FALSE\n3,True\n4,false\n")
    assert truth.classes == ("False", "True")


def test_what_says_nothing_is_left_out_and_said(tmp_path: Path) -> None:
    data = csv(tmp_path, "a,b,c,kind\n1,7,,x\n2,7,,y\n3,7,?,x\n4,7,,y\n")
    assert data.features == ("a",)
    assert data.notes == (
        "Column 'b' is the same in every row, and is left out.",
        "Column 'c' has no cell that isn't missing, and is left out.",
    )
    assert "no column is left" in refused(tmp_path, "b,kind\n7,x\n7,y\n7,x\n7,y\n")


@pytest.mark.parametrize(
    ("text", "options", "said"),
    [
        (HERD, {"target": "knid"}, "target=knid: there is no such column; did you mean 'kind'? Th"),
        (HERD, {"target": "Kind"}, "did you mean 'kind'? There are name, weight, colour, born"),
        (HERD, {"drop": "nam"}, "drop=nam: there is no such column; did you mean 'name'?"),
        (HERD, {"features": "weight,zzz"}, "features=zzz: there is no such column; There are"),
        (HERD, {"features": "weight,kind"}, "features=kind: it is the target column already"),
        (HERD, {"group": "kind"}, "target and group are both 'kind'"),
        (
            HERD,
            {"drop": "name", "missing": "refuse"},
            "'weight' lacks 2 of 4 cells, first in row 2",
        ),
        (HERD, {"categories": "3"}, "'name' is text with 4 different values (such as 'Ada'); at m"),
        (HERD, {"target": "born"}, "target 'born' holds dates; task: classification needs text"),
        (HERD, {"target": "weight"}, "target 'weight' is missing in 2 of 4 rows, first in row 2"),
        (HERD, {"group": "colour"}, "group 'colour' is missing in 1 of 4 rows, first in row 3"),
        (HERD, {"time": "name"}, "time 'name' holds text or truth values such as 'Ada'; give num"),
        (HERD, {"part": "name"}, "part 'name' must say train or test in each row"),
        ("a,kind\n1,1.5\n2,2\n", {}, "target 'kind' holds 1.5, which is no whole number; to pred"),
        ("a,g,kind\n1,.5,x\n2,2,y\n", {"group": "g"}, "group 'g' holds 0.5, which is no whole"),
        ("a,kind\n1,x\n2,x\n3,x\n", {}, "target 'kind' holds only the class 'x'"),
        ("a,kind\n1,x\n2,x\n3,x\n4,y\n", {}, "target 'kind' has one example of the class 'y'"),
        ("a,kind\n1,x\n2,x\n3,y\n1e39,y\n", {}, "column 'a' is infinite in row 4"),
        ("a,kind\n1,x\n2,x\n3,y\ninf,y\n", {}, "column 'a' is infinite in row 4"),
        ("", {}, "its first line is empty"),
        ("\n1,2\n", {}, "its first line is empty"),
        ("a,kind\n", {}, "has a header and no rows"),
        (",a,kind\n0,1,x\n", {}, "column 1 has no name; name it in the header, or leave it out"),
        ("a,a,kind\n0,1,x\n", {}, "has two columns 'a'"),
        ("1,2,x\n3,4,y\n", {"target": "3"}, "target=3: there is no such column; There are 1, 2, x"),
        ("1,2\n3,4\n", {}, "is the header missing?"),
        ("a,kind\n1,x\n2\n", {}, "Expected 2 columns, got 1"),
        ("a,kind\n1,x\n2,y,z\n", {}, "Expected 2 columns, got 3"),
    ],
)
def test_a_bad_table_is_refused_with_the_column(
    tmp_path: Path, text: str, options: dict[str, str], said: str
) -> None:
    assert said in refused(tmp_path, text, **options)


def test_a_target_of_text_is_no_number_to_predict(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(HERD)
    request = Request(tmp_path / "a.csv", options={"target": "kind"}, task="regression")
    with pytest.raises(DataError, match="holds text or truth values such as 'cat'; task: regress"):
        registry.load("csv", request)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (HERD.encode("utf-16"), "is UTF-16 or no text; write it as UTF-8"),
        (HERD.replace("name", "n\xe4me").encode("latin-1"), "its header isn't UTF-8 (byte 0xe4"),
        (HERD.replace("Ada", "Ad\xe4").encode("latin-1"), "its text isn't UTF-8"),
        (gzip.compress(HERD.encode())[:-12], "can't be unpacked"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "is UTF-16 or no text"),
    ],
)
def test_what_is_no_text_in_utf_8_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(DataError) as error:
        registry.load("csv", Request(tmp_path / "a.csv", options={"target": "kind"}))
    assert said in str(error.value)


def test_too_wide_or_too_large_a_table_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table, "MAX_COLUMNS", 5)
    assert "has 6 columns; at most 5 are read" in refused(tmp_path, HERD)
    monkeypatch.undo()
    monkeypatch.setattr(table, "MAX_BYTES", 100)
    assert "4 rows of 14 numbers take more than the 100 bytes" in refused(tmp_path, HERD)
    monkeypatch.undo()
    monkeypatch.setattr(files, "MAX_BYTES", 100_000)
    (tmp_path / "bomb.csv").write_bytes(gzip.compress(b"a,kind\n" + b"1,x\n" * 100_000))
    with pytest.raises(DataError, match=r"bomb\.csv: holds more than the 100,000 bytes"):
        registry.load("csv", Request(tmp_path / "bomb.csv", options={"target": "kind"}))


def test_a_parquet_file_that_is_none_or_promises_too_much_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "a.parquet"
    file.write_text(HERD)
    with pytest.raises(DataError, match=r"a\.parquet: is no whole Parquet file"):
        registry.load("parquet", Request(file, options={"target": "kind"}))
    run = pa.table({"a": np.zeros(100_000), "kind": ["x"] * 100_000})
    pa.parquet.write_table(run, file)
    assert file.stat().st_size < 10_000
    monkeypatch.setattr(parquet, "MAX_BYTES", 1_000_000)
    with pytest.raises(DataError, match="100,000 rows of 2 columns take"):
        registry.load("parquet", Request(file, options={"target": "kind"}))
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="is no whole Parquet file"):
        registry.load("parquet", Request(file, options={"target": "kind"}))


def test_parquet_cells_that_are_no_numbers_are_refused_by_name(tmp_path: Path) -> None:
    file = tmp_path / "a.parquet"
    pa.parquet.write_table(pa.table({"a": [[1], [2]], "kind": ["x", "y"]}), file)
    with pytest.raises(DataError, match=r"column 'a' holds list<.*leave it out \(drop=a\)"):
        registry.load("parquet", Request(file, options={"target": "kind"}))
    with pytest.raises(DataError, match="no such file"):
        registry.load("parquet", Request(tmp_path / "none", options={"target": "kind"}))
    with pytest.raises(DataError, match="is no file"):
        registry.load("parquet", Request(tmp_path, options={"target": "kind"}))


@given(st.lists(st.one_of(st.none(), st.floats(allow_nan=False, width=32)), max_size=40))
@settings(max_examples=60, deadline=None)
def test_numbers_come_back_from_text_as_they_were(cells: list[float | None]) -> None:
    text = pa.chunked_array([["" if v is None else repr(v) for v in cells]], pa.string())
    column = from_text("a", text)
    assert column.kind == "number"
    assert [None if np.isnan(v) else v for v in column.cells] == cells


@given(
    st.lists(st.one_of(st.none(), st.sampled_from(["b", "a", "é", "c d", "0x"])), max_size=40),
    st.integers(1, 7),
)
@settings(max_examples=60, deadline=None)
def test_text_comes_back_as_it_was_in_pieces_or_whole(cells: list[str | None], size: int) -> None:
    pieces = [cells[at : at + size] for at in range(0, len(cells), size)]
    column = from_text("a", pa.chunked_array(pieces, pa.string()))
    assert list(column.values) == sorted({v for v in cells if v is not None})
    if column.values:
        assert column.kind == "text"
        back = [None if np.isnan(v) else column.values[int(v)] for v in column.cells]
        assert back == cells
