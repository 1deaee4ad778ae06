"""The coordinator takes the data that a cluster may read, and no other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from services.coordinator.datasets import MOST_SINGLE_FILES, check_dataset
from services.coordinator.settings import Settings
from tuner.errors import TunerError
from tuner.spec import Dataset


class Held:
    """Artifacts that hold every blob, each of a byte."""

    def has(self, sha256: str) -> bool:
        return True

    def size(self, sha256: str) -> int:
        return 1


def check(dataset: object, *roots: Path | str) -> None:
    artifacts: Any = Held()
    check_dataset(Dataset.model_validate(dataset), roots, artifacts)


def images(*names: str) -> dict[str, object]:
    files = [{"name": name, "sha256": "0" * 64, "size_bytes": 1} for name in names]
    return {"source": "images", "files": files}


def test_addresses_are_taken_below_a_root_alone() -> None:
    roots = (Path("/data"), "https://example.org/sets", "s3://bucket")
    options = {"target": "kind"}
    for path in ("https://example.org/sets/a.csv", "s3://bucket/a.csv", "/data/a.csv"):
        check({"source": "csv", "path": path, "options": options}, *roots)
    for path, said in (
        ("https://example.org/a.csv", "is not below a data root; data may be below /data, https:"),
        ("https://example.org/sets/../a.csv", "write the address out"),
        ("ftp://example.org/sets/a.csv", "begins with ftp://"),
        ("gs://bucket/a.csv", "is not below a data root"),
    ):
        with pytest.raises(TunerError) as error:
            check({"source": "csv", "path": path, "options": options}, *roots)
        assert error.value.reason == "DATA_OUTSIDE_ROOTS"
        assert said in error.value.violations[0].problem
    with pytest.raises(TunerError, match="reads a folder; addresses are of files"):
        check({"source": "images", "path": "s3://bucket/pictures"}, *roots)


@pytest.mark.parametrize("text", ["openml:61", "torchvision:MNIST", "digits"])
def test_names_are_no_paths_and_need_no_root(text: str) -> None:
    check(text)


def test_images_come_one_by_one_or_packed() -> None:
    check(images("cats/1.png", "dogs/2.JPG"))
    check(images("train/cats/1.png", "test/cats/2.png"))
    check(images("folder.tar"))


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["1.png"], "'1.png' belongs to no class; name its folder: cats/1.png"),
        (["cats/a.gif"], "'cats/a.gif' is none of .png, .jpg, .jpeg"),
        (["folder.tar", "cats/1.png"], "'folder.tar' is none of"),
        (["other.tar"], "'other.tar' is none of"),
        (["cats/1.png", "cats/1.png"], "is given 2 times"),
        (
            [f"cats/{i}.png" for i in range(MOST_SINGLE_FILES + 1)],
            "are 5,001 files; at most 5,000 are taken one by one: send the folder as one",
        ),
    ],
)
def test_files_that_are_no_folder_of_images_are_refused(names: list[str], said: str) -> None:
    with pytest.raises(TunerError) as error:
        check(images(*names))
    assert said in error.value.violations[0].problem


def test_roots_of_the_environment_may_be_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    roots = "/data:https://example.org:8443/sets:s3://bucket:/more"
    monkeypatch.setenv("TUNER_COORDINATOR_DATA_ROOTS", roots)
    assert Settings().data_roots == (
        Path("/data"),
        "https://example.org:8443/sets",
        "s3://bucket",
        Path("/more"),
    )
    monkeypatch.setenv("TUNER_COORDINATOR_DATA_ROOTS", "https://me@example.org")
    with pytest.raises(ValueError, match="holds a name or password"):
        Settings()
