"""Errors over the wire: both kinds of stub get back what the server meant."""

import asyncio

import grpc
import pytest
from google.rpc import status_pb2

from tuner.errors import Status, TunerError, Violation
from tuner.wire import errors

METHOD = "/tests.Errors/Fail"
REFUSAL = TunerError(
    Status.INVALID_ARGUMENT,
    "INVALID_SPEC",
    "no: 2 ≠ 3",
    [Violation("margin", "too large"), Violation("searches[0].key", "taken")],
)


def parts(error):
    return error.status, error.reason, error.message, list(error.violations)


def test_errors_carry_reason_domain_and_fields():
    error = TunerError(
        Status.INVALID_ARGUMENT, "INVALID_SPEC", "no", [Violation("margin", "too large")]
    )
    status = errors.to_status(error)
    again = status_pb2.Status.FromString(status.SerializeToString())
    assert again.code == 3
    assert [d.TypeName() for d in again.details] == [
        "google.rpc.ErrorInfo",
        "google.rpc.BadRequest",
    ]


async def test_what_a_server_meant_arrives_whole_at_either_kind_of_stub():
    async def fail(request, context):
        await errors.abort(context, REFUSAL)

    server = grpc.aio.server()
    handler = grpc.method_handlers_generic_handler(
        "tests.Errors", {"Fail": grpc.unary_unary_rpc_method_handler(fail)}
    )
    server.add_generic_rpc_handlers((handler,))
    address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()

    def blocking():
        with grpc.insecure_channel(address) as channel:
            channel.unary_unary(METHOD)(b"", timeout=30)

    async def streamless():
        async with grpc.aio.insecure_channel(address) as channel:
            await channel.unary_unary(METHOD)(b"", timeout=30)

    for call in (asyncio.to_thread(blocking), streamless()):
        with pytest.raises(grpc.RpcError) as caught:
            await call
        assert parts(errors.from_rpc_error(caught.value)) == parts(REFUSAL)
    await server.stop(None)


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (grpc.StatusCode.UNAVAILABLE, Status.UNAVAILABLE),
        (grpc.StatusCode.DEADLINE_EXCEEDED, Status.DEADLINE_EXCEEDED),
        (grpc.StatusCode.DATA_LOSS, Status.INTERNAL),
    ],
)
def test_a_transports_own_failure_keeps_its_status_and_text(code, status):
    error = grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata(), details="gone")
    assert parts(errors.from_rpc_error(error)) == (status, code.name, "gone", [])


def test_an_error_that_tells_nothing_is_internal():
    found = errors.from_rpc_error(grpc.RpcError())
    assert parts(found) == (Status.INTERNAL, "UNKNOWN", "the call failed", [])
