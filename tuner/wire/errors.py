"""TunerError over a gRPC status with google.rpc details (AIP-193), and back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import grpc
from google.protobuf import any_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from tuner.errors import Status, TunerError, Violation

DOMAIN = "tuner"

_CROWDED = "Concurrent RPC limit exceeded!"
"""gRPC's own words where a server answers as many calls as it may."""


def to_status(error: TunerError) -> status_pb2.Status:
    """Returns the error as a google.rpc.Status with ErrorInfo and BadRequest."""
    status = status_pb2.Status(code=code_pb2.Code.Value(error.status.value), message=error.message)
    info = error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN)
    status.details.append(_packed(info))
    if error.violations:
        request = error_details_pb2.BadRequest(
            field_violations=[
                error_details_pb2.BadRequest.FieldViolation(field=v.field, description=v.problem)
                for v in error.violations
            ]
        )
        status.details.append(_packed(request))
    return status


def _packed(
    detail: error_details_pb2.ErrorInfo | error_details_pb2.BadRequest,
) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(detail)
    return packed


async def abort(context: grpc.aio.ServicerContext[Any, Any], error: TunerError) -> None:
    """Ends the call with the error. Always raises."""
    status = rpc_status.to_status(to_status(error))
    await context.abort(status.code, status.details or "", status.trailing_metadata or ())


def from_rpc_error(error: grpc.RpcError) -> TunerError:
    """Returns what the server meant; a transport's own failure keeps its status.

    Args:
        error: What a stub's call raised, be it grpc's or grpc.aio's.
    """
    # The two kinds of stub raise unrelated types that tell the same.
    if isinstance(error, grpc.Call | grpc.aio.AioRpcError):
        code, text, metadata = error.code(), error.details(), error.trailing_metadata()
    else:
        code, text, metadata = grpc.StatusCode.UNKNOWN, None, None
    try:
        status = Status(code.name)
    except ValueError:
        status = Status.INTERNAL
    if status is Status.RESOURCE_EXHAUSTED and text == _CROWDED:
        # Refused before anything of it was begun, and not for what it asks.
        return TunerError(Status.UNAVAILABLE, "TOO_MANY_CALLS", text)
    reason, violations = code.name, []
    for detail in _details(metadata):
        info, request = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
        if detail.Unpack(info):
            reason = info.reason
        elif detail.Unpack(request):
            violations += [Violation(v.field, v.description) for v in request.field_violations]
    return TunerError(status, reason, text or "the call failed", violations)


def _details(metadata: Iterable[tuple[str, str | bytes]] | None) -> list[any_pb2.Any]:
    for key, value in metadata or ():
        if key == "grpc-status-details-bin" and isinstance(value, bytes):
            return list(status_pb2.Status.FromString(value).details)
    return []
