"""The runner's heartbeat, and the one flag that tells it to end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Protocol

from services.runner.link import is_stale
from services.runner.orders import Order, Orders
from tuner.errors import Status, TunerError
from tuner.trials.work import Load
from tuner.v1 import runner_service_pb2 as pb


class Halt:
    """A flag that is raised once, with the reason of whoever raised it first."""

    def __init__(self) -> None:
        """Makes the flag, lowered."""
        self.event = threading.Event()
        self._lock = threading.Lock()
        self.reason = ""
        self.cancelled = False
        self.stale = False
        self.error: BaseException | None = None

    def cancel(self, reason: str) -> None:
        """Raises it because somebody wants the job to end."""
        self._raise(reason, cancelled=True)

    def superseded(self, reason: str) -> None:
        """Raises it because another attempt has taken over."""
        self._raise(reason, stale=True)

    def fail(self, error: BaseException) -> None:
        """Raises it because something broke, or, for a stale attempt, was refused."""
        if isinstance(error, TunerError) and is_stale(error):
            self.superseded(error.message)
        else:
            self._raise(str(error), error=error)

    def _raise(
        self,
        reason: str,
        cancelled: bool = False,
        stale: bool = False,
        error: BaseException | None = None,
    ) -> None:
        with self._lock:
            if not self.event.is_set():
                self.reason, self.cancelled, self.stale, self.error = (
                    reason,
                    cancelled,
                    stale,
                    error,
                )
                self.event.set()


_PASSING = (
    Status.UNAVAILABLE,
    Status.DEADLINE_EXCEEDED,
    Status.RESOURCE_EXHAUSTED,
    Status.INTERNAL,
)
"""What a heartbeat may be answered for a while: the coordinator has trouble, and no complaint."""


class Heart(Protocol):
    """The coordinator as it is seen here."""

    heartbeat_seconds: float

    def heartbeat(self, load: Load) -> Order:
        """Renews the lease; the answer says how to go on."""
        ...


class Pulse:
    """A thread that renews the lease and hands on the answer."""

    def __init__(
        self,
        link: Heart,
        halt: Halt,
        load: Callable[[], Load],
        orders: Orders,
        say: Callable[[str], None],
        patience_seconds: float,
    ) -> None:
        """Starts the thread.

        Args:
            link: The coordinator.
            halt: Raised when the job is cancelled, or when this attempt is stale.
            load: Returns what the slots do.
            orders: Told how to go on.
            say: Told of what goes wrong.
            patience_seconds: How long nothing but errors is put up with.
        """
        self._link = link
        self._halt = halt
        self._load = load
        self._orders = orders
        self._say = say
        self._patience = patience_seconds
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pulse", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Ends the thread."""
        self._closed.set()
        self._thread.join(timeout=5.0)

    def _run(self) -> None:
        try:
            heard = time.monotonic()
            while True:  # in a job that is cancelled, too, until its slots are free
                try:
                    self._beat()
                    heard = time.monotonic()
                except TunerError as error:
                    passes = error.status in _PASSING and not is_stale(error)
                    if not passes or time.monotonic() - heard > self._patience:
                        self._halt.fail(error)
                        return
                    self._say(f"a heartbeat failed: {error}")
                if self._closed.wait(self._link.heartbeat_seconds):
                    return
        finally:
            self._orders.release()

    def _beat(self) -> None:
        order = self._link.heartbeat(self._load())
        if order.directive == pb.DIRECTIVE_CANCEL:
            self._halt.cancel(order.reason or "the job was cancelled")
        else:
            self._orders.take(order)
