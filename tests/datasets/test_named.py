"""Data sets that the cluster looks up by name: read from stand-ins, and clear errors offline."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from pathlib import Path
from types import SimpleNamespace

import fsspec
import numpy as np
import pytest
from standin import serving
from test_idx import IMAGES, LABELS, encoded

from tuner.datasets import download, idx, openml, registry, torchvision
from tuner.datasets.base import Data, DataError, Request

ARFF = b"""% A comment, don't count its quote
@RELATION herd
@ATTRIBUTE id INTEGER
@ATTRIBUTE weight REAL
@ATTRIBUTE 'fur colour' {none,'dark red',blue}
@ATTRIBUTE legs {2,4}
@ATTRIBUTE kind {cat,dog}
@DATA
1,3.5,none,4,cat
% in between
2,?,'dark red',4,dog

3,1e1,blue,2,cat
4,5,?,4,dog
"""

COLUMNS = [
    ("id", "numeric", "true"),
    ("weight", "numeric", "false"),
    ("fur colour", "nominal", "false"),
    ("legs", "nominal", "false"),
    ("kind", "nominal", "false"),
]


def answers(arff: bytes = ARFF, **about: str) -> dict[str, bytes | int | str]:
    features = [
        {"index": str(i), "name": n, "data_type": t, "is_ignore": "false", "is_row_identifier": row}
        for i, (n, t, row) in enumerate(COLUMNS)
    ]
    told = {
        "id": "7",
        "format": "ARFF",
        "url": "/moved",
        "default_target_attribute": "kind",
        "md5_checksum": hashlib.md5(arff).hexdigest(),
        **about,
    }
    return {
        "/api/v1/json/data/7": json.dumps({"data_set_description": told}).encode(),
        "/api/v1/json/data/features/7": json.dumps(
            {"data_features": {"feature": features}}
        ).encode(),
        "/moved": "/data/7.arff",
        "/data/7.arff": arff,
    }


def openml_7(
    monkeypatch: pytest.MonkeyPatch, files: dict[str, bytes | int | str], **options: str
) -> Data:
    with serving(files) as server:
        told = json.loads(files["/api/v1/json/data/7"])  # type: ignore[arg-type]
        place = told.get("data_set_description", {})
        place["url"] = server + place.get("url", "")
        files["/api/v1/json/data/7"] = json.dumps(told).encode()
        monkeypatch.setenv(openml.SERVER, server + "/")
        return registry.load("openml", Request(name="7", options=options))


def test_openml_is_read_with_its_own_types(monkeypatch: pytest.MonkeyPatch) -> None:
    data = openml_7(monkeypatch, answers())
    assert data.features == (
        "weight",
        "weight=(missing)",
        "fur colour=blue",
        "fur colour=dark red",
        "fur colour=none",
        "fur colour=(missing)",
        "legs=2",
        "legs=4",
    )
    assert data.classes == ("cat", "dog")
    np.testing.assert_array_equal(data.x[:, 0], [3.5, np.nan, 10, 5])
    assert data.x[:, 4].tolist() == [1, 0, 0, 0]


def test_openml_takes_options(monkeypatch: pytest.MonkeyPatch) -> None:
    data = openml_7(monkeypatch, answers(), features="id", group="legs")
    assert data.features == ("id",)


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (answers(arff=ARFF) | {"/data/7.arff": ARFF + b"\n"}, "isn't what was published: its MD5"),
        (answers(format="Sparse_ARFF"), "is Sparse_ARFF, no dense table"),
        (answers(default_target_attribute="a,b"), "names a,b as its target; say which one"),
        (answers(default_target_attribute=""), "names none as its target"),
        (answers(arff=b"@relation x\n@data\n{0 1}\n"), "is a sparse table"),
        (answers(arff=b"@relation x\n"), "it is no ARFF file"),
        (answers(arff=ARFF + b"1,2\n"), "Expected 5 columns, got 2"),
        (answers() | {"/api/v1/json/data/7": b'{"error": {}}'}, "lacks 'data_set_description'"),
        (answers() | {"/api/v1/json/data/features/7": b"<html>"}, "the server's answer is no JSON"),
        (answers() | {"/api/v1/json/data/features/7": 412}, "the server answers 412; is there suc"),
    ],
)
def test_what_openml_answers_is_judged(
    monkeypatch: pytest.MonkeyPatch, files: dict[str, bytes | int | str], said: str
) -> None:
    with pytest.raises(DataError) as error:
        openml_7(monkeypatch, files)
    assert str(error.value).startswith("openml:7: ")
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("source", "name", "said"),
    [
        ("openml", "iris", "openml:iris: is no number; write openml:61"),
        ("openml", "../61", "is no number"),
        ("openml", "²", "is no number"),
        ("torchvision", "ImageNet", "is none of MNIST, FashionMNIST, KMNIST, CIFAR10, CIFAR100"),
    ],
)
def test_names_are_judged_before_anything_is_asked(source: str, name: str, said: str) -> None:
    with pytest.raises(DataError) as error:
        registry.load(source, Request(name=name))
    assert said in str(error.value)


@pytest.mark.parametrize(("source", "name"), [("openml", "61"), ("torchvision", "MNIST")])
def test_offline_the_error_says_what_can_be_done(
    monkeypatch: pytest.MonkeyPatch, source: str, name: str
) -> None:
    with serving({}) as closed:
        pass
    monkeypatch.setenv(openml.SERVER, closed)
    monkeypatch.setenv(torchvision.MIRROR, closed)
    with pytest.raises(DataError) as error:
        registry.load(source, Request(name=name))
    assert f"{source}:{name}: " in str(error.value)
    assert "can't be reached from the cluster" in str(error.value)
    assert "put the file below a data root, or upload it" in str(error.value)


def mnist() -> dict[str, bytes | int | str]:
    arrays = (IMAGES, LABELS, IMAGES[:6], LABELS[:6])
    return {
        f"/MNIST/{name}.gz": gzip.compress(encoded(array))
        for name, array in zip((*idx.TRAIN, *idx.TEST), arrays, strict=True)
    }


def test_mnist_comes_from_a_mirror(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(mnist()) as server:
        monkeypatch.setenv(torchvision.MIRROR, server)
        data = registry.load("torchvision", Request(name="MNIST"))
    assert data.x.shape == (12, 1, 3, 4)
    assert data.x_test is not None
    assert data.x_test.shape == (6, 1, 3, 4)


def test_what_was_published_must_be_what_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(torchvision.MIRROR, raising=False)
    with serving({path.removeprefix("/MNIST"): file for path, file in mnist().items()}) as server:
        known = torchvision.PUBLISHED["MNIST"]
        forged = torchvision.Published(server, known.files)
        monkeypatch.setattr(torchvision, "PUBLISHED", {"MNIST": forged})
        with pytest.raises(DataError, match=r"train-images-idx3-ubyte\.gz: isn't what was publ"):
            registry.load("torchvision", Request(name="MNIST"))


def cifar(names: tuple[str, ...], labels: int, files: dict[str, int]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:

        def add(name: str, content: bytes) -> None:
            info = tarfile.TarInfo(f"cifar/{name}")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))

        add(
            "batches.meta.txt" if labels == 1 else "fine_label_names.txt", "\n".join(names).encode()
        )
        add("readme.html", b"hello")
        for name, count in files.items():
            rows = [bytes([9] * (labels - 1) + [i % 2]) + bytes([i]) * 3072 for i in range(count)]
            add(name, b"".join(rows))
    return stream.getvalue()


@pytest.mark.parametrize(
    ("name", "labels", "files"),
    [
        ("CIFAR10", 1, {"data_batch_1.bin": 4, "data_batch_2.bin": 2, "test_batch.bin": 2}),
        ("CIFAR100", 2, {"train.bin": 6, "test.bin": 2}),
    ],
)
def test_cifar_is_read_from_its_binary_version(
    monkeypatch: pytest.MonkeyPatch, name: str, labels: int, files: dict[str, int]
) -> None:
    (archive,) = torchvision.PUBLISHED[name].files
    content = cifar(("plane", "car"), labels, files)
    with serving({f"/{name}/{archive}": content}) as server:
        monkeypatch.setenv(torchvision.MIRROR, server)
        data = registry.load("torchvision", Request(name=name))
    assert data.x.shape == (6, 3, 32, 32)
    assert data.classes == ("car", "plane")
    assert data.y.tolist()[:2] == [1, 0]
    assert data.x_test is not None
    assert data.x_test.shape == (2, 3, 32, 32)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"no archive", "its archive is damaged"),
        (cifar(("a", "b"), 1, {"data_batch_1.bin": 4}), "its archive lacks files; it holds batch"),
        (cifar(("a",), 1, {"data_batch_1.bin": 4, "test_batch.bin": 2}), "names only 1 classes"),
        (cifar(("a", "b"), 1, {"data_batch_1.bin": 4, "test_batch.bin": 2})[:-200], "is damaged"),
        (
            cifar(("a", "b"), 1, {"data_batch_1.bin": 0, "test_batch.bin": 2}),
            "0 bytes are no whole",
        ),
    ],
    ids=["none", "short", "classes", "cut", "empty"],  # an archive has the time in it
)
def test_a_bad_archive_is_refused(
    monkeypatch: pytest.MonkeyPatch, content: bytes, said: str
) -> None:
    with serving({"/CIFAR10/cifar-10-binary.tar.gz": content}) as server:
        monkeypatch.setenv(torchvision.MIRROR, server)
        with pytest.raises(DataError) as error:
            registry.load("torchvision", Request(name="CIFAR10"))
    assert said in str(error.value)


def test_a_file_is_fetched_as_it_is_and_no_more_of_it_than_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = bytes(range(256)) * 20_000
    with serving({"/a/b.csv": content, "/there": "/a/b.csv", "/no": 403}) as server:
        download.download(f"{server}/a/b.csv", tmp_path / "file")
        assert (tmp_path / "file").read_bytes() == content
        download.download(f"{server}/there", tmp_path / "other", redirects=True)
        assert (tmp_path / "other").read_bytes() == content
        for path, said in (
            ("/there", "the server answers 302 and points elsewhere"),
            ("/none", "there is no such file"),
            ("/no", "the server answers 403"),
        ):
            with pytest.raises(DataError, match=said):
                download.download(server + path, tmp_path / "bad")
        monkeypatch.setattr(download, "MAX_BYTES", 2_000_000)
        with pytest.raises(DataError, match="is larger than the 2,000,000 bytes"):
            download.download(f"{server}/a/b.csv", tmp_path / "bad")


@pytest.mark.parametrize(("scheme", "library"), [("s3", "s3fs"), ("gs", "gcsfs")])
def test_what_isnt_installed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scheme: str, library: str
) -> None:
    def lacking(scheme: str, **_: object) -> object:
        raise ImportError(f"install {scheme}")

    monkeypatch.setattr(download, "fsspec", SimpleNamespace(filesystem=lacking))
    with pytest.raises(DataError, match=f"pip install {library}"):
        download.download(f"{scheme}://bucket/a.csv", tmp_path / "file")


@pytest.mark.parametrize("scheme", ["s3", "gs"])
def test_buckets_are_read_through_fsspec(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    memory = fsspec.filesystem("memory")
    memory.pipe(f"{scheme}://bucket/a.csv", b"a,b\n1,2\n")
    monkeypatch.setattr(download, "fsspec", SimpleNamespace(filesystem=lambda asked: memory))
    download.download(f"{scheme}://bucket/a.csv", tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == b"a,b\n1,2\n"
    with pytest.raises(DataError, match="there is no such file"):
        download.download(f"{scheme}://bucket/b.csv", tmp_path / "file")
