"""A search from a kept model: the folder and what makes use of it are given together."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tuner.errors import TunerError
from tuner.spec import BlobFile, JobSpec, KeptModel

ARCHIVE = BlobFile(name="folder.tar", sha256="ab" * 32, size_bytes=7)


def parsed(**search: object) -> JobSpec:
    return JobSpec.parse(
        {"dataset": "digits", "searches": [{"learner": "deep_features", **search}]}
    )


@pytest.mark.parametrize("pretrained", ["kept", {"choices": ["own", "kept"]}])
def test_model_and_pretrained_need_each_other(pretrained: object) -> None:
    space = {"pretrained": pretrained}
    spec = parsed(model="digits-cnn", space=space)
    assert spec.searches[0].model == KeptModel(folder="digits-cnn")
    with pytest.raises(TunerError) as caught:
        parsed(space=space)
    [said] = caught.value.violations
    assert said.field == "searches[0].model"
    assert "write model: FOLDER" in said.problem
    for other in ({}, {"pretrained": "own"}, {"pretrained": {"choices": ["own", "digits"]}}):
        with pytest.raises(TunerError) as caught:
            parsed(model="digits-cnn", space=other)
        assert [v.field for v in caught.value.violations] == ["searches[0].space.pretrained"]


def test_the_folder_or_the_archive_is_there() -> None:
    with pytest.raises(TunerError) as caught:
        parsed(model="", space={"pretrained": "kept"})
    assert "needs the folder" in caught.value.violations[0].problem


def test_a_folder_is_beside_the_spec_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "digits-cnn").mkdir()
    search = {"learner": "deep_features", "space": {"pretrained": "kept"}}
    for named, found in (("digits-cnn", f"{tmp_path}/digits-cnn"), ("other", "other")):
        data = {"dataset": "digits", "searches": [{**search, "model": named}]}
        (tmp_path / "job.yaml").write_text(yaml.safe_dump(data))
        [read] = JobSpec.from_file(tmp_path / "job.yaml").searches
        assert read.model == KeptModel(folder=found)


def test_all_that_was_uploaded_is_told() -> None:
    model = {"folder": "digits-cnn", "archive": ARCHIVE}
    spec = parsed(model=model, space={"pretrained": "kept"})
    assert spec.blobs() == (ARCHIVE,)
    assert parsed().blobs() == ()
    code = spec.model_copy(update={"code": spec.searches[0].model})
    assert code.blobs() == (ARCHIVE, ARCHIVE)
