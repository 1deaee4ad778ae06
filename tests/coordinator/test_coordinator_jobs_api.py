"""CreateJob, GetJob, ListJobs, CancelJob, DeleteJob over a real channel and store."""

from __future__ import annotations

import hashlib
import uuid
from pathlib import Path

import pytest
from coordinator_harness import AUTH, House, a_spec, refusal

from tuner.errors import Status
from tuner.spec import JobSpec
from tuner.v1 import tuner_service_pb2 as pb
from tuner.wire.spec import spec_from_wire, spec_to_wire


def request_for(spec: JobSpec, **changes: object) -> pb.CreateJobRequest:
    fields: dict[str, object] = {
        "parent": f"namespaces/{spec.namespace}",
        "spec": spec_to_wire(spec),
        "request_id": str(uuid.uuid4()),
    }
    return pb.CreateJobRequest(**{**fields, **changes})


async def upload(house: House, content: bytes, chunk: int = 1000) -> pb.UploadBlobResponse:
    digest = hashlib.sha256(content).hexdigest()

    async def messages():
        yield pb.UploadBlobRequest(header=pb.BlobHeader(sha256=digest, size_bytes=len(content)))
        for i in range(0, len(content), chunk):
            yield pb.UploadBlobRequest(chunk=content[i : i + chunk])

    return await house.stub.UploadBlob(messages(), metadata=AUTH)


async def test_a_created_job_is_what_was_asked_for(house: House) -> None:
    job = await house.create(name="My Digits!", margin=0.02)
    assert job.name.startswith("namespaces/default/jobs/my-digits-")
    assert len(job.name.rpartition("-")[2]) == 6
    assert spec_from_wire(job.spec) == a_spec(name="My Digits!", margin=0.02)
    assert job.owner == "ada"
    assert job.state == pb.JOB_STATE_PENDING
    assert (await house.get(job.name)).spec == job.spec


async def test_the_same_request_gives_the_same_job(house: House) -> None:
    request_id = str(uuid.uuid4())
    first = await house.create(request_id=request_id)
    again = await house.create(request_id=request_id)
    assert again.name == first.name
    other = await refusal(
        house.stub.CreateJob(request_for(a_spec(margin=0.3), request_id=request_id), metadata=AUTH)
    )
    assert (other.status, other.reason) == (Status.ALREADY_EXISTS, "JOB_ALREADY_EXISTS")


async def test_a_name_that_is_taken_is_refused(house: House) -> None:
    await house.create("mine")
    for validate_only in (False, True):
        error = await refusal(
            house.stub.CreateJob(
                request_for(a_spec(), job_id="mine", validate_only=validate_only), metadata=AUTH
            )
        )
        assert error.status is Status.ALREADY_EXISTS


async def test_validate_only_stores_nothing(house: House) -> None:
    job = await house.create(validate_only=True)
    assert job.state == pb.JOB_STATE_PENDING
    error = await refusal(house.stub.GetJob(pb.GetJobRequest(name=job.name), metadata=AUTH))
    assert (error.status, error.reason) == (Status.NOT_FOUND, "JOB_NOT_FOUND")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"request_id": ""}, "request_id"),
        ({"request_id": "no good because of blanks"}, "request_id"),
        ({"request_id": "x" * 65}, "request_id"),
        ({"parent": "namespaces/-"}, "parent"),
        ({"parent": "somewhere"}, "parent"),
        ({"job_id": "Not Good"}, "job_id"),
    ],
)
async def test_a_wrong_field_of_the_request_is_named(
    house: House, changes: dict[str, object], field: str
) -> None:
    request = request_for(a_spec(), **changes)
    error = await refusal(house.stub.CreateJob(request, metadata=AUTH))
    assert error.status is Status.INVALID_ARGUMENT
    assert error.violations[0].field == field


async def test_a_wrong_field_of_the_spec_is_named_with_its_path(house: House) -> None:
    request = request_for(a_spec())
    request.spec.searches[0].levels[:] = [4, 2]
    request.spec.alpha = 7
    error = await refusal(house.stub.CreateJob(request, metadata=AUTH))
    assert error.reason == "INVALID_SPEC"
    assert {v.field for v in error.violations} == {"spec.searches[0].levels", "spec.alpha"}


