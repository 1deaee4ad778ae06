"""What can be asked for: learners, their axes and hyperparameters, sources, metrics and so on.

Pure data. It imports nothing of ours, so that a client can judge a job without
having anything that could run it. The learners' conformance suite proves that
their code agrees with what stands here.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TypeVar

from tuner.catalog import classical, features, known, metrics, nets, sources, trees
from tuner.catalog.conditions import (
    CLEAN,
    PERTURBATIONS,
    Condition,
    canonical_metric,
    metric_named,
    split_metric,
    under,
)
from tuner.catalog.kinds import (
    SAMPLES,
    Axis,
    Choice,
    Hyperparameter,
    Inputs,
    Learner,
    Metric,
    Number,
    Option,
    Perturbation,
    Source,
    Task,
    Value,
)

_Named = TypeVar("_Named", Learner, Metric, Source)


def _by_name(*items: _Named) -> Mapping[str, _Named]:
    return MappingProxyType({item.name: item for item in items})


METRICS: Mapping[str, Metric] = _by_name(*metrics.ALL)

USUAL_METRIC: Mapping[Task, str] = MappingProxyType(metrics.USUAL)

SOURCES: Mapping[str, Source] = _by_name(*sources.ALL)

LEARNERS: Mapping[str, Learner] = _by_name(
    *classical.ALL, *trees.ALL, *nets.ALL, *features.ALL, *known.ALL
)

USUAL_BASELINE: Mapping[Task, str] = MappingProxyType(
    {"classification": "perceptron", "regression": "linear"}
)
"""The cheap learner that runs beside every job."""

__all__ = [
    "CLEAN",
    "LEARNERS",
    "METRICS",
    "PERTURBATIONS",
    "SAMPLES",
    "SOURCES",
    "USUAL_BASELINE",
    "USUAL_METRIC",
    "Axis",
    "Choice",
    "Condition",
    "Hyperparameter",
    "Inputs",
    "Learner",
    "Metric",
    "Number",
    "Option",
    "Perturbation",
    "Source",
    "Task",
    "Value",
    "canonical_metric",
    "metric_named",
    "split_metric",
    "under",
]
