"""Runs a packet: from a task and the job's data to a report."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

import numpy as np

from tuner import catalog, own_code, predictions, scoring
from tuner.datasets.base import Fold
from tuner.datasets.splits import Splits
from tuner.learners import registry, samples
from tuner.learners.base import Device, Learner, Result
from tuner.record import (
    Measurement,
    Member,
    Outcome,
    PacketOutcome,
    Phase,
    measurement_id,
)
from tuner.trials.work import Report, SlotConfig, Task

ERROR_LENGTH = 2000
"""Most characters of a failure's text that are recorded."""

SUMS_TO_ONE = 1e-3
"""How far the sum of a row of probabilities may be from 1."""

KEPT_BYTES = 64 << 20
"""Predictions of a member that are larger, once encoded, are not kept: its scores are."""


def execute(
    task: Task,
    splits: Splits,
    slot: SlotConfig,
    device: str,
    device_type: str,
    node: str,
    learner: Learner | None = None,
) -> Report:
    """Runs a packet and returns a row for every member, in the packet's order.

    A member whose learner yields no result, or whose learner itself breaks, is
    CRASHED: nothing is silently dropped.

    Args:
        task: The packet.
        splits: The job's splits.
        slot: What the slot may use.
        device: torch's name of the device.
        device_type: Its type, for the bill.
        node: The node's id, for the record.
        learner: The learner, where it is more than its name says: it starts from a kept model.
    """
    packet = task.packet
    fold_of: Callable[[int], Fold] = (
        splits.tuning if packet.phase is Phase.TUNING else splits.measuring
    )
    start_time, start = datetime.now(UTC), time.monotonic()
    results: dict[Member, Result] = {}
    folds: dict[int, Fold] = {}
    broken = ""
    try:
        folds = {replicate: fold_of(replicate) for replicate in packet.replicates}
        for result in samples.evaluate(
            learner or registry.get(task.learner),
            task.axis,
            packet.settings,
            packet.levels,
            list(folds.values()),
            Device(device, slot.threads, start + slot.packet_timeout_seconds),
        ):
            results[result.member] = result
    except Exception as error:  # noqa: BLE001 - whatever a learner raises is recorded, below
        broken = f"{type(error).__name__}: {error}"
    members = list(packet.members())
    billed = (time.monotonic() - start) * slot.device_share
    rows = [
        measurement_of(
            task,
            member,
            results.get(member)
            or Result(member, Outcome.CRASHED, error=broken or "the learner gave no result"),
            _trained_on(folds.get(member.replicate), task, member),
            slot,
            billed / len(members),
        )
        for member in members
    ]
    return Report(
        task=task,
        measurements=tuple(rows),
        node=node,
        device_type=device_type,
        start_time=start_time,
        end_time=datetime.now(UTC),
        billed_device_seconds=billed,
        outcome=PacketOutcome.COMPLETED,
        predictions=_kept(rows, results) if slot.predictions else {},
    )


def _kept(rows: Sequence[Measurement], results: Mapping[Member, Result]) -> dict[str, bytes]:
    """Returns what was predicted of the test by those that completed, by their ids."""
    kept = {}
    for row in rows:
        result = results.get(Member(row.setting, row.level, row.replicate))
        if row.phase is Phase.TUNING or row.outcome is not Outcome.COMPLETED or result is None:
            continue
        if result.predictions is not None:
            data = predictions.encode(result.predictions)
            if len(data) <= KEPT_BYTES:
                kept[row.id] = data
    return kept


def _trained_on(fold: Fold | None, task: Task, member: Member) -> Fold | None:
    """Returns what the member was trained on, of which its train scores are."""
    if fold is None or task.axis != catalog.SAMPLES.name:
        return fold
    return samples.first_examples(fold, member.level)


def _scores(
    predictions: scoring.Predictions, y: scoring.Truth, fold: Fold, slot: SlotConfig
) -> dict[str, float]:
    """Returns the scores. Raises ValueError where a prediction hasn't the fold's shape."""
    wanted = (len(y), fold.classes) if fold.classes else (len(y),)
    if np.shape(predictions) != wanted:
        raise ValueError(
            f"the predictions have the shape {np.shape(predictions)}; {wanted} is needed: a row an "
            "example, with a probability a class or one value"
        )
    # What is no number has diverged, which scoring says.
    finite = bool(np.isfinite(predictions).all())
    if (
        fold.classes
        and finite
        and (np.min(predictions) < 0 or np.abs(np.sum(predictions, axis=1) - 1).max() > SUMS_TO_ONE)
    ):
        raise ValueError("the predictions are no probabilities: a row must sum to 1, none below 0")
    return scoring.scores(predictions, y, _own(slot))


def _own(slot: SlotConfig) -> dict[str, scoring.Scorer]:
    """Returns the user's own metrics, which their modules keep once imported."""
    return {name: own_code.load(name) for name in slot.metrics}


def measurement_of(
    task: Task, member: Member, result: Result, fold: Fold | None, slot: SlotConfig, billed: float
) -> Measurement:
    """Returns the row of a member: its result, scored.

    Args:
        task: The packet that it is of.
        member: The member.
        result: What came of it.
        fold: What it was trained and scored on; None where it couldn't be made.
        slot: What the slot reserves.
        billed: What was spent on it, in device-seconds.
    """
    outcome, error = result.outcome, result.error
    scores: dict[str, float] = {}
    train_scores: dict[str, float] = {}
    if outcome is Outcome.COMPLETED and fold is not None:
        try:
            scores = dict(result.scores)
            if result.predictions is not None:
                found = _scores(result.predictions, fold.y_score, fold, slot)
                scores = {**found, **scores}
            if result.train_predictions is not None:
                known = fold.y[: len(result.train_predictions)]
                train_scores = _scores(result.train_predictions, known, fold, slot)
        except scoring.DivergedError as diverged:
            outcome, error, scores, train_scores = Outcome.DIVERGED, str(diverged), {}, {}
        except ValueError as wrong:
            outcome, error, scores, train_scores = Outcome.CRASHED, str(wrong), {}, {}
    packet = task.packet
    return Measurement(
        id=measurement_id(
            task.job, task.search, packet.phase, member.level, member.setting, member.replicate
        ),
        search=task.search,
        phase=packet.phase,
        level=member.level,
        setting=member.setting,
        replicate=member.replicate,
        outcome=outcome,
        scores=scores,
        train_scores=train_scores,
        parameters=result.parameters,
        standalone_device_seconds=result.standalone_seconds * slot.device_share,
        billed_device_seconds=billed,
        error=error[:ERROR_LENGTH],
        packet=packet.id,
        packet_attempt=task.attempt,
    )
