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

SUITES = (
    test_conformance_classical,
    test_conformance_dense,
    test_conformance_features,
    test_conformance_known,
    test_conformance_nets,
    test_conformance_trees,
)


def test_every_axis_of_every_learner_is_proved_here() -> None:
    proved = {
        (suite.entry.name, suite.axis)
        for module in SUITES
        for suite in vars(module).values()
        if isinstance(suite, type) and issubclass(suite, Registered) and suite is not Registered
    }
    known = {(name, a.name) for name, learner in catalog.LEARNERS.items() for a in learner.axes}
    known |= {(name, "") for name, known in catalog.LEARNERS.items() if not known.usual_axis}
    assert proved == known
    assert set(registry.names()) == set(catalog.LEARNERS)


def test_an_unknown_learner_is_named() -> None:
    with pytest.raises(KeyError, match="no learner 'oracle'; there are perceptron"):
        registry.get("oracle")
