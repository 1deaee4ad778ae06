"""A proxy between a coordinator and whoever calls it, which loses, doubles and shuffles calls.

It passes messages through as bytes. What befalls which call is the `Mischief`'s to say.
"""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import Future
from contextlib import suppress
from enum import StrEnum
from typing import Any, Protocol

import grpc

from tuner.v1 import runner_service_pb2, tuner_service_pb2


class Mode(StrEnum):
    """What befalls a call."""

    REQUEST_LOST = "request lost"
    ANSWER_LOST = "answer lost"  # after the commit
    KILLED_BEFORE = "coordinator killed before"
    KILLED_AFTER = "coordinator killed after"
    DOUBLED = "doubled"  # at the same time
    LATE = "arrives after its successors"  # given up, and tried again meanwhile
    DELAYED = "delayed"


class Mischief(Protocol):
    """Decides what befalls which call, and is told what did."""

    def next(self, method: str) -> Mode | None:
        """Returns what befalls a call of the method; None lets it through."""
        ...

    def hit(self, method: str, mode: Mode) -> None:
        """Counts what befell a call; not called where it came to nothing."""
        ...


LATE_BY = 2
"""Calls of the same caller and method that overtake one that is late."""
PATIENCE_SECONDS = 4.0
"""How long a late call waits for those that are to overtake it."""
DELAY_SECONDS = 2.0

_KINDS = {
    f"/{service.full_name}/{method.name}": (method.client_streaming, method.server_streaming)
    for module in (runner_service_pb2, tuner_service_pb2)
    for service in module.DESCRIPTOR.services_by_name.values()
    for method in service.methods
}

_OPTIONS = (
    ("grpc.max_receive_message_length", 64 << 20),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 500),
)

# As tuner.channel has it: a connection ends here, and so do the pings by which it is known to live.
_PINGS = (
    ("grpc.keepalive_time_ms", 3000),
    ("grpc.keepalive_timeout_ms", 3000),
    ("grpc.http2.max_pings_without_data", 0),
)

_TAKING = (
    ("grpc.so_reuseport", 0),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 500),
    ("grpc.http2.max_ping_strikes", 0),
    ("grpc.keepalive_permit_without_calls", 1),
)

_Context = grpc.aio.ServicerContext[bytes, bytes]


