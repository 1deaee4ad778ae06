"""The driver's log: the climb in plain lines."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TextIO

from tuner.record import Measurement, Outcome, PacketOutcome, PlanStep
from tuner.trials.work import Report


class Narrator:
    """Writes a line a decision, and one for everything that went wrong."""

    def __init__(self, metrics: Mapping[str, str], out: TextIO | None = None) -> None:
        """Makes the narrator.

        Args:
            metrics: By search, the metric that it is judged on.
            out: Where to write; standard output unless given.
        """
        self._metrics = metrics
        self._out = out or sys.stdout

    def say(self, text: str) -> None:
        """Writes a line with the time."""
        print(f"{datetime.now():%H:%M:%S} {text}", file=self._out, flush=True)

    def step(self, step: PlanStep) -> None:
        """Tells a decision: what was seen, and what is done."""
        self.say(f"{step.search} #{step.number} {step.decision}")

    def report(self, report: Report, measurements: Sequence[Measurement]) -> None:
        """Tells what went wrong in a try at a packet; what went well is told by the decisions."""
        packet = report.task.packet.id
        if report.outcome is not PacketOutcome.COMPLETED:
            self.say(f"{packet} was lost (try {report.task.attempt}): {report.error}")
        for m in measurements:
            if m.outcome is not Outcome.COMPLETED:
                self.say(f"{packet} level {m.level} replicate {m.replicate}: {m.outcome} {m.error}")
