"""What a job has made comes here: files as they are, predictions as arrays or as files."""

from __future__ import annotations

import csv
import hashlib

import numpy as np
import pytest
from coordinator_double import keep_predictions

from tuner import Client, TunerError
from tuner.client import transport
from tuner.errors import Status
from tuner.jobs import Artifact

CONTENT = bytes(range(256))


@pytest.fixture
def job(address, double):
    with Client(address) as client:
        double.add_job()
        yield client.get_job("digits-1")


def artifact(content: bytes, name: str = "model") -> Artifact:
    return Artifact(name, hashlib.sha256(content).hexdigest(), len(content))


def test_files_are_listed_over_pages_and_come_as_they_are(job, double, tmp_path):
    double.kept = {f"model/{i}": bytes([i]) * i for i in range(5)}
    found = job.artifacts()
    assert [a.name for a in found] == sorted(double.kept)
    for a in found:
        path = tmp_path / "deep" / a.name
        job.download(a, path)
        assert path.read_bytes() == double.kept[a.name]


def test_a_download_that_breaks_off_begins_again(job, double, tmp_path, monkeypatch):
    monkeypatch.setattr(transport.random, "uniform", lambda low, high: 0.0)
    double.kept = {"model": CONTENT}
    double.cut = [7, 0]
    job.download(artifact(CONTENT), tmp_path / "model")
    assert (tmp_path / "model").read_bytes() == CONTENT
    assert double.calls["DownloadBlob"] == 3


def test_nothing_half_written_is_ever_there(job, double, tmp_path):
    (tmp_path / "model").write_bytes(b"before")
    with pytest.raises(TunerError) as caught:
        job.download(artifact(CONTENT), tmp_path / "model")
    assert caught.value.status is Status.NOT_FOUND
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    assert (tmp_path / "model").read_bytes() == b"before"


def test_content_that_is_not_what_was_asked_for_is_refused(job, double, tmp_path, monkeypatch):
    double.kept = {"model": CONTENT}
    monkeypatch.setattr("coordinator_double._digest", lambda content: artifact(b"other").sha256)
    with pytest.raises(TunerError, match="not its content"):
        job.download(artifact(b"other"), tmp_path / "model")
    assert not [*tmp_path.iterdir()]


def test_predictions_come_as_arrays(job, double):
    predicted = keep_predictions(double)
    found = job.predictions("cnn/depth")
    assert found.truth.classes == ("a", "b", "c")
    assert {m.id for m, _ in found.rows} == set(predicted)
    for m, values in found.rows:
        np.testing.assert_allclose(values, predicted[m.id], rtol=1e-7)
    # The truth, and each file of predictions once.
    assert double.calls["DownloadBlob"] == 3


def test_predictions_are_saved_as_files_with_an_index(job, double, tmp_path):
    predicted = keep_predictions(double)
    files = job.save_predictions("cnn/depth", tmp_path / "out")
    assert sorted(files) == sorted((tmp_path / "out").iterdir())
    with (tmp_path / "out" / "predictions.csv").open() as index:
        rows = list(csv.DictReader(index))
    assert {row["measurement"] for row in rows} == set(predicted)
    for row in rows:
        values = np.load(tmp_path / "out" / row["file"], allow_pickle=False)
        np.testing.assert_allclose(values, predicted[row["measurement"]], rtol=1e-7)
        assert (row["phase"], row["level"]) == ("MEASURING", "1")
    truth = np.load(tmp_path / "out" / "truth.npz", allow_pickle=False)
    assert truth["y"].tolist() == [0, 1, 2, 0, 1]


def test_where_nothing_was_predicted_it_is_said(job, double, tmp_path):
    keep_predictions(double)
    for ask in (job.predictions, lambda search: job.save_predictions(search, tmp_path / "out")):
        with pytest.raises(TunerError) as caught:
            ask("forest/trees")
        assert caught.value.reason == "PREDICTIONS_MISSING"
    assert not [*tmp_path.iterdir()]


def test_curves_ask_for_another_metric_on_every_page(job, double):
    assert set(job.curves(metric="brier", margin=0.02)) == set(job.curves())
    asked = [(r.metric, r.margin) for r in double.listed if r.HasField("margin")]
    assert asked == [("brier", 0.02)] * 2