async def test_parent_and_namespace_must_agree_and_an_unset_one_follows(house: House) -> None:
    request = request_for(a_spec(namespace="blue"), parent="namespaces/red")
    error = await refusal(house.stub.CreateJob(request, metadata=AUTH))
    assert error.violations[0].field == "parent"
    request.spec.namespace = ""
    job = await house.stub.CreateJob(request, metadata=AUTH)
    assert job.name.startswith("namespaces/red/")


async def test_data_paths_must_be_below_a_root(house: House, tmp_path: Path) -> None:
    root, outside = tmp_path / "data", tmp_path / "secret"
    root.mkdir()
    outside.mkdir()
    (root / "way-out").symlink_to(outside)
    for roots in ((), (root,)):
        await house.restart(data_roots=roots)
        for path in (f"{outside}/x.npz", f"{root}/../secret/x", f"{root}/way-out/x", "rel/x.npz"):
            error = await refusal(
                house.stub.CreateJob(request_for(a_spec(dataset=f"npz:{path}")), metadata=AUTH)
            )
            assert error.reason == "DATA_OUTSIDE_ROOTS"
            assert error.violations[0].field == "spec.dataset.path"
            assert "upload" in error.violations[0].problem
    # What isn't there yet may be: the cluster sees more than the coordinator.
    assert (await house.create(dataset=f"npz:{root}/later.npz")).name


async def test_uploaded_files_must_be_there(house: House) -> None:
    content = b"numbers" * 1000
    digest = hashlib.sha256(content).hexdigest()
    file = {"name": "x.npz", "sha256": digest, "size_bytes": len(content)}
    spec = a_spec(dataset={"source": "npz", "files": [file]})
    for validate_only in (True, False):
        request = request_for(spec, validate_only=validate_only)
        error = await refusal(house.stub.CreateJob(request, metadata=AUTH))
        assert (error.status, error.reason) == (Status.FAILED_PRECONDITION, "BLOB_MISSING")
        assert error.violations[0].field == "spec.dataset.files[0]"
    assert not (await upload(house, content)).existed
    assert (await upload(house, content)).existed
    assert (await house.stub.CreateJob(request_for(spec), metadata=AUTH)).name
    wrong = a_spec(dataset={"source": "npz", "files": [{**file, "size_bytes": 5}]})
    error = await refusal(house.stub.CreateJob(request_for(wrong), metadata=AUTH))
    assert error.violations[0].field == "spec.dataset.files[0].size_bytes"


@pytest.mark.parametrize(
    ("names", "problem"),
    [
        (["train-images-idx3-ubyte.gz"], "train-labels-idx1-ubyte"),
        (["train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte"], "t10k"),
        (["photos.zip"], "isn't one of"),
        (["train-images-idx3-ubyte", "train-images-idx3-ubyte.gz"], "gzipped and not"),
    ],
)
async def test_a_folder_that_cannot_be_read_is_refused(
    house: House, names: list[str], problem: str
) -> None:
    files = [{"name": name, "sha256": "0" * 64, "size_bytes": 1} for name in names]
    spec = a_spec(dataset={"source": "idx", "files": files})
    error = await refusal(house.stub.CreateJob(request_for(spec), metadata=AUTH))
    assert error.violations[0].field == "spec.dataset.files"
    assert problem in error.violations[0].problem


async def test_uploads_are_judged(house: House) -> None:
    async def call(*messages: pb.UploadBlobRequest):
        async def send():
            for message in messages:
                yield message

        return await refusal(house.stub.UploadBlob(send(), metadata=AUTH))

    digest = hashlib.sha256(b"abc").hexdigest()
    header = pb.UploadBlobRequest(header=pb.BlobHeader(sha256=digest, size_bytes=3))
    assert (await call()).violations[0].field == "header"
    assert (await call(pb.UploadBlobRequest(chunk=b"abc"))).violations[0].field == "header"
    assert (await call(header, pb.UploadBlobRequest(chunk=b"ab"))).reason == "SIZE_MISMATCH"
    assert (await call(header, pb.UploadBlobRequest(chunk=b"abcd"))).reason == "SIZE_MISMATCH"
    assert (await call(header, pb.UploadBlobRequest(chunk=b"abd"))).reason == "DIGEST_MISMATCH"
    large = pb.UploadBlobRequest(chunk=b"x" * (1024 * 1024 + 1))
    assert (await call(header, large)).violations[0].field == "chunk"
    await house.restart(max_blob_bytes=2)
    assert (await call(header)).status is Status.RESOURCE_EXHAUSTED


