"""What a job has spent, and whether its budget holds."""

from __future__ import annotations

import time

from tuner.spec import Budget


class Spending:
    """A job's bill and its time.

    Attributes:
        billed: Device-seconds spent so far.
    """

    def __init__(self, budget: Budget, elapsed_seconds: float, billed_device_seconds: float):
        """Takes what earlier attempts have spent.

        Args:
            budget: What may be spent.
            elapsed_seconds: How long the job's attempts have run.
            billed_device_seconds: Spent so far.
        """
        self._budget = budget
        self._start = time.monotonic() - elapsed_seconds
        self.billed = billed_device_seconds

    @property
    def over(self) -> bool:
        """Whether the job's time is over."""
        hours = self._budget.wall_clock_hours
        return hours is not None and time.monotonic() - self._start >= 3600 * hours

    @property
    def exhausted(self) -> str:
        """Why the job has to stop, or "" where its budget holds."""
        budget = self._budget
        if budget.device_hours is not None and self.billed >= 3600 * budget.device_hours:
            return f"the budget of {budget.device_hours:g} device-hours is spent"
        if self.over:
            return f"the budget of {budget.wall_clock_hours:g} hours is over"
        return ""
