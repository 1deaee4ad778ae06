"""What every learner must prove: see `tuner.learners.base.Learner` for what it promises."""

from __future__ import annotations

import gc
import time
import warnings
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np

from tuner import catalog, scoring
from tuner.catalog import Choice, Value
from tuner.datasets.base import Fold
from tuner.learners import samples, saved
from tuner.learners.base import Device, Differentiable, Learner, Result
from tuner.record import Member, Outcome, Setting, make_setting
from tuner.testing.data import tiny_images
from tuner.testing.probes import (
    ExpiringDevice,
    bits,
    check_predictions,
    check_same,
    draw_globally,
    global_state,
    traced_memory,
)

MEMORY_KEPT = 256 << 10
"""Bytes that a packet may leave behind: what libraries keep for the next time."""

TRAIN_SCORED = 2_000
"""Most training examples that are scored."""


class LearnerConformance(ABC):
    """Proves a learner on one of its axes. Subclass it under pytest; override what differs.

    Attributes:
        entry: The learner's entry in the catalog.
        axis: The axis; "" where there is none.
        levels: Two levels or more that are quick; (1,) where there is no axis.
        quick: Hyperparameters that keep a fit short, in place of the defaults.
        failing: Hyperparameters at which a fit fails, and its outcome.
        costs: Whether a fit at these hyperparameters takes any time.
        keeps: Whether there is a model to be kept.
        accelerated: Whether it trains on an accelerator where the device is one.
        looks: Looks at the deadline after which it is made to pass.
        tolerance: Largest difference that training in a batch may make to a
            prediction; 0, for the last bit, where the learner doesn't fuse.
    """

    entry: ClassVar[catalog.Learner]
    axis: ClassVar[str] = ""
    levels: ClassVar[tuple[int, ...]] = (1,)
    quick: ClassVar[Mapping[str, Value]] = {}
    failing: ClassVar[tuple[Mapping[str, Value], Outcome] | None] = None
    costs: ClassVar[bool] = True
    keeps: ClassVar[bool] = True
    accelerated: ClassVar[bool] = False
    looks: ClassVar[tuple[int, ...]] = (0, 1, 2, 3)
    tolerance: ClassVar[float] = 0.0

    @abstractmethod
    def make_learner(self) -> Learner:
        """Returns a new learner."""

    def make_fold(self, replicate: int) -> Fold:
        """Returns a replicate's data: by default small images of three classes."""
        return tiny_images(replicate)

    def setting(self, **changes: Value) -> Setting:
        """Returns the default hyperparameters without the axis, made quick, with changes."""
        known = self.entry.hyperparameters
        values = {name: _typed(h, h.default) for name, h in known.items()}
        values |= {**self.quick, **changes}
        return make_setting({n: v for n, v in values.items() if n != self.axis})

    def run(
        self,
        settings: Sequence[Setting] | None = None,
        levels: Sequence[int] | None = None,
        folds: Sequence[Fold] | None = None,
        device: Device | None = None,
    ) -> dict[Member, Result]:
        """Returns the results of a packet by their members, each there exactly once."""
        settings = settings or [self.setting()]
        levels = levels or self.levels
        folds = folds or [self.make_fold(0), self.make_fold(1)]
        learner, device = self.make_learner(), device or Device()
        found = list(samples.evaluate(learner, self.axis, settings, levels, folds, device))
        results = {result.member: result for result in found}
        promised = {Member(s, lv, f.replicate) for s in settings for lv in levels for f in folds}
        assert len(found) == len(results), "a member has two results"
        assert set(results) == promised, "results and members differ"
        return results

    def alone(self, member: Member) -> Result:
        """Returns what comes of a member that is all of its packet."""
        packet = ([member.setting], [member.level], [self.make_fold(member.replicate)])
        return self.run(*packet)[member]

    def test_the_catalog_describes_it(self) -> None:
        """Name, axis and what fuses are those of the catalog's entry."""
        learner = self.make_learner()
        assert learner.entry == self.entry
        assert set(getattr(learner, "fused", self.entry.fused)) == set(self.entry.fused)
        if self.axis:
            assert self.entry.axis(self.axis) is not None
        else:
            assert (self.entry.usual_axis, self.levels) == ("", (1,))
        assert self.make_fold(0).task in self.entry.tasks

    def test_it_takes_this_data(self) -> None:
        """It has nothing against the data that it is proved on."""
        fold = self.make_fold(0)
        assert self.make_learner().problem_with(fold.x, fold.classes) is None

    def test_the_defaults_complete_with_usable_results(self) -> None:
        """Probabilities sum to 1, values are finite, or the scores are all there."""
        for member, result in self.run().items():
            assert result.outcome is Outcome.COMPLETED, result.error
            assert not result.error
            fold = self.make_fold(member.replicate)
            metrics = {name for name, m in catalog.METRICS.items() if m.task == fold.task}
            if result.predictions is None:
                assert set(result.scores) == metrics
                continue
            check_predictions(result.predictions, len(fold.x_score), fold.classes)
            assert set(scoring.scores(result.predictions, fold.y_score)) == metrics
            assert result.train_predictions is not None
            size = member.level if self.axis == catalog.SAMPLES.name else len(fold.x)
            scored = min(TRAIN_SCORED, len(fold.x), size)
            check_predictions(result.train_predictions, scored, fold.classes)

    def test_a_model_that_is_kept_predicts_what_was_measured(self, tmp_path: Path) -> None:
        """Trained again, saved and read back, it gives the same bits."""
        if not self.keeps:
            return
        fold, device = self.make_fold(0), Device()
        member = Member(self.setting(), self.levels[-1], 0)
        measured = self.run([member.setting], [member.level], [fold])[member]
        setting = dict(member.setting)
        if self.axis == catalog.SAMPLES.name:
            fold = samples.first_examples(fold, member.level)
        elif self.axis:
            setting[self.axis] = member.level
        model = self.make_learner().train(setting, fold, device)
        assert model.parameters == measured.parameters
        saved.save(model, tmp_path / "model", {"learner": self.entry.name})
        for kept in (model, type(model).load(tmp_path / "model")):
            found = kept.predict(fold.x_score)
            assert measured.predictions is not None
            assert found.tobytes() == measured.predictions.tobytes()
        assert not [p for p in (tmp_path / "model").rglob("*") if p.suffix in (".pkl", ".pickle")]

    def test_what_a_result_hands_on_is_the_model_that_predicted(self) -> None:
        """Asked before the next result is taken, it gives that result's bits."""
        packet = ([self.setting()], self.levels, [self.make_fold(0), self.make_fold(1)])
        device = Device(models=True)
        for result in samples.evaluate(self.make_learner(), self.axis, *packet, device):
            if result.model is None:
                continue
            assert result.predictions is not None
            found = result.model.predict(self.make_fold(result.member.replicate).x_score)
            # What trained in a batch may answer in another order of sums.
            np.testing.assert_allclose(found, result.predictions, rtol=0, atol=self.tolerance)
            assert isinstance(result.model, Differentiable) == self.entry.gradients

    def test_the_catalogs_ranges_are_taken(self) -> None:
        """At every choice, and at both ends of what is tuned, a fit completes or diverges."""
        settings = []
        for name, known in self.entry.hyperparameters.items():
            if name == self.axis:
                continue
            if isinstance(known, Choice):
                settings += [self.setting(**{name: value}) for value in known.values]
            elif known.tuned:
                ends = (known.low, known.high)
                settings += [self.setting(**{name: _typed(known, end)}) for end in ends]
        results = self.run(list(dict.fromkeys(settings)), self.levels[:1], [self.make_fold(0)])
        for member, result in results.items():
            allowed = (Outcome.COMPLETED, Outcome.DIVERGED)
            assert result.outcome in allowed, f"{member.setting}: {result.error}"

    def test_costs_are_reported(self) -> None:
        """Every result says its parameters and seconds; nested levels cumulate."""
        results = self.run(folds=[self.make_fold(0)])
        ordered = [results[Member(self.setting(), level, 0)] for level in self.levels]
        for result in ordered:
            assert result.parameters > 0
            assert result.standalone_seconds > 0 or not self.costs
        described = self.entry.axis(self.axis)
        if described is not None and described.nested:
            seconds = [result.standalone_seconds for result in ordered]
            assert seconds == sorted(seconds)

    def test_the_same_packet_gives_the_same_bits(self) -> None:
        """Nothing random follows from anything but the fold's seed."""
        assert bits(self.run()) == bits(self.run())

    def test_a_member_is_the_same_alone_as_in_its_packet(self) -> None:
        """Results follow from the member alone: nested levels, packed or reordered ones too."""
        settings = [self.setting(), self.setting(**self._another())]
        folds = [self.make_fold(replicate) for replicate in (2, 0, 1)]
        together = self.run(settings, folds=folds)
        reordered = self.run(settings[::-1], folds=folds[::-1])
        for member, result in together.items():
            check_same(reordered[member], result, self.tolerance)
            check_same(self.alone(member), result, self.tolerance)

    def test_what_fuses_trains_as_each_member_would_alone(self) -> None:
        """One batch of all that fuses, ranges' ends included, gives what fits one by one give."""
        assert (self.tolerance > 0) == bool(self.entry.fused), "tolerance is for what fuses"
        assert self.axis not in self.entry.fused
        settings = [self.setting()]
        for name in self.entry.fused:
            known = self.entry.hyperparameters[name]
            assert isinstance(known, catalog.Number), f"{name} is no number"
            ends = (known.low, known.high)
            settings += [self.setting(**{name: _typed(known, end)}) for end in ends]
        settings = list(dict.fromkeys(settings)) if self.entry.fused else []
        for member, result in (self.run(settings) if settings else {}).items():
            check_same(result, self.alone(member), self.tolerance)
            assert result.standalone_seconds > 0 or not self.costs

    def test_what_shares_a_packet_with_no_other_of_its_shape_is_as_alone(self) -> None:
        """One setting on one replicate at several levels: the bits of fits one by one."""
        for member, result in self.run(folds=[self.make_fold(0)]).items():
            check_same(result, self.alone(member), 0)

    def test_a_failure_stays_with_its_member(self) -> None:
        """A setting that fails has its outcome and the reason; its neighbours have results."""
        if self.failing is None:
            return
        changes, outcome = self.failing
        bad, good = self.setting(**changes), self.setting()
        results = self.run([bad, good])
        alone = self.run([good])
        for member, result in results.items():
            if member.setting == bad:
                assert result.outcome is outcome, result.error
                assert result.error
                assert result.predictions is None
                assert result.train_predictions is None
            else:
                check_same(result, alone[member], self.tolerance)

    def test_broken_data_crashes_its_replicate_alone(self) -> None:
        """Data that no learner can take is that replicate's outcome, and the packet goes on."""
        fold = self.make_fold(0)
        broken = replace(fold, replicate=9, x=fold.x[:0], y=fold.y[:0])
        results = self.run(folds=[broken, fold])
        alone = self.run(folds=[fold])
        for member, result in results.items():
            if member.replicate == 0:
                check_same(result, alone[member], self.tolerance)
            elif result.outcome is not Outcome.COMPLETED:
                assert result.error

    def test_a_passed_deadline_ends_it_at_once(self) -> None:
        """After its deadline it trains nothing and says TIMED_OUT of every member."""
        device = Device(deadline=time.monotonic() - 1)
        for result in self.run(device=device).values():
            assert result.outcome is Outcome.TIMED_OUT
            assert result.error

    def test_what_was_done_before_the_deadline_counts(self) -> None:
        """Wherever the deadline falls, results before it are whole and the others TIMED_OUT."""
        undisturbed = self.run()
        for looks in self.looks:
            for member, result in self.run(device=ExpiringDevice(looks=looks)).items():
                if result.outcome is Outcome.COMPLETED:
                    check_same(result, undisturbed[member], self.tolerance)
                else:
                    assert result.outcome is Outcome.TIMED_OUT, result.error

    def test_global_state_is_left_alone(self) -> None:
        """Random states and thread counts are untouched, even between two results."""
        self.run()  # imports first
        draw_globally()  # so that a learner which sets a seed doesn't find it set already
        before = global_state()
        packet = ([self.setting()], self.levels, [self.make_fold(0)], Device(threads=3))
        results = samples.evaluate(self.make_learner(), self.axis, *packet)
        for _ in results:
            assert global_state() == before

    def test_memory_is_returned(self) -> None:
        """What a packet took is free again after it: arrays, tensors, whatever Python counts."""
        small = ([self.setting()], self.levels[:1], [self.make_fold(0)])
        self.run(*small)  # imports, and what is loaded once
        with traced_memory() as held:
            self.run(*small)
            before = held()
            self.run(*small)
            assert held() - before < MEMORY_KEPT

    def test_an_accelerator_does_as_the_processor(self) -> None:
        """On a GPU, where there is one and the learner uses it, the same packet completes."""
        import pytest

        if not self.accelerated:
            pytest.skip(f"{self.entry.name} uses no accelerator")
        torch = pytest.importorskip("torch")
        if not torch.cuda.is_available():
            pytest.skip("this machine has no accelerator")
        fold = self.make_fold(0)
        self.run(folds=[fold], device=Device("cuda"))
        gc.collect()  # what networks before this one left in cycles
        before = torch.cuda.memory_allocated()
        for result in self.run(folds=[fold], device=Device("cuda")).values():
            assert result.outcome is Outcome.COMPLETED, result.error
            assert result.predictions is not None
            check_predictions(result.predictions, len(fold.x_score), fold.classes)
        del result  # the last one may hand on its model
        gc.collect()
        assert torch.cuda.memory_allocated() == before, "the device's memory isn't returned"

    def test_nothing_is_warned_of(self) -> None:
        """Read-only data, as Ray hands it out, and small folds raise no warnings."""
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            for result in self.run().values():
                assert result.outcome is Outcome.COMPLETED, result.error

    def _another(self) -> Mapping[str, Value]:
        """Returns a change to some hyperparameter, so that two settings share a packet."""
        for name, known in self.entry.hyperparameters.items():
            if name == self.axis:
                continue
            if isinstance(known, Choice):
                return {name: next(value for value in known.values if value != known.default)}
            if known.tuned:
                return {name: _typed(known, known.low)}
        return {}


def _typed(known: catalog.Hyperparameter, value: Value) -> Value:
    """Returns the value in the hyperparameter's own type."""
    if isinstance(known, Choice):
        return value
    return int(value) if known.integer else float(value)
