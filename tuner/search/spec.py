"""What a policy reads of a job spec, so that anything that has it can be searched."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from tuner import catalog
from tuner.catalog import Hyperparameter
from tuner.curve import Question
from tuner.record import Setting
from tuner.spec import Budget, Fixed, Measuring, Resources, Tuning


class Space(Protocol):
    """What a policy reads of a search in a spec."""

    @property
    def known(self) -> catalog.Learner | None:
        """What is known of the learner; None where there is none, as in a table of results."""
        ...

    @property
    def levels(self) -> tuple[int, ...]:
        """The ladder, rising."""
        ...

    def ranges(self, level: float | None = None) -> Mapping[str, Fixed | Hyperparameter]:
        """Returns what every hyperparameter but the axis may be, at a level or anywhere."""
        ...

    def carried(self, setting: Setting, from_level: float, to_level: float) -> Setting:
        """Returns what a setting that won at one level suggests for another."""
        ...


class SearchSpec(Protocol):
    """What a policy reads of a spec. A `JobSpec` is one; a table of results brings its own.

    The catalog needn't know the learner: a simulation's hyperparameters are those
    of the table that it replays.
    """

    @property
    def seed(self) -> int:
        """Everything random follows from it."""
        ...

    @property
    def tuning(self) -> Tuning:
        """How the other hyperparameters are chosen at every level."""
        ...

    @property
    def measuring(self) -> Measuring:
        """How often the chosen candidate is measured."""
        ...

    @property
    def resources(self) -> Resources:
        """What a packet may hold."""
        ...

    @property
    def budget(self) -> Budget:
        """How many candidates may be tried; what is spent is nothing that a policy knows."""
        ...

    def question(self, key: str) -> Question:
        """Returns what the search of that key asks. Raises KeyError where there is none."""
        ...

    def search(self, key: str) -> Space:
        """Returns the search of that key. Raises KeyError where there is none."""
        ...


def is_nested(spec: SearchSpec, key: str) -> bool:
    """Tells whether one fit scores all levels of a search. Raises KeyError where there is none."""
    learner = spec.search(key).known
    axis = learner.axis(spec.question(key).axis) if learner else None
    return axis is not None and axis.nested