async def test_pages_of_jobs_hold_every_job_once_newest_first(house: House) -> None:
    await house.restart(max_running_jobs=1)
    names = [(await house.create()).name for _ in range(5)]
    await house.create(namespace="other")
    seen, token = [], ""
    while True:
        request = pb.ListJobsRequest(parent="namespaces/default", page_size=2, page_token=token)
        page = await house.stub.ListJobs(request, metadata=AUTH)
        seen += [job.name for job in page.jobs]
        token = page.next_page_token
        if not token:
            break
    assert seen == names[::-1]
    everyone = await house.stub.ListJobs(pb.ListJobsRequest(parent="namespaces/-"), metadata=AUTH)
    assert len(everyone.jobs) == 6
    first = await house.stub.ListJobs(
        pb.ListJobsRequest(parent="namespaces/default", page_size=2), metadata=AUTH
    )
    foreign = pb.ListJobsRequest(parent="namespaces/-", page_token=first.next_page_token)
    error = await refusal(house.stub.ListJobs(foreign, metadata=AUTH))
    assert error.reason == "INVALID_PAGE_TOKEN"
    negative = pb.ListJobsRequest(parent="namespaces/-", page_size=-1)
    error = await refusal(house.stub.ListJobs(negative, metadata=AUTH))
    assert error.violations[0].field == "page_size"


async def test_only_ended_jobs_are_deleted(house: House) -> None:
    job = await house.create()
    await house.submission(job.name)
    request = pb.DeleteJobRequest(name=job.name)
    error = await refusal(house.stub.DeleteJob(request, metadata=AUTH))
    assert (error.status, error.reason) == (Status.FAILED_PRECONDITION, "WRONG_STATE")
    await house.cancel(job.name)
    await house.reaches(job.name, "CANCELLED")
    await house.stub.DeleteJob(request, metadata=AUTH)
    error = await refusal(house.stub.GetJob(pb.GetJobRequest(name=job.name), metadata=AUTH))
    assert error.reason == "JOB_NOT_FOUND"


async def test_learners_are_the_catalogs_listed_ones(house: House) -> None:
    answer = await house.stub.ListLearners(pb.ListLearnersRequest(page_size=7), metadata=AUTH)
    assert len(answer.learners) == 7
    request = pb.ListLearnersRequest(page_token=answer.next_page_token)
    rest = await house.stub.ListLearners(request, metadata=AUTH)
    found = {learner.name: learner for page in (answer, rest) for learner in page.learners}
    assert {"perceptron", "forest", "cnn"} <= found.keys()
    assert "simulated" not in found
    forest = found["forest"]
    assert forest.axes[0].nested
    ranges = {h.name: h for h in forest.hyperparameters}
    assert ranges["min_samples_leaf"].default_value.int_value == 1
    assert ranges["bootstrap"].choices.values[0].bool_value


async def test_cluster_status_tells_what_there_is_or_why_not(house: House) -> None:
    await house.restart(max_running_jobs=1, ray_dashboard_public="https://ray.example")
    first, _second = await house.create(), await house.create()
    await house.reaches(first.name, "RUNNING")
    status = await house.stub.GetClusterStatus(pb.GetClusterStatusRequest(), metadata=AUTH)
    assert status.dashboard_address == "https://ray.example"
    assert (status.cpus, status.gpus, status.cpus_free, status.gpus_free) == (8, 2, 5, 1)
    assert (status.jobs_running, status.jobs_queued) == (1, 1)
    assert status.nodes[0].address == "10.0.0.1"
    assert not status.problem
    house.gateway.unreachable = "nobody there"
    status = await house.stub.GetClusterStatus(pb.GetClusterStatusRequest(), metadata=AUTH)
    assert status.problem == "nobody there"
    house.gateway.unreachable = ""
