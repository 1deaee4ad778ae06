"""Sends measurements to the coordinator in batches, beside the work."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from tuner.record import Measurement, PacketAttempt

BATCH = 64
"""Most measurements a call."""


class Recorder:
    """A queue that a thread empties in batches.

    A batch is as large as what came while the last one was written: at low
    rates every measurement goes at once, at high rates they share a write.
    """

    def __init__(
        self,
        send: Callable[
            [Sequence[Measurement], Sequence[PacketAttempt], Sequence[Measurement]], object
        ],
        on_error: Callable[[Exception], None],
    ) -> None:
        """Starts the thread.

        Args:
            send: Writes a batch (measurements, attempts, surplus), durable when it returns.
            on_error: Called once when `send` has failed for good.
        """
        self._send = send
        self._on_error = on_error
        self._measurements: list[Measurement] = []
        self._attempts: list[PacketAttempt] = []
        self._surplus: list[Measurement] = []
        self._unsent = 0
        self._closed = False
        self._failure: Exception | None = None
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    def add(
        self,
        measurements: Sequence[Measurement],
        attempts: Sequence[PacketAttempt],
        surplus: Sequence[Measurement] = (),
    ) -> None:
        """Takes rows to send."""
        with self._changed:
            self._measurements.extend(measurements)
            self._attempts.extend(attempts)
            self._surplus.extend(surplus)
            self._unsent += len(measurements) + len(attempts) + len(surplus)
            self._changed.notify_all()

    def flush(self) -> None:
        """Waits until all that was added is durable.

        Raises:
            Exception: What `send` failed with.
        """
        with self._changed:
            self._changed.wait_for(lambda: not self._unsent or self._failure)
            if self._failure:
                raise self._failure

    def close(self) -> None:
        """Ends the thread once what it is sending is sent."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._unsent or self._closed)
                if not self._unsent:
                    return
                measurements = self._measurements[:BATCH]
                attempts = self._attempts[:BATCH]
                surplus = self._surplus[:BATCH]
                del self._measurements[:BATCH], self._attempts[:BATCH], self._surplus[:BATCH]
            try:
                self._send(measurements, attempts, surplus)
            except Exception as error:  # noqa: BLE001 - handed on to whoever flushes
                with self._changed:
                    self._failure = error
                    self._changed.notify_all()
                self._on_error(error)
                return
            with self._changed:
                self._unsent -= len(measurements) + len(attempts) + len(surplus)
                self._changed.notify_all()
