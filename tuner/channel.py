"""One channel to several coordinators: calls go to one, and to the next when it fails."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import grpc

from tuner.errors import invalid
from tuner.tls import Tls, open_channel

CONNECT_SECONDS = 2.0
"""How long a connection may take to come about."""

PING_SECONDS = 3.0
"""While a call is open the other side is pinged so often, and taken for dead where no answer
comes within as long again: a frozen coordinator takes calls and never answers."""

_OPTIONS = (
    ("grpc.max_receive_message_length", 64 << 20),
    # gRPC's own pause between connections grows to two minutes; who calls decides.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    # Its name notwithstanding: the least time that an attempt to connect gets.
    ("grpc.min_reconnect_backoff_ms", int(1000 * CONNECT_SECONDS)),
    ("grpc.keepalive_time_ms", int(1000 * PING_SECONDS)),
    # Without the first, a minute whatever the second says (grpcio 1.8x).
    ("grpc.http2.ping_timeout_ms", int(1000 * PING_SECONDS)),
    ("grpc.keepalive_timeout_ms", int(1000 * PING_SECONDS)),
    # A call may wait for long without a byte of data.
    ("grpc.http2.max_pings_without_data", 0),
)

_LEFT = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)


def split_addresses(text: str, field: str = "address") -> tuple[str, ...]:
    """Returns the addresses of one or several coordinators, "host:port,host:port".

    Raises:
        TunerError: INVALID_ARGUMENT where one of them is none.
    """
    addresses = tuple(part.strip() for part in text.split(","))
    for address in addresses:
        host, colon, port = address.rpartition(":")
        bare = ":" in host and not (host.startswith("[") and host.endswith("]"))
        if not (colon and host and port.isdigit()) or bare or set("/; ") & set(address):
            raise invalid(
                field,
                f"{address!r} is not of the form HOST:PORT; several are separated by commas",
                "INVALID_ADDRESS",
            )
    return addresses


class Channels:
    """Channels to coordinators that share one record; each call goes to the present one.

    gRPC's own choice between addresses knows none between host names, and holds on to a
    coordinator that answers UNAVAILABLE. Stubs take it for a channel.
    """

    def __init__(self, addresses: Sequence[str], tls: Tls | None) -> None:
        """Connects with the first call.

        Args:
            addresses: "host:port" of each, the preferred first.
            tls: What they are trusted by; None for plaintext.

        Raises:
            TunerError: INVALID_ARGUMENT where a file of TLS can't be read.
        """
        self._addresses = tuple(addresses)
        self._channels = [open_channel(address, tls, _OPTIONS) for address in addresses]
        self._lock = threading.Lock()
        self.at = 0

    @property
    def address(self) -> str:
        """Where the next call goes."""
        return self._addresses[self.at]

    def close(self) -> None:
        """Closes every channel."""
        for channel in self._channels:
            channel.close()

    def leave(self, at: int) -> None:
        """Turns to the one after it, unless somebody has turned already."""
        with self._lock:
            if self.at == at:
                self.at = (at + 1) % len(self._channels)

    def unary_unary(self, *method: Any, **options: Any) -> Callable[..., Any]:
        """Does grpc.Channel.unary_unary."""
        return self._answered(channel.unary_unary(*method, **options) for channel in self._channels)

    def stream_unary(self, *method: Any, **options: Any) -> Callable[..., Any]:
        """Does grpc.Channel.stream_unary."""
        return self._answered(
            channel.stream_unary(*method, **options) for channel in self._channels
        )

    def unary_stream(self, *method: Any, **options: Any) -> Callable[..., Any]:
        """Does grpc.Channel.unary_stream."""
        calls = [channel.unary_stream(*method, **options) for channel in self._channels]

        def call(*request: Any, **options: Any) -> Answers:
            at = self.at
            return Answers(calls[at](*request, **options), lambda: self.leave(at))

        return call

    def _answered(self, methods: Iterator[Callable[..., Any]]) -> Callable[..., Any]:
        calls = list(methods)

        def call(*request: Any, **options: Any) -> Any:
            at = self.at
            try:
                return calls[at](*request, **options)
            except grpc.RpcError as error:
                if error.code() in _LEFT:
                    self.leave(at)
                raise

        return call


class Answers:
    """A stream's answers; one that breaks off has the next call go elsewhere."""

    def __init__(self, call: Any, leave: Callable[[], None]) -> None:
        """Takes the open call, and what is called when it breaks off."""
        self._call = call
        self._leave = leave

    def __iter__(self) -> Answers:
        return self

    def __next__(self) -> Any:
        try:
            return next(self._call)
        except grpc.RpcError as error:
            # A stream's deadline says nothing of its coordinator: it may be quiet for long.
            if error.code() is grpc.StatusCode.UNAVAILABLE:
                self._leave()
            raise

    def cancel(self) -> None:
        """Ends the call."""
        self._call.cancel()
