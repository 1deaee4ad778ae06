"""The runner's heartbeat, and the one flag that tells it to end."""

from __future__ import annotations

import threading
from collections.abc import Callable

from services.runner.link import CoordinatorLink, is_stale
from tuner.errors import TunerError
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


class Pulse:
    """A thread that renews the lease and obeys the answer."""

    def __init__(
        self,
        link: CoordinatorLink,
        halt: Halt,
        load: Callable[[], tuple[int, int]],
        on_share: Callable[[int], None],
    ) -> None:
        """Starts the thread.

        Args:
            link: The coordinator.
            halt: Raised on a directive to end, or when this attempt is stale.
            load: Returns slots busy and packets waiting.
            on_share: Called with a new share of slots.
        """
        self._link = link
        self._halt = halt
        self._load = load
        self._on_share = on_share
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pulse", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Ends the thread."""
        self._closed.set()
        self._thread.join(timeout=5.0)

    def _run(self) -> None:
        while True:
            try:
                order = self._link.heartbeat(*self._load())
            except TunerError as error:
                self._halt.fail(error)
                return
            if order.directive in (pb.DIRECTIVE_CANCEL, pb.DIRECTIVE_STOP, pb.DIRECTIVE_PAUSE):
                self._halt.cancel("the job was cancelled")
            elif order.directive == pb.DIRECTIVE_SHARE:
                self._on_share(order.slots)
            if self._closed.wait(self._link.heartbeat_seconds):
                return
