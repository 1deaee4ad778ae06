"""A kept model is judged before anything is planned, whatever is in its archive."""

from __future__ import annotations

import functools
import hashlib
import io
import json
import pickle
import tarfile
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from services.runner import transfer
from tuner import catalog
from tuner.datasets import registry as sources
from tuner.datasets.base import Data
from tuner.learners import registry, saved
from tuner.learners.base import Device
from tuner.record import make_setting
from tuner.spec import BlobFile, JobSpec, KeptModel
from tuner.testing import tiny_images

OTHER = "0d" * 32


def data(side: int = 8) -> Data:
    """Tiny images of another set."""
    fold = tiny_images()
    x = np.ascontiguousarray(fold.x[:, :, :side, :side])
    return replace(sources.load("digits"), x=x, y=fold.y, classes=("a", "b", "c"), digest="1d" * 32)


@functools.cache
def files(learner: str, **changes: catalog.Value) -> Mapping[str, bytes]:
    """Returns what an export of a small model writes."""
    known = catalog.LEARNERS[learner].hyperparameters
    quick = {"epochs": 1, "filters": 2, "units": 2, "batch_size": 256, "depth": 3}
    setting = {name: entry.default for name, entry in known.items()} | quick | changes
    model = registry.get(learner).train(setting, tiny_images(), Device())
    about = {"hyperparameters": changes, saved.TRAINED_ON: [OTHER]}
    return written(model, about)


def written(model, about: Mapping[str, object]) -> Mapping[str, bytes]:
    with tempfile.TemporaryDirectory() as name:
        saved.save(model, Path(name), about)
        return {p.name: p.read_bytes() for p in Path(name).iterdir()}


def packed(content: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, part in content.items():
            info = tarfile.TarInfo(name)
            info.size = len(part)
            tar.addfile(info, io.BytesIO(part))
    return out.getvalue()


def loaded(content: bytes, to: Data | None = None, **search: object) -> transfer.Kept:
    sha256 = hashlib.sha256(content).hexdigest()
    archive = BlobFile(name="folder.tar", sha256=sha256, size_bytes=len(content))
    spec = JobSpec.parse(
        {
            "dataset": "digits",
            "searches": [
                {
                    "learner": "deep_features",
                    "levels": [1, 3],
                    "space": {"pretrained": "kept"},
                    "key": "transfer",
                    "model": KeptModel(folder="digits-cnn", archive=archive),
                    **search,
                },
                {"learner": "forest"},
            ],
        }
    )
    return transfer.load(spec, to or data(), {sha256: content}.__getitem__)


def refusal(content: bytes, to: Data | None = None, **search: object) -> str:
    kept = loaded(content, to, **search)
    assert not kept.learners
    assert list(kept.refusals) == ["transfer"]
    said = kept.refusals["transfer"]
    assert said.startswith("deep_features can't start from the model digits-cnn: ")
    assert "/tmp" not in said
    return said


@pytest.mark.parametrize("learner", ["cnn", "deep_features"])
def test_a_kept_network_comes_to_the_learner_as_it_was(learner: str) -> None:
    kept = loaded(packed(files(learner)))
    assert kept.refusals == {}
    assert kept.trained_on == {"transfer": (OTHER,)}
    ranges = catalog.LEARNERS["deep_features"].hyperparameters
    quick = {"pretrained": "kept", "trees": 3}
    setting = make_setting({n: h.default for n, h in ranges.items() if n != "depth"} | quick)
    # As Ray hands it to the slots' workers.
    learner = kept.learners["transfer"]
    bits = []
    for found in (learner, pickle.loads(pickle.dumps(learner))):
        rows = list(found.evaluate("depth", [setting], [1, 3], [tiny_images(1)], Device()))
        assert [row.outcome for row in rows] == ["COMPLETED", "COMPLETED"], rows[0].error
        bits.append([row.predictions.tobytes() for row in rows])
    assert bits[0] == bits[1]


def test_a_job_without_models_loads_nothing() -> None:
    spec = JobSpec.parse({"dataset": "digits", "searches": [{"learner": "forest"}]})
    kept = transfer.load(spec, data(), {}.__getitem__)
    assert (kept.learners, kept.refusals) == ({}, {})


def test_what_is_damaged_or_no_model_is_refused() -> None:
    whole = files("cnn")
    assert "no whole archive" in refusal(b"x" * 2000)
    assert "holds no model" in refusal(packed({"net.safetensors": whole["net.safetensors"]}))
    assert "no path within" in refusal(packed({**whole, "../../model.json": b"{}"}))
    cut = {**whole, "net.safetensors": whole["net.safetensors"][:100]}
    assert "the folder holds no network that can be read" in refusal(packed(cut))
    about = json.loads(whole["model.json"])
    other = {**whole, "model.json": json.dumps({**about, "kind": "magic"}).encode()}
    assert "there is no kind 'magic'" in refusal(packed(other))


def test_a_model_of_another_kind_is_refused() -> None:
    assert "'hidden' networks have no convolutions" in refusal(packed(files("mlp")))


def test_a_network_that_would_know_the_test_is_refused() -> None:
    known = replace(data(), digest=OTHER)
    assert "trained on this job's own data" in refusal(packed(files("cnn")), known)
    # What went into what the model itself came from counts, too.
    digits = sources.load("digits")
    chained = packed(files("deep_features", pretrained="digits"))
    assert "trained on this job's own data" in refusal(chained, digits)
    assert loaded(chained).trained_on == {"transfer": (OTHER, digits.digest)}
    about = json.loads(files("cnn")["model.json"])
    for unknown in (None, [], "all", [7]):
        old = {**files("cnn"), "model.json": json.dumps({**about, "trained_on": unknown}).encode()}
        assert "export it again" in refusal(packed(old))


@pytest.mark.parametrize(
    "search",
    [
        {"levels": [1, 4]},
        {"axis": "samples", "levels": [10, 20], "space": {"pretrained": "kept", "depth": 4}},
        {
            "axis": "samples",
            "levels": [10, 20],
            "space": {"pretrained": "kept", "depth": {"low": 1, "high": 4}},
        },
        {
            "axis": "samples",
            "levels": [10, 20],
            "space": {"pretrained": "kept", "depth": {"choices": [1, 4]}},
        },
    ],
    ids=["searched", "fixed", "range", "choices"],
)
def test_levels_that_the_network_lacks_are_refused(search: dict[str, object]) -> None:
    said = refusal(packed(files("cnn")), **search)
    assert "the network has 3 convolutions; depth is 4" in said


def test_images_that_are_too_small_are_refused() -> None:
    assert "images of 1 x 1 are too small" in refusal(packed(files("cnn")), data(1))


def test_a_search_over_samples_fits() -> None:
    kept = loaded(packed(files("cnn")), axis="samples", levels=[10, 20])
    assert kept.refusals == {}
