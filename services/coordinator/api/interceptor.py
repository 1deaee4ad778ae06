"""What every call goes through: the gate, deadlines, and a database that may be away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any

import grpc

from services.coordinator.access.audit import Audit
from services.coordinator.access.guard import Guard
from services.coordinator.access.limits import IDLE_SECONDS, UNARY_SECONDS, Streams
from services.coordinator.access.rules import CLIENT_SERVICE, RUNNER_SERVICE
from services.coordinator.api.passage import Context, Passage, readable, reader
from services.coordinator.database_health import DatabaseHealth
from tuner.errors import Status, TunerError

__all__ = ["Context", "Gate"]

_OURS = (f"/{CLIENT_SERVICE}/", f"/{RUNNER_SERVICE}/")


class Gate(grpc.aio.ServerInterceptor):
    """Lets through who may, and turns errors into statuses, for our services.

    Health and reflection are open.
    """

    def __init__(
        self, guard: Guard, audit: Audit, streams: Streams, database: DatabaseHealth
    ) -> None:
        """Takes what knows tokens, the audit log, the count of streams, the database's state."""
        self._database = database
        self._guard = guard
        self._audit = audit
        self._streams = streams

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """Wraps the handlers of our services."""
        handler = await continuation(handler_call_details)
        method = str(handler_call_details.method)
        if handler is None or not method.startswith(_OURS):
            return handler
        return self._wrapped(handler, method)

    def _wrapped(self, handler: Any, method: str) -> Any:
        """Returns the handler behind the gate."""
        make: Any
        behaviour: Any
        if handler.response_streaming:

            async def run_stream(request: Any, context: Context) -> AsyncIterator[Any]:
                passage = self._passage(method, context)
                try:
                    async with self._database.needed():
                        await passage.admit(request)
                    with passage.counted():
                        async with aclosing(handler.unary_stream(request, context)) as answers:
                            async for answer in _needing(self._database, answers):
                                # What a token may see ends with the token.
                                async with self._database.needed():
                                    await passage.still(request)
                                yield answer
                except Exception as error:  # noqa: BLE001 - the last place that can answer
                    await passage.fail(error)

            make, behaviour = grpc.unary_stream_rpc_method_handler, run_stream
        elif handler.request_streaming:

            async def run_upload(requests: AsyncIterator[Any], context: Context) -> Any:
                passage = self._passage(method, context)
                try:
                    async with self._database.needed(), aclosing(_paced(requests)) as paced:
                        first = await passage.first(paced)
                        await passage.admit(first)
                        with passage.counted():
                            async with aclosing(passage.checked(first, paced)) as passed:
                                return passage.end(await handler.stream_unary(passed, context))
                except asyncio.CancelledError:
                    passage.left()
                    raise
                except Exception as error:  # noqa: BLE001 - the last place that can answer
                    return await passage.fail(error)

            make, behaviour = grpc.stream_unary_rpc_method_handler, run_upload
        else:

            async def run(request: Any, context: Context) -> Any:
                passage = self._passage(method, context)
                try:
                    bound = _within(UNARY_SECONDS, "the call took longer than")
                    async with self._database.needed(), bound:
                        await passage.admit(request)
                        return passage.end(await handler.unary_unary(request, context))
                except asyncio.CancelledError:
                    passage.left()
                    raise
                except Exception as error:  # noqa: BLE001 - the last place that can answer
                    return await passage.fail(error)

            make, behaviour = grpc.unary_unary_rpc_method_handler, run
        return make(
            behaviour,
            request_deserializer=reader(handler.request_deserializer),
            response_serializer=handler.response_serializer,
        )

    def _passage(self, method: str, context: Context) -> Passage:
        return Passage(method, context, self._guard, self._audit, self._streams)


@asynccontextmanager
async def _within(seconds: float, what: str) -> AsyncIterator[None]:
    """Bounds a block by so many seconds; past them it is DEADLINE_EXCEEDED to the caller."""
    try:
        async with asyncio.timeout(seconds) as bound:
            yield
    except TimeoutError as error:
        if not bound.expired():
            raise
        text = f"{what} {seconds:g} s, which is the most that it may"
        raise TunerError(Status.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED", text) from error


async def _needing(
    database: DatabaseHealth, answers: AsyncIterator[Any]
) -> AsyncGenerator[Any, None]:
    """Yields the answers of a stream, none of which waits for a silent database."""
    while True:
        async with database.needed():
            answer = await anext(answers, None)
        if answer is None:
            return
        yield answer


async def _paced(requests: AsyncIterator[Any]) -> AsyncGenerator[Any, None]:
    """Yields the requests, none of which may be waited for for long."""
    stream = aiter(requests)
    while True:
        async with _within(IDLE_SECONDS, "the next message of the upload took longer than"):
            request = await anext(stream, None)
        if request is None:
            return
        yield readable(request)
