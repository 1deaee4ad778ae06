"""A search's kept model is there before the job is made, and goes to its runner alone."""

from __future__ import annotations

import hashlib
import uuid

from coordinator_harness import AUTH, House, a_spec, refusal

from tuner.errors import Status
from tuner.v1 import runner_service_pb2 as rpb
from tuner.v1 import tuner_service_pb2 as pb
from tuner.wire.spec import spec_to_wire

CONTENT = b"weights" * 1000
DIGEST = hashlib.sha256(CONTENT).hexdigest()
ARCHIVE = {"name": "folder.tar", "sha256": DIGEST, "size_bytes": len(CONTENT)}


def search(**model: object) -> dict[str, object]:
    return {"learner": "deep_features", "space": {"pretrained": "kept"}, "model": model}


async def refused(house: House, **model: object):
    spec = a_spec(searches=[{"learner": "forest"}, search(**model)])
    request = pb.CreateJobRequest(
        parent="namespaces/default", spec=spec_to_wire(spec), request_id=str(uuid.uuid4())
    )
    return await refusal(house.stub.CreateJob(request, metadata=AUTH))


def put(house: House) -> None:
    with house.coordinator.core.artifacts.open_upload(DIGEST, len(CONTENT)) as blob:
        blob.write(CONTENT)
        blob.commit()


async def test_a_model_must_have_been_uploaded(house: House) -> None:
    error = await refused(house, folder="/models/digits")
    assert error.status is Status.INVALID_ARGUMENT
    assert error.violations[0].field == "spec.searches[1].model.archive"
    error = await refused(house, archive=ARCHIVE)
    assert (error.status, error.reason) == (Status.FAILED_PRECONDITION, "BLOB_MISSING")
    assert error.violations[0].field == "spec.searches[1].model.archive"
    put(house)
    error = await refused(house, archive={**ARCHIVE, "size_bytes": 5})
    assert error.violations[0].field == "spec.searches[1].model.archive.size_bytes"


async def test_the_runner_fetches_it_and_it_goes_with_the_job(house: House) -> None:
    put(house)
    job = await house.create(searches=[search(archive=ARCHIVE)], baseline=None)
    other = await house.enrol((await house.create()).name)
    request = rpb.FetchBlobRequest(attempt=other.attempt, sha256=DIGEST)
    error = await refusal(other.stub.FetchBlob(request, metadata=other.metadata))
    assert error.violations[0].field == "sha256"
    runner = await house.enrol(job.name)
    request = rpb.FetchBlobRequest(attempt=runner.attempt, sha256=DIGEST)
    chunks = [m.chunk async for m in runner.stub.FetchBlob(request, metadata=runner.metadata)]
    assert b"".join(chunks) == CONTENT
    await house.stub.CancelJob(pb.CancelJobRequest(name=job.name), metadata=AUTH)
    await runner.finish("CANCELLED")
    await house.reaches(job.name, "CANCELLED")
    await house.stub.DeleteJob(pb.DeleteJobRequest(name=job.name), metadata=AUTH)
    assert not house.coordinator.core.artifacts.has(DIGEST)