class Proxy(grpc.GenericRpcHandler):
    """One address in front of one coordinator."""

    def __init__(
        self, port: int, backend: str, mischief: Mischief, kill: Callable[[], bool]
    ) -> None:
        """Listens on a port of 127.0.0.1 once it is entered.

        Args:
            port: The port.
            backend: "host:port" of the coordinator, which may come and go.
            mischief: What befalls calls.
            kill: Kills the coordinator; tells whether there was one.
        """
        self.address = f"127.0.0.1:{port}"
        self._backend = backend
        self._mischief = mischief
        self._kill = kill
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"proxy {port}")
        self._answered: defaultdict[tuple[str, str], int] = defaultdict(int)
        self._progress = asyncio.Condition()
        self._late: set[asyncio.Task[None]] = set()

    def __enter__(self) -> Proxy:
        self._thread.start()
        self._do(self._open()).result(10)
        return self

    def __exit__(self, *error: object) -> None:
        self._do(self._close()).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def _do(self, what: Coroutine[Any, Any, None]) -> Future[None]:
        return asyncio.run_coroutine_threadsafe(what, self._loop)

    async def _open(self) -> None:
        self._channel = grpc.aio.insecure_channel(self._backend, options=(*_OPTIONS, *_PINGS))
        self._server = grpc.aio.server(handlers=[self], options=(*_OPTIONS, *_TAKING))
        self._server.add_insecure_port(self.address)
        await self._server.start()

    async def _close(self) -> None:
        for task in self._late:
            task.cancel()
        await asyncio.gather(*self._late, return_exceptions=True)
        await self._server.stop(0)
        await self._channel.close()

    def service(self, call: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        """Returns what passes a call of the method on."""
        method = str(call.method)
        if method not in _KINDS:
            return None
        sends, receives = _KINDS[method]
        passing = _Passing(self, method)
        if receives:
            return grpc.unary_stream_rpc_method_handler(passing.stream)
        if sends:
            return grpc.stream_unary_rpc_method_handler(passing.upload)
        return grpc.unary_unary_rpc_method_handler(passing.unary)


class _Passing:
    """Passes calls of one method on."""

    def __init__(self, proxy: Proxy, method: str) -> None:
        self._proxy = proxy
        self._path = method
        self._name = method.rpartition("/")[2]

    async def unary(self, request: bytes, context: _Context) -> bytes:
        call = self._proxy._channel.unary_unary(self._path)
        return await self._passed(
            lambda left, md: call(request, timeout=left, metadata=md), context
        )

    async def upload(self, requests: AsyncIterator[bytes], context: _Context) -> bytes:
        kept = [request async for request in requests]
        call = self._proxy._channel.stream_unary(self._path)
        return await self._passed(
            lambda left, md: call(iter(kept), timeout=left, metadata=md), context
        )

    async def stream(self, request: bytes, context: _Context) -> AsyncIterator[bytes]:
        mode = self._next()
        if mode in (Mode.REQUEST_LOST, Mode.KILLED_BEFORE):
            await self._lost(mode, context)
        call = self._proxy._channel.unary_stream(self._path)(
            request, timeout=context.time_remaining(), metadata=_metadata(context)
        )
        try:
            async for answer in call:
                yield answer
                if mode in (Mode.ANSWER_LOST, Mode.KILLED_AFTER):
                    await self._lost(mode, context)
        except grpc.aio.AioRpcError as error:
            await _abort(context, error)
        finally:
            call.cancel()

    async def _passed(self, call: Callable[..., Any], context: _Context) -> bytes:
        """Makes a call that has one answer, and does to it what is to befall it."""
        mode, metadata, left = self._next(), _metadata(context), context.time_remaining()
        caller = str(dict(metadata).get("authorization", "")), self._name
        if mode in (Mode.REQUEST_LOST, Mode.KILLED_BEFORE):
            await self._lost(mode, context)
        if mode is Mode.LATE:
            task = asyncio.create_task(self._late(lambda: call(20.0, metadata), caller))
            self._proxy._late.add(task)
            task.add_done_callback(self._proxy._late.discard)
            await self._unavailable(context)
        if mode is Mode.DELAYED:
            await asyncio.sleep(DELAY_SECONDS)
            self._proxy._mischief.hit(self._name, mode)
        try:
            if mode is Mode.DOUBLED:
                both = await asyncio.gather(
                    call(left, metadata), call(left, metadata), return_exceptions=True
                )
                self._proxy._mischief.hit(self._name, mode)
                answer = both[0]
                if isinstance(answer, BaseException):
                    raise answer
            else:
                answer = await call(left, metadata)
        except grpc.aio.AioRpcError as error:
            await _abort(context, error)
        if mode in (Mode.ANSWER_LOST, Mode.KILLED_AFTER):
            await self._lost(mode, context)
        async with self._proxy._progress:
            self._proxy._answered[caller] += 1
            self._proxy._progress.notify_all()
        return answer

    async def _late(self, call: Callable[[], Any], caller: tuple[str, str]) -> None:
        """Makes the call once others of the same caller have gone before."""
        answered, progress = self._proxy._answered, self._proxy._progress
        until = answered[caller] + LATE_BY
        async with progress:
            # The last of its kind is overtaken by nothing but its own repeat.
            with suppress(TimeoutError):
                async with asyncio.timeout(PATIENCE_SECONDS):
                    await progress.wait_for(lambda: answered[caller] >= until)
        try:
            await call()
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.UNAVAILABLE:
                return  # it never arrived
        self._proxy._mischief.hit(self._name, Mode.LATE)

    def _next(self) -> Mode | None:
        return self._proxy._mischief.next(self._name)

    async def _lost(self, mode: Mode, context: _Context) -> None:
        """Ends a call for the caller, and the coordinator where it is to die. Always raises."""
        kills = mode in (Mode.KILLED_BEFORE, Mode.KILLED_AFTER)
        if not kills or self._proxy._kill():
            self._proxy._mischief.hit(self._name, mode)
        await self._unavailable(context)

    async def _unavailable(self, context: _Context) -> None:
        await context.abort(grpc.StatusCode.UNAVAILABLE, "the connection was lost, as planned")


def _metadata(context: _Context) -> tuple[tuple[str, str | bytes], ...]:
    """Returns what the caller sent along, without what gRPC adds by itself."""
    sent = context.invocation_metadata() or ()
    return tuple((k, v) for k, v in sent if k != "user-agent" and not k.startswith("grpc-"))


async def _abort(context: _Context, error: grpc.aio.AioRpcError) -> None:
    """Ends the call as the coordinator did. Always raises."""
    trailing = error.trailing_metadata()
    await context.abort(
        error.code(), error.details() or "", tuple(trailing) if trailing is not None else ()
    )
