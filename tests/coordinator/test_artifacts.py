"""Artifacts: a blob is what its digest says or isn't there; logs come back as written."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.coordinator.artifacts import ABANDONED_SECONDS, Artifacts, ArtifactStore
from tuner.errors import Status, TunerError
from tuner.wire.names import JobName

CONTENT = b"some examples" * 1000
DIGEST = hashlib.sha256(CONTENT).hexdigest()
JOB = JobName("default", "trees")


@pytest.fixture
def artifacts(tmp_path: Path) -> Artifacts:
    return ArtifactStore(tmp_path / "artifacts")


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _upload(artifacts: Artifacts, content: bytes, digest: str, size: int) -> None:
    with artifacts.open_upload(digest, size) as upload:
        for start in range(0, len(content), 4096):
            upload.write(content[start : start + 4096])
        upload.commit()


def test_a_blob_comes_back_as_it_was(artifacts: Artifacts) -> None:
    assert not artifacts.has(DIGEST)
    for _ in range(2):  # the same content again is no harm
        _upload(artifacts, CONTENT, DIGEST, len(CONTENT))
    assert artifacts.has(DIGEST)
    assert artifacts.size(DIGEST) == len(CONTENT)
    with artifacts.open(DIGEST) as file:
        assert file.read() == CONTENT


def test_an_empty_file_is_a_blob(artifacts: Artifacts) -> None:
    digest = hashlib.sha256(b"").hexdigest()
    _upload(artifacts, b"", digest, 0)
    assert artifacts.size(digest) == 0


@pytest.mark.parametrize(
    ("content", "digest", "size", "reason"),
    [
        (CONTENT, "ab" * 32, len(CONTENT), "DIGEST_MISMATCH"),
        (CONTENT, DIGEST, len(CONTENT) + 1, "SIZE_MISMATCH"),
        (CONTENT, DIGEST, len(CONTENT) - 1, "SIZE_MISMATCH"),
        (CONTENT, DIGEST, 1, "SIZE_MISMATCH"),
    ],
)
def test_other_content_than_announced_is_refused_and_leaves_nothing(
    tmp_path: Path, content: bytes, digest: str, size: int, reason: str
) -> None:
    artifacts = ArtifactStore(tmp_path)
    with pytest.raises(TunerError) as caught:
        _upload(artifacts, content, digest, size)
    assert (caught.value.status, caught.value.reason) == (Status.INVALID_ARGUMENT, reason)
    assert not artifacts.has(digest)
    assert _files(tmp_path) == []


def test_an_upload_that_is_left_or_aborted_leaves_nothing(tmp_path: Path) -> None:
    artifacts = ArtifactStore(tmp_path)
    with pytest.raises(RuntimeError), artifacts.open_upload(DIGEST, len(CONTENT)) as upload:
        upload.write(CONTENT)
        raise RuntimeError("the client went away")
    upload.abort()
    assert _files(tmp_path) == []


def test_a_blob_appears_whole(artifacts: Artifacts) -> None:
    with artifacts.open_upload(DIGEST, len(CONTENT)) as upload:
        upload.write(CONTENT)
        assert not artifacts.has(DIGEST)
        upload.commit()
    assert artifacts.has(DIGEST)


def test_several_may_upload_the_same_at_once(tmp_path: Path) -> None:
    artifacts = ArtifactStore(tmp_path)
    uploads = [
        threading.Thread(target=_upload, args=(artifacts, CONTENT, DIGEST, len(CONTENT)))
        for _ in range(4)
    ]
    for thread in uploads:
        thread.start()
    for thread in uploads:
        thread.join()
    (file,) = _files(tmp_path)
    assert file.read_bytes() == CONTENT


def test_what_a_crash_left_is_cleared_and_what_is_under_way_is_not(tmp_path: Path) -> None:
    artifacts = ArtifactStore(tmp_path)
    abandoned = artifacts.open_upload(DIGEST, 10)
    (file,) = _files(tmp_path)
    long_ago = time.time() - 2 * ABANDONED_SECONDS
    os.utime(file, (long_ago, long_ago))
    under_way = artifacts.open_upload(DIGEST, len(CONTENT))
    ArtifactStore(tmp_path)
    assert len(_files(tmp_path)) == 1
    under_way.write(CONTENT)
    under_way.commit()
    abandoned.abort()
    assert artifacts.has(DIGEST)


def test_a_missing_blob_is_not_found(artifacts: Artifacts) -> None:
    for call in (artifacts.open, artifacts.size):
        with pytest.raises(TunerError) as caught:
            call(DIGEST)
        assert (caught.value.status, caught.value.reason) == (Status.NOT_FOUND, "BLOB_NOT_FOUND")


@pytest.mark.parametrize("digest", ["", "../../etc/passwd", DIGEST.upper(), DIGEST + "\n", "ab"])
def test_what_is_no_digest_never_becomes_a_path(artifacts: Artifacts, digest: str) -> None:
    for call in (
        lambda: artifacts.has(digest),
        lambda: artifacts.open(digest),
        lambda: artifacts.size(digest),
        lambda: artifacts.open_upload(digest, 1),
    ):
        with pytest.raises(TunerError, match="sha256"):
            call()


def test_a_negative_size_is_refused(artifacts: Artifacts) -> None:
    with pytest.raises(TunerError, match="size_bytes"):
        artifacts.open_upload(DIGEST, -1)


def test_logs_grow_and_are_kept_by_attempt(artifacts: Artifacts) -> None:
    assert artifacts.growing_log(JOB, 1) == ""
    artifacts.append_log(JOB, 1, "level 1\n")
    artifacts.append_log(JOB, 1, "level 4 é\r\n")
    assert artifacts.growing_log(JOB, 1) == "level 1\nlevel 4 é\r\n"
    with pytest.raises(TunerError):
        artifacts.get_log(JOB, 1)
    artifacts.put_log(JOB, 1, "all of it\n")
    assert (artifacts.get_log(JOB, 1), artifacts.growing_log(JOB, 1)) == ("all of it\n", "")
    artifacts.put_log(JOB, 2, "old\n")
    artifacts.put_log(JOB, 2, "new\n")
    assert artifacts.get_log(JOB, 2) == "new\n"
    for attempt, job in ((3, JOB), (1, JobName("default", "other"))):
        with pytest.raises(TunerError) as caught:
            artifacts.get_log(job, attempt)
        assert caught.value.status is Status.NOT_FOUND


def test_a_jobs_logs_go_with_it(artifacts: Artifacts) -> None:
    other = JobName("default", "other")
    for job in (JOB, other):
        artifacts.put_log(job, 1, "text")
    for _ in range(2):
        artifacts.delete_logs(JOB)
    with pytest.raises(TunerError):
        artifacts.get_log(JOB, 1)
    assert artifacts.get_log(other, 1) == "text"


def test_what_is_no_name_never_becomes_a_path(artifacts: Artifacts) -> None:
    for job in (JobName("..", "trees"), JobName("default", "../../etc")):
        with pytest.raises(TunerError):
            artifacts.put_log(job, 1, "text")


@given(text=st.text())
def test_any_text_can_be_logged(text: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    artifacts = ArtifactStore(tmp_path_factory.getbasetemp() / "any")
    artifacts.put_log(JOB, 1, text)
    assert artifacts.get_log(JOB, 1) == text.encode(errors="replace").decode()


def test_what_programs_print_can_be_logged(artifacts: Artifacts) -> None:
    artifacts.append_log(JOB, 1, "broken \udcff name\n")
    assert artifacts.growing_log(JOB, 1) == "broken ? name\n"


def test_a_blob_that_nobody_wants_is_removed(artifacts: Artifacts, tmp_path: Path) -> None:
    _upload(artifacts, CONTENT, DIGEST, len(CONTENT))
    artifacts.remove(DIGEST, lambda: False)
    assert not artifacts.has(DIGEST)
    assert _files(tmp_path) == []
    artifacts.remove(DIGEST, lambda: False)  # one that isn't there is no error


def test_a_blob_can_not_be_found_while_it_is_asked_whether_it_is_wanted(
    artifacts: Artifacts,
) -> None:
    """So whoever finds it after referring to it is heard."""
    _upload(artifacts, CONTENT, DIGEST, len(CONTENT))
    seen: list[bool] = []

    def wanted() -> bool:
        seen.append(artifacts.has(DIGEST))
        return True

    artifacts.remove(DIGEST, wanted)
    assert seen == [False]
    with artifacts.open(DIGEST) as file:
        assert file.read() == CONTENT


def test_a_removal_that_was_cut_off_is_undone_at_the_next_start(
    artifacts: Artifacts, tmp_path: Path
) -> None:
    _upload(artifacts, CONTENT, DIGEST, len(CONTENT))

    def die() -> bool:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        artifacts.remove(DIGEST, die)
    assert not artifacts.has(DIGEST)
    assert ArtifactStore(tmp_path / "artifacts").has(DIGEST)
