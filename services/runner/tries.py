"""Tries at packets: what is recorded of them."""

from __future__ import annotations

from dataclasses import replace

from tuner.record import PacketAttempt, PacketOutcome
from tuner.spec import Resources
from tuner.trials.work import Report, device_share

OVER = "the job's time was over before it was done"
"""Why a packet in flight was ended."""

UNWANTED = "the job ended before any step asked for it"
"""Why a packet that ran ahead was ended."""


def ended(report: Report, resources: Resources, why: str) -> Report:
    """Returns a try that was ended by its runner, for nobody waited for it.

    It had its slot until then, and is billed for it.
    """
    held = (report.end_time - report.start_time).total_seconds()
    billed = held * device_share(resources.cpus, resources.gpus)
    return replace(report, billed_device_seconds=billed, error=why, outcome=PacketOutcome.ENDED)


def attempt_of(report: Report, runner_attempt: int) -> PacketAttempt:
    """Returns what is recorded of a try."""
    return PacketAttempt(
        packet=report.task.packet.id,
        number=report.task.attempt,
        runner_attempt=runner_attempt,
        node=report.node,
        device_type=report.device_type,
        start_time=report.start_time,
        end_time=report.end_time,
        billed_device_seconds=report.billed_device_seconds,
        outcome=report.outcome,
        error=report.error,
    )
