"""Every learner of the registry is proved, on every axis that it has."""

from __future__ import annotations

import pytest
import test_conformance_classical
import test_conformance_dense
import test_conformance_features
import test_conformance_known
import test_conformance_nets
import test_conformance_trees
from registered import Registered

from tuner import catalog
from tuner.learners import registry

MODULES = (
    test_conformance_classical,
    test_conformance_dense,
    test_conformance_features,
    test_conformance_known,
    test_conformance_nets,
    test_conformance_trees,
)

SUITES = [
    suite
    for module in MODULES
    for suite in vars(module).values()
    if isinstance(suite, type) and issubclass(suite, Registered) and suite is not Registered
]


def quick(suite: type[Registered]) -> bool:
    """Tells whether `make test` runs it; `make test-slow` runs the others."""
    marks = [mark for base in suite.__mro__ for mark in vars(base).get("pytestmark", [])]
    return "slow" not in [mark.name for mark in marks]


def test_every_axis_of_every_learner_is_proved_here() -> None:
    proved = {(suite.entry.name, suite.axis) for suite in SUITES}
    known = {(name, a.name) for name, learner in catalog.LEARNERS.items() for a in learner.axes}
    known |= {(name, "") for name, known in catalog.LEARNERS.items() if not known.usual_axis}
    assert proved == known
    assert set(registry.names()) == set(catalog.LEARNERS)


def test_every_learner_is_proved_every_time_on_its_usual_axis_and_each_of_its_tasks() -> None:
    always = [suite for suite in SUITES if quick(suite)]
    proved = {(suite.entry.name, suite.axis) for suite in always}
    assert {(name, known.usual_axis) for name, known in catalog.LEARNERS.items()} <= proved
    tasks = {(suite.entry.name, suite().make_fold(0).task) for suite in always}
    assert tasks == {(n, task) for n, known in catalog.LEARNERS.items() for task in known.tasks}
    assert len(always) < len(SUITES)


def test_an_unknown_learner_is_named() -> None:
    with pytest.raises(KeyError, match="no learner 'oracle'; there are perceptron"):
        registry.get("oracle")
