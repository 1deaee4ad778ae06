"""What breaks a member's model: its scores under conditions, beside its clean ones."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from tuner.catalog import CLEAN, Condition, under
from tuner.datasets.base import Fold, Labels
from tuner.datasets.dividing import stratified_order
from tuner.learners import samples
from tuner.learners.base import Device, Learner, Model, Result
from tuner.learners.fits import describe, outcome_of
from tuner.record import FOOTPRINT, Member, Outcome, Packet, Phase, Stress, seed_of
from tuner.robustness import masking, registry
from tuner.robustness.base import Victim
from tuner.trials.borne import ERROR_LENGTH, Borne, failure, nothing_of
from tuner.trials.footprint import footprint
from tuner.trials.scores import score
from tuner.trials.work import Bearing, SlotConfig, Task

FOOTPRINTS = 3
"""Replicates of a level whose models are timed and weighed: to save a large one takes seconds."""


class Stresses:
    """The conditions of one packet.

    Each is measured on the same test examples, whatever the member, and every replicate of
    every learner meets the same draws. It has the packet's time anew for each member, and
    takes nothing of the learner's.
    """

    def __init__(self, task: Task, slot: SlotConfig, learner: Learner, device: str) -> None:
        """Takes the packet, what its slot may use, and its learner."""
        bearing = slot.bearings.get(task.search, Bearing())
        measured = task.packet.phase is Phase.MEASURING
        conditions = bearing.measured if measured else bearing.tuned
        self._inputs = [c for c in conditions if registry.disturbs_inputs(c.perturbation)]
        self._training = [c for c in conditions if not registry.disturbs_inputs(c.perturbation)]
        weighed = range(FOOTPRINTS) if bearing.footprint and measured else range(0)
        self._weighed = [replicate for replicate in task.packet.replicates if replicate in weighed]
        self._given_up = task.bare
        self._effort = bearing.effort
        self._task, self._slot, self._learner, self._device = task, slot, learner, device

    @property
    def needs_models(self) -> bool:
        """Whether results have to hand on their models."""
        return bool(self._inputs or self._weighed) and not self._given_up

    def asks_of(self, member: Member) -> bool:
        """Tells whether anything is asked of a member beside its clean scores."""
        return bool(self._inputs or self._training) or member.replicate in self._weighed

    def of_model(self, result: Result, fold: Fold, whole: Fold) -> Borne:
        """Returns what becomes of a completed result's model under what disturbs its inputs.

        Args:
            result: The result, not older than the next one of its learner.
            fold: What it was trained on, and is scored on.
            whole: The replicate's, of which that is the beginning on the axis `samples`:
                what strengths are told in, so that every level meets the same.
        """
        weighed = result.member.replicate in self._weighed
        if self._given_up:
            names = [condition.name for condition in (*self._inputs, *self._training)]
            return nothing_of([*names, *[FOOTPRINT] * weighed], self._given_up)
        try:
            return self._of_model(result, fold, whole, weighed)
        except Exception as error:  # noqa: BLE001 - a metric of the user's own may raise anything
            return self._failed(error, weighed)

    def _of_model(self, result: Result, fold: Fold, whole: Fold, weighed: bool) -> Borne:
        chosen = chosen_examples(fold, self._effort.examples)
        borne = self._clean(result, fold, chosen)
        if not (self._inputs or weighed):
            return borne
        start = time.monotonic()
        try:
            model = self._model(result, fold)
        except Exception as error:  # noqa: BLE001 - whatever a learner raises is recorded
            return borne.and_(self._failed(error, weighed)).later(self._seconds(start))
        # What it took to train it again is no part of the training's bill.
        again = self._seconds(start) if result.model is None else 0.0
        device = self._where()
        victim = Victim(model, fold.x_score[chosen], fold.y_score[chosen], whole)
        for condition in self._inputs:
            borne = borne.and_(self._disturbed(condition, victim, device))
        borne = _with_notes(borne, len(chosen))
        if weighed:
            borne = borne.and_(self._measured(model, fold))
        return borne.later(again)

    def _failed(self, error: Exception, weighed: bool) -> Borne:
        """Returns that nothing could be measured of a model, and why."""
        names = [condition.name for condition in self._inputs] + [FOOTPRINT] * weighed
        return Borne(stresses=tuple(failure(name, error) for name in names))

    def of_training(self, folds: Sequence[Fold]) -> Iterator[tuple[Member, Borne]]:
        """Yields, by member, what becomes of the packet where the training set is spoilt.

        Args:
            folds: What the packet is trained on, unspoilt.
        """
        packet = self._task.packet
        by_replicate = {fold.replicate: fold for fold in folds}
        for condition in () if self._given_up else self._training:
            start = time.monotonic()
            try:
                found = list(self._spoilt(condition, packet, folds))
            except Exception as error:  # noqa: BLE001 - whatever a learner raises is recorded
                found = [
                    Result(member, outcome_of(error), error=describe(error))
                    for member in packet.members()
                ]
            share = self._slot.device_share / max(len(found), 1)
            seconds = (time.monotonic() - start) * share
            for result in found:
                fold = by_replicate[result.member.replicate]
                yield result.member, self._scored(condition, result, fold, seconds)

    def _spoilt(
        self, condition: Condition, packet: Packet, folds: Sequence[Fold]
    ) -> Iterator[Result]:
        spoil = registry.spoil(condition.perturbation)

        def spoilt(fold: Fold) -> Fold:
            return spoil(fold, condition.strength, _seed(fold, condition))

        for result in samples.evaluate(
            self._learner,
            self._task.axis,
            packet.settings,
            packet.levels,
            folds,
            self._where(),
            spoilt,
        ):
            yield replace(result, model=None)

    def _where(self) -> Device:
        end = time.monotonic() + self._slot.packet_timeout_seconds
        return Device(self._device, self._slot.threads, end)

    def _model(self, result: Result, fold: Fold) -> Model:
        """Returns the model that was handed on, or trains it again where none was."""
        if result.model is not None:
            return result.model
        setting = self._task.full_setting(result.member)
        return self._learner.train(setting, fold, self._where())

    def _clean(self, result: Result, fold: Fold, chosen: npt.NDArray[np.int64]) -> Borne:
        if result.predictions is None:
            return Borne()
        return Borne(self._score(result.predictions[chosen], fold.y_score[chosen], CLEAN, fold))

    def _score(
        self,
        predictions: npt.NDArray[np.float64],
        y: Labels,
        condition: str,
        fold: Fold,
    ) -> dict[str, float]:
        found = score(predictions, y, fold.classes, self._slot.metrics)
        return {under(metric, condition): value for metric, value in found.items()}

    def _disturbed(self, condition: Condition, victim: Victim, device: Device) -> Borne:
        """Disturbs the inputs and asks the model about them."""

        def measure() -> tuple[dict[str, float], str]:
            disturb = registry.disturb(condition.perturbation)
            seed = _seed(victim.fold, condition)
            found = disturb(victim, condition.strength, self._effort, seed, device)
            predicted = victim.model.predict(found.x)
            y = np.concatenate([victim.y] * found.copies)
            return self._score(predicted, y, condition.name, victim.fold), found.note

        return self._timed(condition.name, len(victim.y), measure)

    def _scored(self, condition: Condition, result: Result, fold: Fold, seconds: float) -> Borne:
        """Scores what a learner predicted that was trained on a spoilt set."""
        if result.outcome is not Outcome.COMPLETED or result.predictions is None:
            error = result.error or "its learner predicts nothing that could be scored"
            outcome = result.outcome
            if outcome is Outcome.COMPLETED:
                outcome = Outcome.CRASHED
            stress = Stress(condition.name, outcome, 0, seconds, error[:ERROR_LENGTH])
            return Borne(stresses=(stress,))
        chosen = chosen_examples(fold, self._effort.examples)
        predicted = result.predictions

        def measure() -> tuple[dict[str, float], str]:
            return self._score(predicted[chosen], fold.y_score[chosen], condition.name, fold), ""

        borne = self._timed(condition.name, len(chosen), measure)
        [stress] = borne.stresses
        return replace(
            borne, stresses=(replace(stress, device_seconds=stress.device_seconds + seconds),)
        )

    def _timed(
        self, name: str, examples: int, measure: Callable[[], tuple[dict[str, float], str]]
    ) -> Borne:
        start = time.monotonic()
        try:
            scores, note = measure()
        except Exception as error:  # noqa: BLE001 - whatever breaks is this condition's outcome
            return Borne(stresses=(failure(name, error, self._seconds(start)),))
        stress = Stress(
            name, Outcome.COMPLETED, examples, self._seconds(start), note=note[:ERROR_LENGTH]
        )
        return Borne(scores, (stress,))

    def _measured(self, model: Model, fold: Fold) -> Borne:
        start = time.monotonic()
        try:
            found, unsaved = footprint(model, fold.x_score, self._slot.device_share)
        except Exception as error:  # noqa: BLE001 - a model of the user's own may raise anything
            return Borne(stresses=(failure(FOOTPRINT, error, self._seconds(start)),))
        failed = () if unsaved is None else (failure(FOOTPRINT, unsaved),)
        return Borne(stresses=failed, footprint=found)

    def _seconds(self, start: float) -> float:
        return (time.monotonic() - start) * self._slot.device_share


def chosen_examples(fold: Fold, most: int) -> npt.NDArray[np.int64]:
    """Returns the places of the test examples that conditions are measured on, rising.

    They follow from the test alone, so they are the same in every replicate.
    """
    if len(fold.y_score) <= most:
        return np.arange(len(fold.y_score), dtype=np.int64)
    order = stratified_order(fold.y_score, fold.classes, seed_of("examples of conditions"))
    return np.sort(order[:most])


def _seed(fold: Fold, condition: Condition) -> int:
    """Returns the seed of a perturbation's draws in a replicate, the same at every strength."""
    return seed_of(fold.seed, "condition", condition.perturbation)


def _with_notes(borne: Borne, examples: int) -> Borne:
    """Adds what attacks of one strength say about each other."""
    errors = {
        stress.condition: borne.scores[under("error", stress.condition)]
        for stress in borne.stresses
        if under("error", stress.condition) in borne.scores
        and Condition.parse(stress.condition).known.group == "attack"
    }
    found = masking.notes(errors, examples)
    stresses = tuple(
        replace(s, note=" ".join(filter(None, (s.note, found.get(s.condition, ""))))[:ERROR_LENGTH])
        for s in borne.stresses
    )
    return replace(borne, stresses=stresses)
