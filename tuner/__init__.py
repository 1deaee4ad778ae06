"""Tuner: how much capacity is enough, and what the next bit of it costs."""

from tuner.client import Client, Job, Result
from tuner.errors import Status, TunerError, Violation
from tuner.spec import (
    Budget,
    Dataset,
    JobSpec,
    Measuring,
    Resources,
    Search,
    Split,
    Tuning,
    read_jobs,
)

__version__ = "0.1.0"

__all__ = [
    "Budget",
    "Client",
    "Dataset",
    "Job",
    "JobSpec",
    "Measuring",
    "Resources",
    "Result",
    "Search",
    "Split",
    "Status",
    "TunerError",
    "Tuning",
    "Violation",
    "read_jobs",
]
