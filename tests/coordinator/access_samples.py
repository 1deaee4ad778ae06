"""Tokens, and a request for every call, for the tests of who may do what."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from typing import Any

import grpc
from coordinator_harness import AUTH, House, a_spec, a_step
from google.protobuf.message import Message

from tuner.errors import TunerError
from tuner.v1 import runner_service_pb2 as rpb
from tuner.v1 import tuner_service_pb2 as pb
from tuner.wire.errors import from_rpc_error
from tuner.wire.names import JobName
from tuner.wire.record import step_to_wire
from tuner.wire.spec import spec_to_wire

Metadata = tuple[tuple[str, str], ...]

SERVICES = (
    pb.DESCRIPTOR.services_by_name["TunerService"],
    rpb.DESCRIPTOR.services_by_name["RunnerService"],
)

METHODS = {
    f"/{service.full_name}/{method.name}": method
    for service in SERVICES
    for method in service.methods
}
"""Every call of both services, by its path."""

DIGEST = "ab" * 32


def shown(secret: str) -> Metadata:
    """The metadata of a call that shows a token."""
    return (("authorization", f"Bearer {secret}"),)


async def a_token(
    house: House,
    *,
    subject: str = "grace",
    lifetime_seconds: float = 0,
    metadata: Metadata = AUTH,
    **grants: int,
) -> pb.CreateTokenResponse:
    """Makes a token with roles by namespace; "all" is every one."""
    request = pb.CreateTokenRequest(
        subject=subject,
        grants=[
            pb.Grant(namespace=f"namespaces/{'-' if place == 'all' else place}", role=role)
            for place, role in grants.items()
        ],
        lifetime_seconds=lifetime_seconds,
    )
    return await house.stub.CreateToken(request, metadata=metadata)


@dataclass(frozen=True)
class Aim:
    """What the calls are about: a job, an attempt of it, and a token that lists its namespace."""

    job: str
    attempt: rpb.AttemptRef
    token: str = "tokens/aaaaaaaaaa"

    @property
    def namespace(self) -> str:
        return JobName.parse(self.job).parent


def _job(kind: type[Message], field: str = "name") -> Callable[[Aim], list[Message]]:
    return lambda aim: [kind(**{field: aim.job})]


def _attempt(kind: type[Message], **more: Any) -> Callable[[Aim], list[Message]]:
    return lambda aim: [kind(attempt=aim.attempt, **more)]


REQUESTS: dict[str, Callable[[Aim], list[Message]]] = {
    "CreateJob": lambda aim: [
        pb.CreateJobRequest(
            parent=aim.namespace,
            spec=spec_to_wire(a_spec(namespace=JobName.parse(aim.job).namespace)),
            request_id=str(uuid.uuid4()),
        )
    ],
    "GetJob": _job(pb.GetJobRequest),
    "ListJobs": lambda aim: [pb.ListJobsRequest(parent=aim.namespace)],
    "CancelJob": _job(pb.CancelJobRequest),
    "PauseJob": _job(pb.PauseJobRequest),
    "ResumeJob": _job(pb.ResumeJobRequest),
    "StopJob": _job(pb.StopJobRequest),
    "ExtendJob": lambda aim: [
        pb.ExtendJobRequest(name=aim.job, request_id=str(uuid.uuid4()), max_replicates=30)
    ],
    "DeleteJob": _job(pb.DeleteJobRequest),
    "WatchJob": _job(pb.WatchJobRequest),
    "ListTrials": _job(pb.ListTrialsRequest, "parent"),
    "ListMeasurements": _job(pb.ListMeasurementsRequest, "parent"),
    "ListPlanSteps": _job(pb.ListPlanStepsRequest, "parent"),
    "ListCurves": _job(pb.ListCurvesRequest, "parent"),
    "CompareSearches": _job(pb.CompareSearchesRequest, "parent"),
    "ListLearners": lambda aim: [pb.ListLearnersRequest(page_size=1)],
    "GetClusterStatus": lambda aim: [pb.GetClusterStatusRequest()],
    "UploadBlob": lambda aim: [
        pb.UploadBlobRequest(header=pb.BlobHeader(sha256=DIGEST, size_bytes=1)),
        pb.UploadBlobRequest(chunk=b"x"),
    ],
    "TailLogs": _job(pb.TailLogsRequest),
    "ListArtifacts": _job(pb.ListArtifactsRequest, "parent"),
    "DownloadBlob": lambda aim: [pb.DownloadBlobRequest(name=aim.job, sha256=DIGEST)],
    "GetQueue": lambda aim: [pb.GetQueueRequest(parent=aim.namespace)],
    "ListNamespaces": lambda aim: [pb.ListNamespacesRequest()],
    "UpdateNamespace": lambda aim: [
        pb.UpdateNamespaceRequest(namespace=pb.Namespace(name=aim.namespace, weight=1))
    ],
    "CreateToken": lambda aim: [
        pb.CreateTokenRequest(
            subject="eve", grants=[pb.Grant(namespace=aim.namespace, role=pb.ROLE_OPERATOR)]
        )
    ],
    "ListTokens": lambda aim: [pb.ListTokensRequest()],
    "RevokeToken": lambda aim: [pb.RevokeTokenRequest(name=aim.token)],
    "ListAuditEntries": lambda aim: [pb.ListAuditEntriesRequest(parent=aim.namespace)],
    "Enrol": lambda aim: [rpb.EnrolRequest(job=aim.job, code="a guess")],
    "GetAssignment": _attempt(rpb.GetAssignmentRequest),
    "CommitPlanStep": _attempt(rpb.CommitPlanStepRequest, step=step_to_wire(a_step())),
    "RecordMeasurements": _attempt(rpb.RecordMeasurementsRequest),
    "Heartbeat": _attempt(rpb.HeartbeatRequest),
    "FinishAttempt": _attempt(
        rpb.FinishAttemptRequest, outcome=rpb.ATTEMPT_OUTCOME_CRASHED, message="gone"
    ),
    "FetchBlob": _attempt(rpb.FetchBlobRequest, sha256=DIGEST),
    "DescribeDataset": _attempt(rpb.DescribeDatasetRequest),
    "AttachArtifact": lambda aim: [
        rpb.AttachArtifactRequest(
            attempt=aim.attempt,
            header=rpb.ArtifactHeader(name="x", sha256=DIGEST, size_bytes=1),
            chunk=b"x",
        )
    ],
}
"""The messages of each call, about what is aimed at."""

IN_ORDER = sorted(METHODS, key=lambda path: path.endswith(("/DeleteJob", "/FinishAttempt")))
"""Every call, with those last after which there is nothing left to call about."""


async def sent(
    channel: grpc.aio.Channel,
    path: str,
    messages: Iterable[Message | bytes],
    metadata: Metadata,
    seconds: float = 10.0,
) -> tuple[list[Any], TunerError | None]:
    """Makes a call by its path. Returns its answers (a stream's first) and how it was refused.

    Requests may be bytes, which are sent as they are.
    """
    method = METHODS[path]
    answer_type = _class(method.output_type)
    kind = {
        (False, False): channel.unary_unary,
        (False, True): channel.unary_stream,
        (True, False): channel.stream_unary,
    }[method.client_streaming, method.server_streaming]
    call = kind(
        path,
        request_serializer=lambda m: m if isinstance(m, bytes) else m.SerializeToString(),
        response_deserializer=answer_type.FromString,
    )
    given = list(messages)

    async def all_given() -> AsyncIterator[Message | bytes]:
        for message in given:
            yield message

    request: Any = all_given() if method.client_streaming else given[0]
    running = call(request, metadata=metadata, timeout=seconds)
    try:
        if not method.server_streaming:
            return [await running], None
        async for answer in running:
            running.cancel()
            return [answer], None
    except grpc.aio.AioRpcError as error:
        return [], from_rpc_error(error)
    return [], None


def _class(descriptor: Any) -> type[Message]:
    module = pb if descriptor.file is pb.DESCRIPTOR else rpb
    return getattr(module, descriptor.name)
