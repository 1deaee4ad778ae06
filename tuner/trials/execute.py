"""Runs a packet: from a task and the job's data to a report."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from tuner import catalog, predictions, scoring
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
from tuner.trials.borne import Borne
from tuner.trials.clock import PausingClock
from tuner.trials.scores import score
from tuner.trials.stress import Stresses
from tuner.trials.work import Report, SlotConfig, Task

ERROR_LENGTH = 2000
"""Most characters of a failure's text that are recorded."""

KEPT_BYTES = 64 << 20
"""Predictions of a member that are larger, once encoded, are not kept: its scores are."""

_NOTHING = Borne()


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
    borne: dict[Member, Borne] = {}
    folds: dict[int, Fold] = {}
    broken, clock = "", PausingClock()
    try:
        folds = {replicate: fold_of(replicate) for replicate in packet.replicates}
        learner = learner or registry.get(task.learner)
        stresses = Stresses(task, slot, learner, device)
        end = clock() + slot.packet_timeout_seconds
        for result in samples.evaluate(
            learner,
            task.axis,
            packet.settings,
            packet.levels,
            list(folds.values()),
            Device(device, slot.threads, end, clock, models=stresses.needs_models),
        ):
            member = result.member
            completed = result.outcome is Outcome.COMPLETED
            if completed and member.replicate in folds and stresses.asks_of(member):
                with clock.paused():
                    whole = folds[member.replicate]
                    fold = _trained_on(whole, task, member)
                    borne[member] = stresses.of_model(result, fold, whole)
            results[member] = replace(result, model=None)
        # Where no clean fit came to an end, none on a spoilt set would say anything.
        done = any(result.outcome is Outcome.COMPLETED for result in results.values())
        for member, spoilt in stresses.of_training(list(folds.values())) if done else ():
            borne[member] = borne.get(member, Borne()).and_(spoilt)
    except Exception as error:  # noqa: BLE001 - whatever a learner raises is recorded, below
        broken = f"{type(error).__name__}: {error}"
    members = list(packet.members())
    billed = (time.monotonic() - start) * slot.device_share
    bearing = {member: borne.get(member, Borne()) for member in members}
    # What a member bore is its own; all else, the training, is every member's alike.
    alike = (billed - sum(one.device_seconds for one in bearing.values())) / len(members)
    rows = [
        measurement_of(
            task,
            member,
            results.get(member)
            or Result(member, Outcome.CRASHED, error=broken or "the learner gave no result"),
            _trained_on(folds[member.replicate], task, member)
            if member.replicate in folds
            else None,
            slot,
            max(alike, 0.0) + bearing[member].device_seconds,
            bearing[member],
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


def _trained_on(fold: Fold, task: Task, member: Member) -> Fold:
    """Returns what the member was trained on, of which its train scores are."""
    if task.axis != catalog.SAMPLES.name:
        return fold
    return samples.first_examples(fold, member.level)


def measurement_of(
    task: Task,
    member: Member,
    result: Result,
    fold: Fold | None,
    slot: SlotConfig,
    billed: float,
    borne: Borne = _NOTHING,
) -> Measurement:
    """Returns the row of a member: its result, scored.

    Args:
        task: The packet that it is of.
        member: The member.
        result: What came of it.
        fold: What it was trained and scored on; None where it couldn't be made.
        slot: What the slot reserves.
        billed: What was spent on it, in device-seconds.
        borne: What came of it under conditions.
    """
    outcome, error = result.outcome, result.error
    scores: dict[str, float] = {}
    train_scores: dict[str, float] = {}
    if outcome is Outcome.COMPLETED and fold is not None:
        try:
            scores = dict(result.scores)
            if result.predictions is not None:
                found = score(result.predictions, fold.y_score, fold.classes, slot.metrics)
                scores = {**found, **scores}
            if result.train_predictions is not None:
                known = fold.y[: len(result.train_predictions)]
                train_scores = score(result.train_predictions, known, fold.classes, slot.metrics)
            scores |= borne.scores
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
        stresses=borne.stresses,
        footprint=borne.footprint,
    )
