"""Sends measurements to the coordinator in batches, beside the work."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from tuner.record import Measurement, PacketAttempt, Place

BATCH = 64
"""Most measurements a call."""

BLOB_BYTES = 32 << 20
"""Predictions of one call; those of a single measurement may be more."""

WAITING_BYTES = 256 << 20
"""Predictions that wait to be sent; whoever brings more waits, too."""


def _refuse(content: bytes) -> str:
    raise RuntimeError("this recorder was given nowhere to keep predictions")


class Recorder:
    """A queue that a thread empties in batches.

    A batch is as large as what came while the last one was written: at low
    rates every measurement goes at once, at high rates they share a write. Their
    predictions share one file, which is durable before a row tells of it.
    """

    def __init__(
        self,
        send: Callable[
            [Sequence[Measurement], Sequence[PacketAttempt], Sequence[Measurement]], object
        ],
        on_error: Callable[[Exception], None],
        store: Callable[[bytes], str] = _refuse,
    ) -> None:
        """Starts the thread.

        Args:
            send: Writes a batch (measurements, attempts, surplus), durable when it returns.
            on_error: Called once when `send` or `store` has failed for good.
            store: Keeps a file of predictions, durable when it returns its SHA-256.
        """
        self._send = send
        self._on_error = on_error
        self._store = store
        self._measurements: list[Measurement] = []
        self._attempts: list[PacketAttempt] = []
        self._surplus: list[Measurement] = []
        self._predictions: dict[str, bytes] = {}
        self._waiting_bytes = 0
        # Of surplus, until it is recorded as a measurement: that row comes without.
        self._places: dict[str, Place] = {}
        self._unsent = 0
        self._closed = False
        self._failure: Exception | None = None
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    def keep(self, predictions: Mapping[str, bytes]) -> None:
        """Takes what rows that are added next have predicted, by their ids.

        Waits while too much waits to be sent, so that a slow store can't fill the memory.
        """
        with self._changed:
            self._changed.wait_for(
                lambda: self._waiting_bytes < WAITING_BYTES or self._failure or self._closed
            )
            for key, data in predictions.items():
                self._waiting_bytes += len(data) - len(self._predictions.get(key, b""))
                self._predictions[key] = data

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
            Exception: What `send` or `store` failed with.
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
                measurements, surplus = self._take(self._measurements), self._take(self._surplus)
                attempts = self._attempts[:BATCH]
                del self._attempts[:BATCH]
                parts = {
                    m.id: self._predictions.pop(m.id)
                    for m in (*surplus, *measurements)
                    if m.id in self._predictions
                }
            try:
                if parts:
                    self._places.update(self._kept(parts))
                ahead = [self._placed(m) for m in surplus]
                final = [self._placed(m, for_good=True) for m in measurements]
                self._send(final, attempts, ahead)
            except Exception as error:  # noqa: BLE001 - handed on to whoever flushes
                with self._changed:
                    self._failure = error
                    self._changed.notify_all()
                self._on_error(error)
                return
            with self._changed:
                self._waiting_bytes -= sum(map(len, parts.values()))
                self._unsent -= len(measurements) + len(attempts) + len(surplus)
                self._changed.notify_all()

    def _take(self, rows: list[Measurement]) -> list[Measurement]:
        """Takes the next rows: so many, and fewer where their predictions are large."""
        count = size = 0
        for m in rows[:BATCH]:
            size += len(self._predictions.get(m.id, b""))
            if count and size > BLOB_BYTES:
                break
            count += 1
        taken = rows[:count]
        del rows[:count]
        return taken

    def _kept(self, parts: Mapping[str, bytes]) -> dict[str, Place]:
        """Stores the parts as one file; returns where each is."""
        sha256 = self._store(b"".join(parts.values()))
        places, offset = {}, 0
        for key, part in parts.items():
            places[key] = Place(sha256, offset, len(part))
            offset += len(part)
        return places

    def _placed(self, m: Measurement, for_good: bool = False) -> Measurement:
        place = self._places.pop(m.id, None) if for_good else self._places.get(m.id)
        return m if place is None else replace(m, predictions=place)
