"""Calls with a deadline, tried again while the coordinator can't be reached."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from typing import TypeVar, cast

import grpc

from tuner.channel import Channels, split_addresses
from tuner.client.endpoint import Endpoint
from tuner.client.user import user_name
from tuner.errors import Status, TunerError
from tuner.tls import mismatch
from tuner.v1.tuner_service_pb2_grpc import TunerServiceStub
from tuner.wire.caller import caller_to_wire
from tuner.wire.errors import from_rpc_error

_Request = TypeVar("_Request")
_Response = TypeVar("_Response")


class Backoff:
    """Pauses that double, with jitter, until a bound is used up.

    Args:
        bound: Seconds from the first failure after which no further try is made.
        first: The first pause, in seconds, before jitter.
        longest: No pause is longer, in seconds.
    """

    def __init__(self, bound: float, first: float = 0.1, longest: float = 3.0) -> None:
        self._bound = bound
        self._first = first
        self._longest = longest
        self.reset()

    def reset(self) -> None:
        """Starts anew, after something went well."""
        self._next = self._first
        self._end: float | None = None

    def pause(self) -> bool:
        """Waits. Returns False, at once, where the bound leaves no time for another try."""
        now = time.monotonic()
        if self._end is None:
            self._end = now + self._bound
        delay = self._next * random.uniform(0.5, 1.0)
        if now + delay >= self._end:
            return False
        time.sleep(delay)
        self._next = min(2 * self._next, self._longest)
        return True


class Transport:
    """Calls to a coordinator. The only place that retries or meets a gRPC error.

    Where several share a record, the next is asked when one is UNAVAILABLE.

    Args:
        endpoint: The coordinator, or those that share its record.
        timeout: Deadline of a call, all tries together, in seconds.
        retry: How long an unreachable coordinator is tried, in seconds.
    """

    def __init__(self, endpoint: Endpoint, timeout: float = 30.0, retry: float = 8.0) -> None:
        self.endpoint = endpoint
        self.timeout = timeout
        self._retry = retry
        self._metadata = caller_to_wire(endpoint.token, user_name())
        self._channels = Channels(split_addresses(endpoint.address), endpoint.tls)
        self.stub = TunerServiceStub(cast("grpc.Channel", self._channels))

    def close(self) -> None:
        """Closes the channels."""
        self._channels.close()

    def call(
        self, method: grpc.UnaryUnaryMultiCallable[_Request, _Response], request: _Request
    ) -> _Response:
        """Calls once, or again with the same request while the answer is UNAVAILABLE.

        Raises:
            TunerError: What the coordinator answered, or that it didn't.
        """
        return self._tried(
            lambda left: method(request, timeout=left, metadata=self._metadata), self.timeout
        )

    def upload(
        self,
        method: grpc.StreamUnaryMultiCallable[_Request, _Response],
        requests: Callable[[], Iterator[_Request]],
        timeout: float,
    ) -> _Response:
        """Streams requests, made anew for every try. Raises as `call` does."""
        return self._tried(
            lambda left: method(requests(), timeout=left, metadata=self._metadata), timeout
        )

    def stream(
        self,
        method: grpc.UnaryStreamMultiCallable[_Request, _Response],
        request: _Request,
        timeout: float,
    ) -> Iterator[_Response]:
        """Yields one stream's responses. Never retries: only the caller knows where to resume.

        Raises:
            TunerError: What the coordinator answered, or that it went away.
        """
        call = method(request, timeout=timeout, metadata=self._metadata)
        try:
            yield from call
        except grpc.RpcError as error:
            raise self._translated(error) from error
        finally:
            call.cancel()

    def _tried(self, send: Callable[[float], _Response], timeout: float) -> _Response:
        deadline = time.monotonic() + timeout
        backoff = Backoff(min(self._retry, timeout))
        asked = False
        while True:
            address = self._channels.address
            try:
                return send(max(deadline - time.monotonic(), 0.001))
            except grpc.RpcError as error:
                found = self._translated(error)
                if found.reason == "UNREACHABLE" and not asked:
                    asked = True
                    found = mismatch(address, self.endpoint.tls) or found
                if found.status is not Status.UNAVAILABLE or not backoff.pause():
                    raise found from error

    def _translated(self, error: grpc.RpcError) -> TunerError:
        found = from_rpc_error(error)
        if found.reason == Status.UNAVAILABLE.value:  # the transport's word, not the coordinator's
            return TunerError(
                Status.UNAVAILABLE,
                "UNREACHABLE",
                f"no coordinator answers at {self.endpoint.address} ({found.message})",
            )
        if found.reason == Status.DEADLINE_EXCEEDED.value:
            return TunerError(
                Status.DEADLINE_EXCEEDED,
                "DEADLINE_EXCEEDED",
                f"the coordinator at {self.endpoint.address} did not answer in time",
            )
        return found
