"""The job spec and its parts: the one place where form is judged.

Client and coordinator judge by these same models, so YAML, JSON, Python and
the wire give the same spec or the same errors. What can only be known by
looking at the data is judged by the runner.
"""

from tuner.spec.dataset import BlobFile, Dataset
from tuner.spec.job import JobSpec
from tuner.spec.own import Code, KeptModel, Refit
from tuner.spec.parts import (
    Budget,
    Limits,
    Measuring,
    Notify,
    Resources,
    Robustness,
    Split,
    Tuning,
    Worth,
)
from tuner.spec.problems import spec_error
from tuner.spec.search import Search
from tuner.spec.space import Between, Choices, Fixed, Range
from tuner.spec.study import read_jobs

__all__ = [
    "Between",
    "BlobFile",
    "Budget",
    "Choices",
    "Code",
    "Dataset",
    "Fixed",
    "JobSpec",
    "KeptModel",
    "Limits",
    "Measuring",
    "Notify",
    "Range",
    "Refit",
    "Resources",
    "Robustness",
    "Search",
    "Split",
    "Tuning",
    "Worth",
    "read_jobs",
    "spec_error",
]
