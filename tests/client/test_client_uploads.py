"""Local data goes to the coordinator by content; what can't be meant is refused."""

import gzip
import hashlib
import io
import os
import tarfile

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


def pictures(folder, names=("cats/2.png", "cats/1.png", "dogs/ä.jpg")):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode() * 400)
    return folder


def test_a_folder_of_images_goes_up_as_one_archive(client, double, tmp_path):
    (pictures(tmp_path) / ".hidden").write_bytes(b"x")
    job = client.submit(make_spec(dataset={"source": "images", "path": str(tmp_path)}))
    (file,) = job.spec.dataset.files
    assert (file.name, job.spec.dataset.path) == ("folder.tar", "")
    (content,) = double.blobs.values()
    assert (len(content), hashlib.sha256(content).hexdigest()) == (file.size_bytes, file.sha256)
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as tar:
        held = {member.name: tar.extractfile(member).read() for member in tar}
    assert list(held) == ["cats/1.png", "cats/2.png", "dogs/ä.jpg"]
    assert all(content == name.encode() * 400 for name, content in held.items())


def test_the_same_images_are_the_same_archive_whenever_they_were_written(tmp_path):
    specs = [make_spec(dataset=f"images:{pictures(tmp_path / name)}") for name in "ab"]
    os.utime(tmp_path / "a" / "cats" / "1.png", (0, 0))
    (tmp_path / "b" / "cats" / "1.png").chmod(0o600)
    one, other = (uploads.with_local_files(spec)[0].dataset.files for spec in specs)
    assert one == other
    pictures(tmp_path / "b", ["cats/3.png"])
    assert uploads.with_local_files(specs[1])[0].dataset.files != one


def test_options_stay_beside_the_files(tmp_path):
    (tmp_path / "a.csv").write_text("a,b\n1,2\n")
    options = {"target": "b", "drop": "a"}
    dataset = {"source": "csv", "path": str(tmp_path / "a.csv"), "options": options}
    judged, blobs = uploads.with_local_files(make_spec(dataset=dataset))
    assert [blob.name for blob in blobs] == ["a.csv"]
    assert judged.dataset.options.items() >= options.items()


@pytest.mark.parametrize(
    "dataset",
    [
        "openml:61",
        "torchvision:MNIST",
        {"source": "csv", "path": "https://example.org/a.csv", "options": {"target": "b"}},
    ],
)
def test_names_and_addresses_are_the_clusters(dataset):
    assert uploads.local_files(make_spec(dataset=dataset).dataset) == []


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ((), "holds no images"),
        (("cats/1.png", "cats/notes.txt"), "notes.txt is none of .png, .jpg, .jpeg; leave it out"),
        (("1.png",), "1.png belongs to no class"),
    ],
)
def test_what_is_no_folder_of_images_is_refused_before_it_is_sent(tmp_path, names, said):
    pictures(tmp_path, names)
    with pytest.raises(TunerError) as caught:
        uploads.local_files(make_spec(dataset=f"images:{tmp_path}").dataset)
    assert said in caught.value.violations[0].problem


def test_a_link_to_a_folder_is_refused_and_one_to_a_file_is_the_file(tmp_path):
    pictures(tmp_path / "there")
    (tmp_path / "there" / "cats" / "9.png").symlink_to(tmp_path / "there" / "cats" / "1.png")
    (packed,) = uploads.local_files(make_spec(dataset=f"images:{tmp_path / 'there'}").dataset)
    assert "cats/9.png" in packed.files
    (tmp_path / "there" / "birds").symlink_to(tmp_path)
    with pytest.raises(TunerError, match="birds is neither a file nor a folder"):
        uploads.local_files(make_spec(dataset=f"images:{tmp_path / 'there'}").dataset)
