"""What every call goes through: the token, and errors as statuses."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any

import grpc
import structlog

from services.coordinator.secret import TOKEN_VARIABLE, matches
from services.coordinator.store.base import Store
from services.coordinator.store.errors import (
    AlreadyExistsError,
    DataChangedError,
    NotFoundError,
    StaleError,
    StoreError,
    UnavailableError,
    WrongStateError,
)
from services.coordinator.store.rows import AttemptRow
from tuner.errors import Status, TunerError, invalid
from tuner.wire.caller import token_from_wire
from tuner.wire.errors import abort
from tuner.wire.names import JobName

log = structlog.get_logger(__name__)

CLIENT_PREFIX = "/tuner.v1.TunerService/"
RUNNER_PREFIX = "/tuner.v1.RunnerService/"
ENROL = f"{RUNNER_PREFIX}Enrol"

Context = grpc.aio.ServicerContext[Any, Any]
_Check = Callable[[Any, Context], Awaitable[None]]

_MEANING: tuple[tuple[type[StoreError], Status, str], ...] = (
    (NotFoundError, Status.NOT_FOUND, "JOB_NOT_FOUND"),
    (AlreadyExistsError, Status.ALREADY_EXISTS, "JOB_ALREADY_EXISTS"),
    (StaleError, Status.FAILED_PRECONDITION, "STALE_ATTEMPT"),
    (DataChangedError, Status.FAILED_PRECONDITION, "DATA_CHANGED"),
    (WrongStateError, Status.FAILED_PRECONDITION, "WRONG_STATE"),
    (UnavailableError, Status.UNAVAILABLE, "STORE_UNAVAILABLE"),
)


def from_store(error: StoreError) -> TunerError | None:
    """Returns what a store's error means to a caller; None where it means nothing to them."""
    for kind, status, reason in _MEANING:
        if isinstance(error, kind):
            return TunerError(status, reason, str(error))
    return None


MAX_ENROLLED = 1000
"""Attempts whose tokens are remembered, so that a call of theirs needs no look-up."""


class Gate(grpc.aio.ServerInterceptor):
    """Checks tokens and turns errors into statuses, for our services.

    Health and reflection are open. TunerService wants the clients' token,
    RunnerService the attempt's, but for Enrol, whose code is its own proof.
    """

    def __init__(self, store: Store, client_token_hash: str) -> None:
        """Takes where attempts' hashes are, and the hash of the clients' token."""
        self._store = store
        self._client = client_token_hash
        self._enrolled: dict[tuple[JobName, int, int], str] = {}

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """Wraps the handlers of our services."""
        handler = await continuation(handler_call_details)
        method = str(handler_call_details.method)
        check: _Check
        if method == ENROL:
            check = _open
        elif method.startswith(CLIENT_PREFIX):
            check = self._check_client
        elif method.startswith(RUNNER_PREFIX):
            check = self._check_runner
        else:
            return handler
        return None if handler is None else _wrapped(handler, method, check)

    async def _check_client(self, request: Any, context: Context) -> None:
        if not matches(token_from_wire(context.invocation_metadata()), self._client):
            raise TunerError(
                Status.UNAUTHENTICATED,
                "BAD_TOKEN",
                f"the call shows no valid token; set {TOKEN_VARIABLE} to the coordinator's, "
                "which stands in the file `token` of its state folder",
            )

    async def _check_runner(self, request: Any, context: Context) -> None:
        """Passes who shows the token of the attempt that the request names.

        Whether that attempt still lives is for the call itself to judge, in
        its own transaction.
        """
        name = JobName.parse(request.attempt.job, "attempt.job")
        token = token_from_wire(context.invocation_metadata())
        named = (name, request.attempt.attempt, request.attempt.epoch)
        if matches(token, self._enrolled.get(named, "")):
            return
        for attempt in await asyncio.to_thread(self._store.attempts, name):
            if _is(attempt, request.attempt) and matches(token, attempt.token_hash):
                # An attempt's token never changes, and its epoch is never used again.
                self._enrolled[named] = attempt.token_hash
                while len(self._enrolled) > MAX_ENROLLED:
                    del self._enrolled[next(iter(self._enrolled))]
                return
        raise TunerError(
            Status.UNAUTHENTICATED,
            "BAD_TOKEN",
            "the call doesn't show the token that Enrol answered to this attempt",
        )


def _is(attempt: AttemptRow, named: Any) -> bool:
    return (attempt.number, attempt.epoch) == (named.attempt, named.epoch)


async def _open(request: Any, context: Context) -> None:
    """Lets everyone pass."""


def _wrapped(handler: Any, method: str, check: _Check) -> Any:
    """Returns the handler behind the check, its errors turned into statuses."""
    make: Any
    behaviour: Any
    if handler.response_streaming:
        stream = handler.unary_stream

        async def run_stream(request: Any, context: Context) -> AsyncIterator[Any]:
            try:
                await check(request, context)
                async with aclosing(stream(request, context)) as answers:
                    async for answer in answers:
                        yield answer
            except Exception as error:  # noqa: BLE001 - the last place that can answer the caller
                await _fail(context, method, error)

        make, behaviour = grpc.unary_stream_rpc_method_handler, run_stream
    elif handler.request_streaming:
        take_in = handler.stream_unary

        async def run_upload(requests: AsyncIterator[Any], context: Context) -> Any:
            try:
                async with aclosing(_checked(requests, context, check)) as passed:
                    return await take_in(passed, context)
            except Exception as error:  # noqa: BLE001 - the last place that can answer the caller
                return await _fail(context, method, error)

        make, behaviour = grpc.stream_unary_rpc_method_handler, run_upload
    else:
        call = handler.unary_unary

        async def run(request: Any, context: Context) -> Any:
            try:
                await check(request, context)
                return await call(request, context)
            except Exception as error:  # noqa: BLE001 - the last place that can answer the caller
                return await _fail(context, method, error)

        make, behaviour = grpc.unary_unary_rpc_method_handler, run
    return make(
        behaviour,
        request_deserializer=handler.request_deserializer,
        response_serializer=handler.response_serializer,
    )


async def _checked(
    requests: AsyncIterator[Any], context: Context, check: _Check
) -> AsyncGenerator[Any, None]:
    """Yields the requests once the first has passed: it names who sends them."""
    first = True
    async for request in requests:
        if first:
            await check(request, context)
            first = False
        yield request
    if first:
        raise invalid("header", "is missing; it must be the first message")


async def _fail(context: Context, method: str, error: Exception) -> None:
    """Ends the call with the error's status. Always raises."""
    if isinstance(error, grpc.aio.AbortError):
        raise error
    if isinstance(error, StoreError):
        error = from_store(error) or error
    if isinstance(error, TunerError):
        log.debug("call refused", method=method, status=error.status.value, reason=error.reason)
        await abort(context, error)
    incident = secrets.token_hex(4)
    log.error("call failed", method=method, incident=incident, exc_info=error)
    text = f"something went wrong in the coordinator; its log tells more at incident {incident}"
    await abort(context, TunerError(Status.INTERNAL, "INTERNAL", text))
