"""The user's own code is found, described and packed, and nothing beside it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from coordinator_double import make_spec

from tuner import JobSpec, Search, TunerError
from tuner.catalog import Axis, Learner
from tuner.client.own_code import entry_of, packed_code, with_own_code
from tuner.client.uploads import _described

MINE = """
from tuner.catalog import SAMPLES, Axis, Learner, Number

class Mine:
    entry = Learner("mine", "mine", axes=(Axis("depth", 1, {high}, (1, 2)),))

class Silent:
    pass

def cost(truth, given):
    return 0.0
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    code = tmp_path / "code"
    (code / "parts" / "__pycache__").mkdir(parents=True)
    (code / "mine.py").write_text(MINE.format(high=8))
    (code / "parts" / "more.py").write_text("x = 1\n")
    (code / "parts" / "__pycache__" / "more.pyc").write_bytes(b"made")
    (code / ".secret").write_text("mine")
    return code


def problem(call, *arguments: object) -> str:
    with pytest.raises(TunerError) as caught:
        call(*arguments)
    return caught.value.violations[0].problem


def test_a_class_says_what_it_is_and_leaves_no_trace(folder: Path):
    before = (list(sys.path), set(sys.modules))
    assert entry_of("mine:Mine", str(folder)).axes[0].high == 8
    assert list(sys.path) == before[0]
    assert "mine" not in set(sys.modules) - before[1]
    # Changed code is read anew.
    (folder / "mine.py").write_text(MINE.format(high=16))
    assert entry_of("mine:Mine", str(folder)).axes[0].high == 16


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("mine:Nobody", "mine has no 'Nobody'"),
        ("yours:Mine", "there is no module 'yours'"),
        ("mine:Silent", "has no `entry` that is a tuner.catalog.Learner"),
        ("needy:Mine", "needs the module 'not_there_at_all', which isn't installed"),
        ("broken:Mine", "broken can't be imported: ZeroDivisionError"),
        ("ends:Mine", "ends can't be imported: SystemExit"),
    ],
)
def test_what_cannot_be_had_is_named(folder: Path, name: str, words: str):
    (folder / "needy.py").write_text("import not_there_at_all\n")
    (folder / "broken.py").write_text("1 / 0\n")
    (folder / "ends.py").write_text("import sys\nsys.exit(3)\n")
    assert words in problem(entry_of, name, str(folder))


def test_a_spec_from_yaml_is_described_by_its_code(folder: Path):
    file = folder / "job.yaml"
    file.write_text(
        "dataset: digits\ncode: .\nsearches: [{learner: 'mine:Mine', levels: [1, 2, 4]}]\n"
    )
    spec = JobSpec.from_file(file, entry_of)
    assert spec.searches[0].entry is not None
    assert spec.searches[0].key == "Mine/depth"
    assert Path(spec.code.folder).resolve() == folder
    with pytest.raises(TunerError) as caught:
        JobSpec.from_file(file)
    assert "nothing says what it is" in str(caught.value)


class Named:
    entry = Learner("named", "", axes=(Axis("depth", 1, 8, (1, 2)),))


def test_a_class_stands_for_its_name():
    search = Search(Named, axis="depth")
    assert (search.learner, search.key) == (f"{__name__}:Named", "Named/depth")
    assert search.levels == (1, 2)


def test_what_is_packed_is_the_same_each_time_and_nothing_hidden_or_made(folder: Path):
    packed = packed_code(str(folder))
    assert packed.files == ("mine.py", "parts/more.py")
    first = b"".join(packed.chunks(1 << 16))
    (folder / "mine.py").touch()
    assert b"".join(packed_code(str(folder)).chunks(7)) == first


def test_nothing_of_the_path_stays_in_the_spec(folder: Path):
    spec = make_spec(code={"folder": str(folder)})
    found, blobs = with_own_code(spec, _described)
    assert found.code.folder == "code"
    [blob] = blobs
    assert found.code.archive == blob
    assert with_own_code(found, _described) == (found, {})


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda f: (f / "numpy.py").touch(), "numpy.py has the name of a module that is there"),
        (lambda f: (f / "json.py").touch(), "json.py has the name of a module that is there"),
        (lambda f: (f / "out").symlink_to("/etc/hostname"), "leads out of"),
        (lambda f: (f / "big.bin").write_bytes(bytes(51 * 2**20)), "at most 52,428,800 are sent"),
        (lambda f: [p.unlink() for p in f.rglob("*.py")], "holds no Python file"),
    ],
)
def test_a_folder_that_cannot_be_sent_is_refused(folder: Path, make, words: str):
    make(folder)
    assert words in problem(packed_code, str(folder))


def test_no_folder_is_named():
    assert "there is no folder" in problem(packed_code, "not/here")


def test_an_installed_package_names_its_learners_by_entry_points(tmp_path: Path, monkeypatch):
    """Its metadata says which class a name is; the job needs no code of its own."""
    (tmp_path / "packaged.py").write_text(MINE.format(high=8))
    info = tmp_path / "packaged-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: packaged\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[tuner.learners]\nours = packaged:Mine\n")
    monkeypatch.syspath_prepend(tmp_path)
    data = {"dataset": "digits", "searches": [{"learner": "ours", "levels": [1, 2]}]}
    spec = JobSpec.parse(data, entry_of)
    assert (spec.searches[0].learner, spec.code) == ("packaged:Mine", None)
    with pytest.raises(TunerError, match="no learner 'nobodys'"):
        JobSpec.parse({**data, "searches": [{"learner": "nobodys"}]}, entry_of)


def test_what_is_installed_below_the_folder_stays_imported(folder: Path, monkeypatch):
    """A virtual environment often lies in the folder that one works in."""
    site = folder / ".venv" / "site"
    site.mkdir(parents=True)
    (site / "stays.py").write_text("")
    (folder / "mine.py").write_text("import stays\n" + MINE.format(high=8))
    monkeypatch.syspath_prepend(site)
    known = sys.modules["pytest"]
    entry_of("mine:Mine", str(folder))
    assert "stays" in sys.modules
    assert "mine" not in sys.modules
    del sys.modules["stays"]
    assert sys.modules["pytest"] is known
