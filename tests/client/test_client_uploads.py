"""Local data goes to the coordinator by content; what can't be meant is refused."""

import gzip
import hashlib

import pytest
from coordinator_double import make_spec

from tuner import Client, TunerError
from tuner.client import uploads

NAMES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


@pytest.fixture
def client(address):
    with Client(address) as client:
        yield client


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    monkeypatch.setattr(uploads, "CHUNK_BYTES", 1000)


def test_a_file_is_uploaded_and_stands_in_the_spec(client, double, tmp_path):
    content = bytes(range(256)) * 20
    (tmp_path / "iris.npz").write_bytes(content)
    job = client.submit(make_spec(dataset=f"npz:{tmp_path / 'iris.npz'}"))
    digest = hashlib.sha256(content).hexdigest()
    assert double.blobs == {digest: content}
    (file,) = job.spec.dataset.files
    assert (file.name, file.sha256, file.size_bytes) == ("iris.npz", digest, len(content))
    assert job.spec.dataset.path == ""


def test_what_is_there_already_is_not_sent_again(client, double, tmp_path):
    content = bytes(5_000_000)
    (tmp_path / "x.npz").write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    double.blobs[digest] = b"kept as it was"
    client.submit(make_spec(dataset=f"npz:{tmp_path / 'x.npz'}"))
    assert double.blobs == {digest: b"kept as it was"}


def test_an_upload_that_breaks_off_is_made_again_whole(client, double, tmp_path):
    (tmp_path / "x.npz").write_bytes(b"abc" * 1000)
    double.failing["UploadBlob"] = 2
    client.submit(make_spec(dataset=f"npz:{tmp_path / 'x.npz'}"))
    assert list(double.blobs.values()) == [b"abc" * 1000]


def test_a_folder_is_uploaded_gzipped_or_not(client, double, tmp_path):
    for name in NAMES[:3]:
        (tmp_path / name).write_bytes(name.encode())
    (tmp_path / f"{NAMES[3]}.gz").write_bytes(gzip.compress(b"labels"))
    (tmp_path / "readme.txt").write_text("no data")
    job = client.submit(make_spec(dataset=f"idx:{tmp_path}"))
    assert [f.name for f in job.spec.dataset.files] == [*NAMES[:3], f"{NAMES[3]}.gz"]
    assert len(double.blobs) == 4


def test_a_folder_without_its_own_test_will_do(tmp_path):
    for name in NAMES[:2]:
        (tmp_path / name).write_bytes(b"x")
    found = uploads.local_files(make_spec(dataset=f"idx:{tmp_path}").dataset)
    assert [f.name for f in found] == list(NAMES[:2])


@pytest.mark.parametrize(
    ("dataset", "said"),
    [
        ("npz:missing.npz", ["missing.npz", "absolute path on the cluster"]),
        ("npz:{tmp}", ["no file", "npz:FILE"]),
        ("idx:{tmp}/file", ["no folder", "idx:FOLDER"]),
        ("idx:{tmp}", ["train-labels-idx1-ubyte", "gz"]),
    ],
)
def test_what_is_not_there_is_named_and_what_would_be_right(
    client, double, tmp_path, dataset, said
):
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / NAMES[0]).write_bytes(b"")
    with pytest.raises(TunerError) as caught:
        client.submit(make_spec(dataset=dataset.format(tmp=tmp_path)))
    (violation,) = caught.value.violations
    assert violation.field == "dataset"
    assert all(words in violation.problem for words in said)
    assert NAMES[0] not in violation.problem
    assert not double.calls


def test_an_absolute_path_that_is_not_here_is_the_clusters(client, double):
    job = client.submit(make_spec(dataset="idx:/data/on/the/cluster"))
    assert job.spec.dataset.path == "/data/on/the/cluster"
    assert not double.blobs


def test_judging_uploads_nothing(client, double, tmp_path):
    (tmp_path / "x.npz").write_bytes(b"abc")
    client.submit(make_spec(dataset=f"npz:{tmp_path / 'x.npz'}"), validate_only=True)
    assert not double.blobs
