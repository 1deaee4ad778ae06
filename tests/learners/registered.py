"""The conformance suite for a learner of the registry."""

from __future__ import annotations

from pathlib import Path

from tuner.learners import registry, samples, saved
from tuner.learners.base import Device, Learner
from tuner.testing import LearnerConformance


class Registered(LearnerConformance):
    def make_learner(self) -> Learner:
        return registry.get(self.entry.name)

    def test_it_hands_on_its_models_where_they_are_asked_for(self) -> None:
        if not self.keeps:
            return
        packet = ([self.setting()], self.levels, [self.make_fold(0)])
        for result in samples.evaluate(
            self.make_learner(), self.axis, *packet, Device(models=True)
        ):
            assert result.model is not None

    def test_its_model_is_found_by_its_kind(self, tmp_path: Path) -> None:
        if not self.keeps:
            return
        setting = dict(self.setting())
        if self.axis in self.entry.hyperparameters:
            setting[self.axis] = self.levels[0]
        model = self.make_learner().train(setting, self.make_fold(0), Device())
        saved.save(model, tmp_path, {})
        assert type(saved.load(tmp_path)) is type(model)
