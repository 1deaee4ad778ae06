"""What a policy reads of a job spec, so that anything that has it can be searched."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from tuner.catalog import Hyperparameter
from tuner.curve import Question
from tuner.spec import Fixed, Measuring, Tuning


class Space(Protocol):
    """What a policy reads of a search in a spec."""

    @property
    def levels(self) -> tuple[int, ...]:
        """The ladder, rising."""
        ...

    def ranges(self) -> Mapping[str, Fixed | Hyperparameter]:
        """Returns what every hyperparameter but the axis may be."""
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

    def question(self, key: str) -> Question:
        """Returns what the search of that key asks. Raises KeyError where there is none."""
        ...

    def search(self, key: str) -> Space:
        """Returns the search of that key. Raises KeyError where there is none."""
        ...
