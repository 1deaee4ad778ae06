"""Code of the user's own is taken only where the operator allows it, and once it is uploaded."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import replace
from typing import Any

import pytest
from coordinator_harness import AUTH, House, a_spec, refusal

from services.coordinator.artifacts import Artifacts
from services.coordinator.own_code import check_code
from tuner.catalog import Axis, Learner
from tuner.errors import Status, TunerError
from tuner.spec import JobSpec
from tuner.v1 import tuner_service_pb2 as pb
from tuner.wire.spec import spec_to_wire

CONTENT = b"code" * 100
ARCHIVE = {
    "name": "folder.tar",
    "sha256": hashlib.sha256(CONTENT).hexdigest(),
    "size_bytes": len(CONTENT),
}
ENTRY = Learner("mine", "one of mine", axes=(Axis("depth", 1, 9, (1, 2)),))
OWN: dict[str, Any] = {"searches": [{"learner": "mine:Learner", "entry": ENTRY}]}
METRIC: dict[str, Any] = {"metric": "mine:cost", "direction": "minimize", "margin": 1}


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        (OWN, "mine:Learner is"),
        (METRIC, "mine:cost is"),
        ({**OWN, **METRIC}, "mine:Learner, mine:cost are"),
        ({"code": {"archive": ARCHIVE}}, "spec.code is"),
    ],
)
async def test_it_is_off_unless_the_operator_says_otherwise(
    house: House, changes: dict[str, Any], named: str
) -> None:
    request = pb.CreateJobRequest(
        parent="namespaces/default",
        spec=spec_to_wire(a_spec(**changes)),
        request_id=str(uuid.uuid4()),
    )
    error = await refusal(house.stub.CreateJob(request, metadata=AUTH))
    assert (error.status, error.reason) == (Status.PERMISSION_DENIED, "USER_CODE_OFF")
    assert error.message.startswith(named)
    assert "TUNER_COORDINATOR_ALLOW_USER_CODE=true" in error.message


def test_where_it_is_allowed_it_must_have_been_uploaded(house: House) -> None:
    artifacts: Artifacts = house.coordinator.core.artifacts
    check_code(a_spec(**OWN), True, artifacts)  # of an installed package
    spec = a_spec(**OWN, code={"archive": ARCHIVE})
    with pytest.raises(TunerError) as caught:
        check_code(spec, True, artifacts)
    assert (caught.value.status, caught.value.reason) == (
        Status.FAILED_PRECONDITION,
        "BLOB_MISSING",
    )
    with pytest.raises(TunerError) as caught:
        check_code(a_spec(**OWN, code={"folder": "here"}), True, artifacts)
    assert caught.value.violations[0].field == "spec.code.archive"
    with artifacts.open_upload(str(ARCHIVE["sha256"]), len(CONTENT)) as blob:
        blob.write(CONTENT)
        blob.commit()
    check_code(spec, True, artifacts)


def test_an_archive_of_any_size_is_refused_by_the_spec() -> None:
    with pytest.raises(TunerError) as caught:
        JobSpec.parse(
            {
                "dataset": "digits",
                "code": {"archive": {**ARCHIVE, "size_bytes": 60 * 2**20}},
                "searches": [{"learner": "forest"}],
            }
        )
    assert "at most 52,428,800 are taken" in caught.value.violations[0].problem


def test_what_a_learner_says_of_itself_comes_back_from_the_wire() -> None:
    from tuner.wire.spec import spec_from_wire

    spec = a_spec(**OWN)
    found = spec_from_wire(spec_to_wire(spec)).searches[0]
    assert found.learner == "mine:Learner"
    assert found.key == "Learner/depth"
    assert found.entry == replace(ENTRY, hyperparameters={})
