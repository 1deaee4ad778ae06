"""What a caller may take at most: of messages, of time, of streams."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from tuner.errors import Status, TunerError

MAX_MESSAGE_BYTES = 4 * 2**20
"""Largest message that is taken. A spec of 64 searches and a batch of 64 measurements, each with
scores under ten conditions, are far below; files come in chunks of 1 MiB."""

UNARY_SECONDS = 120.0
"""How long a call may take that is answered once, whatever deadline its caller set."""

IDLE_SECONDS = 60.0
"""How long an upload may pause between two messages."""

SERVER_OPTIONS = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    # What our own clients send is some 200 bytes.
    ("grpc.max_metadata_size", 8 * 1024),
)


class Streams:
    """Counts the streams that callers have open, uploads, downloads and logs together."""

    def __init__(self, most: int) -> None:
        """Takes how many one caller may have at once."""
        self._most = most
        self._open: Counter[str] = Counter()

    @contextmanager
    def one(self, caller: str) -> Iterator[None]:
        """Counts one more while it is open.

        Raises:
            TunerError: RESOURCE_EXHAUSTED where the caller has as many as it may.
        """
        if self._open[caller] >= self._most:
            raise TunerError(
                Status.RESOURCE_EXHAUSTED,
                "TOO_MANY_STREAMS",
                f"{self._most} uploads, downloads and logs are open at once under this token; "
                "close one, or wait for one to end",
            )
        self._open[caller] += 1
        try:
            yield
        finally:
            self._open[caller] -= 1
            if not self._open[caller]:
                del self._open[caller]
