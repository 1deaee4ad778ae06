"""A kept model goes to the coordinator as one archive, by its content."""

from __future__ import annotations

import hashlib
import io
import tarfile
from pathlib import Path

import pytest
from coordinator_double import make_spec

from tuner import Client, TunerError

FILES = {"model.json": b"{}", "layers.safetensors": b"weights", "head/svm.skops": b"svm"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, content in FILES.items():
        (tmp_path / "model" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "model" / name).write_bytes(content)
    (tmp_path / "model" / "card.md").write_text("# for people")
    return tmp_path / "model"


@pytest.fixture
def client(address):
    with Client(address) as client:
        yield client


def spec_from(folder: Path, *more: Path):
    searches = [
        {
            "learner": "deep_features",
            "key": f"transfer-{number}",
            "space": {"pretrained": "kept"},
            "model": str(path),
        }
        for number, path in enumerate((folder, *more))
    ]
    return make_spec(searches=[{"learner": "forest"}, *searches])


def test_a_model_is_uploaded_without_its_card_and_stands_in_the_spec(client, double, folder):
    job = client.submit(spec_from(folder, folder))
    [(digest, content)] = double.blobs.items()
    assert hashlib.sha256(content).hexdigest() == digest
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        found = {member.name: tar.extractfile(member).read() for member in tar}
    assert found == FILES
    forest, first, second = job.spec.searches
    assert forest.model is None
    assert first.model == second.model
    assert (first.model.archive.sha256, first.model.folder) == (digest, "model")
    # Such a spec can be submitted again from where the folder isn't.
    assert client.submit(job.spec).spec.searches == job.spec.searches
    assert list(double.blobs) == [digest]


@pytest.mark.parametrize(
    ("name", "words"), [("nowhere", "no folder"), ("empty", "no model.json is in it")]
)
def test_what_is_no_model_is_refused(client, double, tmp_path, name, words):
    (tmp_path / "empty").mkdir()
    with pytest.raises(TunerError) as caught:
        client.submit(spec_from(tmp_path / name))
    [said] = caught.value.violations
    assert said.field == "searches[1].model"
    assert words in said.problem
    assert not double.blobs
