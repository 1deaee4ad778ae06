"""What the runner reads, and what it refuses, before anything is planned."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from services.runner import content
from tuner.datasets.base import Data, DataError
from tuner.spec import Dataset, JobSpec

TABLE = "a,b,kind\n" + "".join(f"{i},{i % 7},{'xy'[i % 2]}\n" for i in range(120))


def never(sha256: str) -> bytes:
    raise AssertionError(f"{sha256} was fetched")


def dataset(path: str, **options: str) -> Dataset:
    return Dataset.model_validate({"source": "csv", "path": path, "options": options})


def test_a_path_is_read_below_a_root_alone(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    for name in ("root/a.csv", "b.csv"):
        (tmp_path / name).write_text(TABLE)
    (tmp_path / "root" / "link.csv").symlink_to(tmp_path / "b.csv")
    roots = [str(tmp_path / "root")]
    there = dataset(f"{tmp_path}/root/a.csv", target="kind")
    assert content.load(there, roots, never).x.shape == (120, 2)
    for path in ("b.csv", "root/../b.csv", "root/link.csv"):
        with pytest.raises(DataError, match="is not below one of the cluster's data roots"):
            content.load(dataset(f"{tmp_path}/{path}", target="kind"), roots, never)


def test_the_task_and_the_options_reach_the_source(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(TABLE)
    wanted = dataset(f"{tmp_path}/a.csv", target="b", drop="kind")
    data = content.load(wanted, [str(tmp_path)], never, "regression")
    assert data.task == "regression"
    assert data.features == ("a",)


def test_an_address_is_fetched_below_a_root_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def download(url: str, file: Path) -> None:
        asked.append(url)
        file.write_text(TABLE)

    monkeypatch.setattr(content, "download", download)
    roots = ["/data", "https://example.org/sets"]
    url = "https://example.org/sets/a.csv"
    assert content.load(dataset(url, target="kind"), roots, never).x.shape == (120, 2)
    with pytest.raises(DataError, match=r"^https://example\.org/sets/a\.csv: target=knid"):
        content.load(dataset(url, target="knid"), roots, never)
    assert asked == [url, url]
    for other in ("https://example.org/a.csv", "s3://sets/a.csv", "https://example.org/sets/../a"):
        with pytest.raises(DataError, match=r"data roots|write the address out"):
            content.load(dataset(other, target="kind"), roots, never)
    with pytest.raises(DataError, match="a folder is read where it is, or uploaded"):
        images = Dataset.model_validate({"source": "images", "path": url})
        content.load(images, roots, never)
    assert asked == [url, url]


def test_uploaded_files_keep_their_names_and_lie_under_ours(tmp_path: Path) -> None:
    blobs = {"0" * 64: b"\0", "1" * 64: b"\0"}
    files = [
        {"name": f"{kind}/a.png", "sha256": sha256, "size_bytes": 1}
        for kind, sha256 in zip(("cats", "dogs"), blobs, strict=True)
    ]
    wanted = Dataset.model_validate({"source": "images", "files": files})
    with pytest.raises(DataError, match=r"cats/a\.png: is no PNG or JPEG image"):
        content.load(wanted, [], blobs.__getitem__)


def spec(**changes: object) -> JobSpec:
    return JobSpec.parse(
        {
            "dataset": "digits",
            "searches": [{"learner": "perceptron", "axis": "samples", "levels": [50, 81]}],
            "baseline": None,
        }
        | changes
    )


def data(task: str = "classification") -> Data:
    x = np.random.default_rng(0).normal(size=(120, 3)).astype(np.float32)
    if task == "regression":
        return Data(x, x[:, 0].astype(np.float64), None, None, (), "")
    return Data(x, np.arange(120, dtype=np.int64) % 2, None, None, ("a", "b"), "")


def test_more_samples_than_are_trained_on_are_refused() -> None:
    assert content.refusals(spec(), data()) == {}
    larger = [{"learner": "perceptron", "axis": "samples", "levels": [50, 82]}]
    (said,) = content.refusals(spec(searches=larger), data()).values()
    assert "levels go up to 82 samples, but a measuring replicate trains on 81" in said
    assert "give levels up to 81" in said


def test_data_that_cant_be_divided_is_refused_before_any_search() -> None:
    with pytest.raises(DataError, match="the data has no groups"):
        content.refusals(spec(split={"method": "group"}), data())


def test_a_shift_out_of_sight_is_refused_before_anything_is_measured() -> None:
    y = np.arange(80) % 2
    data = Data(np.zeros((80, 1, 8, 6), dtype=np.float32), y, None, None, ("a", "b"), "")
    for strength, refused in ((5, False), (6, True), (8, True)):
        asked = {"dataset": "digits", "searches": [{"learner": "forest"}], "baseline": None}
        spec = JobSpec.parse({**asked, "robustness": [f"shift:{strength}"]})
        if refused:
            with pytest.raises(DataError, match=rf"^shift:{strength} moves images of 8 x 6 .*:5$"):
                content.refusals(spec, data)
        else:
            assert content.refusals(spec, data) == {}
