"""A search's kept model goes over the wire and back."""

from __future__ import annotations

import pytest

from tuner.spec import JobSpec
from tuner.v1 import spec_pb2
from tuner.wire.spec import spec_from_wire, spec_to_wire

ARCHIVE = {"name": "folder.tar", "sha256": "ab" * 32, "size_bytes": 7}


@pytest.mark.parametrize("archive", [None, ARCHIVE])
def test_a_kept_model_comes_back_the_same(archive: dict[str, object] | None) -> None:
    search = {
        "learner": "deep_features",
        "space": {"pretrained": "kept"},
        "model": {"folder": "digits-cnn", "archive": archive},
    }
    spec = JobSpec.parse({"dataset": "digits", "searches": [search, {"learner": "forest"}]})
    message = spec_pb2.JobSpec.FromString(spec_to_wire(spec).SerializeToString())
    assert [s.HasField("model") for s in message.searches] == [True, False]
    assert spec_from_wire(message) == spec
