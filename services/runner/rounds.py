"""What is looked after all the while a job runs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

ROUND_SECONDS = 1.0
"""How often."""


class Rounds:
    """A thread that sees to its duties again and again."""

    def __init__(
        self, duties: Sequence[Callable[[], object]], on_error: Callable[[Exception], None]
    ) -> None:
        """Starts the thread.

        Args:
            duties: Called one after the other, about once a second.
            on_error: Called once with what one of them failed with; none is called again.
        """
        self._duties = duties
        self._on_error = on_error
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="rounds", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Ends the thread."""
        self._closed.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._closed.wait(ROUND_SECONDS):
            try:
                for duty in self._duties:
                    duty()
            except Exception as error:  # noqa: BLE001 - ends the attempt, with its reason
                self._on_error(error)
                return
