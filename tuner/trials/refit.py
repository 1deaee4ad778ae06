"""Fits a chosen model once more, on all the training data, to be kept."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tuner.datasets.splits import Splits
from tuner.learners import registry, saved
from tuner.learners.base import Device, Learner, Model, Result
from tuner.learners.fits import TRAIN_SCORED, describe, outcome_of
from tuner.record import Member, Outcome, PacketOutcome
from tuner.trials.execute import measurement_of
from tuner.trials.work import Report, SlotConfig, Task


@dataclass(frozen=True)
class Kept:
    """What came of it.

    Attributes:
        report: How the fit went: one measurement, on the test.
        files: The model's files by their names; empty where there is none.
    """

    report: Report
    files: Mapping[str, bytes]


def refit(
    task: Task,
    splits: Splits,
    slot: SlotConfig,
    device: str,
    device_type: str,
    node: str,
    trained_on: Sequence[str] = (),
    learner: Learner | None = None,
) -> Kept:
    """Fits the task's one member on everything outside the test, and scores it on the test.

    Args:
        task: A packet of one setting, one level and one replicate.
        splits: The job's splits.
        slot: What may be used.
        device: torch's name of the device.
        device_type: Its type, for the bill.
        node: The node's id, for the record.
        trained_on: The SHA-256 of all data that goes into the model, to be told with it.
        learner: The learner, where it is more than its name says: it starts from a kept model.
    """
    [member] = task.packet.members()
    start_time, start = datetime.now(UTC), time.monotonic()
    where = Device(device, slot.threads, start + slot.packet_timeout_seconds)
    fold = splits.whole()
    files: dict[str, bytes] = {}
    try:
        learner = learner or registry.get(task.learner)
        model = learner.train(task.full_setting(member), fold, where)
        seconds = time.monotonic() - start
        result = Result(
            member,
            Outcome.COMPLETED,
            model.predict(fold.x_score),
            model.predict(fold.x[:TRAIN_SCORED]),
            model.parameters,
            seconds,
        )
        files = _saved(model, task, member, splits, trained_on)
    except Exception as error:  # noqa: BLE001 - whatever a fit raises is recorded
        seconds = time.monotonic() - start
        result = Result(
            member, outcome_of(error), standalone_seconds=seconds, error=describe(error)
        )
    billed = (time.monotonic() - start) * slot.device_share
    report = Report(
        task=task,
        measurements=(measurement_of(task, member, result, fold, slot, billed),),
        node=node,
        device_type=device_type,
        start_time=start_time,
        end_time=datetime.now(UTC),
        billed_device_seconds=billed,
        outcome=PacketOutcome.COMPLETED,
    )
    return Kept(report, files)


def _saved(
    model: Model, task: Task, member: Member, splits: Splits, trained_on: Sequence[str]
) -> dict[str, bytes]:
    about = {
        "learner": task.learner,
        "axis": task.axis,
        "level": member.level,
        "hyperparameters": dict(member.setting),
        "data": splits.inputs(),
        saved.TRAINED_ON: list(trained_on),
    }
    with tempfile.TemporaryDirectory(prefix="tuner-model-") as name:
        folder = Path(name) / "model"
        saved.save(model, folder, about)
        return {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }
