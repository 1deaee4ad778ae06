"""Who may call what, and what a caller is told who may not."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from coordinator_harness import AUTH, TOKEN, House, refusal
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from services.coordinator.secret import client_token, hashed, matches
from tuner.errors import Status
from tuner.v1 import runner_service_pb2 as rpb
from tuner.v1 import tuner_service_pb2 as pb


@pytest.mark.parametrize(
    "metadata",
    [
        (),
        (("authorization", "Bearer nonsense"),),
        (("authorization", TOKEN),),
        (("authorization", "Bearer "),),
    ],
)
async def test_every_client_call_wants_the_token(house: House, metadata: tuple) -> None:
    calls = [
        house.stub.CreateJob(pb.CreateJobRequest(), metadata=metadata),
        house.stub.WatchJob(pb.WatchJobRequest(), metadata=metadata),
        house.stub.UploadBlob(iter([pb.UploadBlobRequest()]), metadata=metadata),
        house.stub.ListLearners(pb.ListLearnersRequest(), metadata=metadata),
    ]
    for call in calls:
        error = await refusal(call)
        assert (error.status, error.reason) == (Status.UNAUTHENTICATED, "BAD_TOKEN")
        assert "TUNER_TOKEN" in error.message


async def test_health_and_reflection_are_open(house: House) -> None:
    health = health_pb2_grpc.HealthStub(house.channel)
    for service in ("", "tuner.v1.TunerService", "tuner.v1.RunnerService"):
        answer = await health.Check(health_pb2.HealthCheckRequest(service=service))
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
    reflection = reflection_pb2_grpc.ServerReflectionStub(house.channel)
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    async for answer in reflection.ServerReflectionInfo(iter([request])):
        names = {service.name for service in answer.list_services_response.service}
        assert {"tuner.v1.TunerService", "tuner.v1.RunnerService"} <= names


async def test_a_code_works_once_and_a_second_use_ends_the_attempt(house: House) -> None:
    job = await house.create()
    runner = await house.enrol(job.name)
    assert (runner.answer.lease_seconds, runner.answer.heartbeat_seconds) == (10, 1)
    code = (await house.submission(job.name)).code
    for wrong in ("guess", ""):
        error = await refusal(house.runners.Enrol(rpb.EnrolRequest(job=job.name, code=wrong)))
        assert (error.status, error.reason) == (Status.FAILED_PRECONDITION, "STALE_ATTEMPT")
    await runner.heartbeat()
    error = await refusal(house.runners.Enrol(rpb.EnrolRequest(job=job.name, code=code)))
    assert error.reason == "STALE_ATTEMPT"
    error = await refusal(runner.heartbeat())
    assert (error.status, error.reason) == (Status.FAILED_PRECONDITION, "STALE_ATTEMPT")


async def test_a_runner_acts_for_its_own_attempt_alone(house: House) -> None:
    mine, other = await house.create(), await house.create()
    runner, stranger = await house.enrol(mine.name), await house.enrol(other.name)
    own_token = runner.metadata
    for metadata in ((), AUTH, stranger.metadata):
        runner.metadata = metadata
        for call in (runner.heartbeat(), runner.record(runner.row()), runner.finish("CRASHED")):
            error = await refusal(call)
            assert (error.status, error.reason) == (Status.UNAUTHENTICATED, "BAD_TOKEN")
    runner.metadata = own_token
    runner.attempt.epoch += 1
    assert (await refusal(runner.heartbeat())).status is Status.UNAUTHENTICATED
    # Nor is a runner a client.
    request = pb.GetJobRequest(name=mine.name)
    error = await refusal(house.stub.GetJob(request, metadata=own_token))
    assert error.status is Status.UNAUTHENTICATED


async def test_what_goes_wrong_inside_stays_inside(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("the secret detail")

    monkeypatch.setattr(house.store, "get_job", broken)
    request = pb.GetJobRequest(name="namespaces/default/jobs/x")
    error = await refusal(house.stub.GetJob(request, metadata=AUTH))
    assert (error.status, error.reason) == (Status.INTERNAL, "INTERNAL")
    assert "incident" in error.message
    assert "secret" not in error.message


def test_a_missing_token_file_is_made_for_its_owner_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TUNER_TOKEN", raising=False)
    path = tmp_path / "deep" / "token"
    token = client_token(path)
    assert len(token) > 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert client_token(path) == token
    monkeypatch.setenv("TUNER_TOKEN", "given")
    assert client_token(path) == "given"
    monkeypatch.delenv("TUNER_TOKEN")
    path.write_text("")
    with pytest.raises(ValueError, match="is empty"):
        client_token(path)


def test_an_empty_hash_matches_nothing() -> None:
    assert not matches("", "")
    assert not matches("x", "")
    assert matches("x", hashed("x"))
