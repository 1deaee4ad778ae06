"""A client of the coordinator: submit a job, watch it, read its results.

It needs neither Ray nor torch. Everything that goes wrong is a `TunerError`.
"""

from tuner.client.client import Client
from tuner.client.job import Job
from tuner.client.result import Result
from tuner.jobs import (
    ClusterStatus,
    Event,
    JobState,
    JobStateChanged,
    JobStatus,
    Node,
    RunnerStarted,
    SearchStateChanged,
    SearchStatus,
    Trial,
)

__all__ = [
    "Client",
    "ClusterStatus",
    "Event",
    "Job",
    "JobState",
    "JobStateChanged",
    "JobStatus",
    "Node",
    "Result",
    "RunnerStarted",
    "SearchStateChanged",
    "SearchStatus",
    "Trial",
]
