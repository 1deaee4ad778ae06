"""The client's double of the coordinator lends its canned curves."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "client"))

from coordinator_double import make_comparison, make_curves, make_spec

from tuner.client import JobState, JobStatus, Result


@pytest.fixture
def result():
    job = JobStatus(
        "namespaces/default/jobs/digits-1",
        make_spec(),
        JobState.SUCCEEDED,
        "all searches concluded",
        billed_device_seconds=146.0,
    )
    return Result(job, {curve.search: curve for curve in make_curves()}, make_comparison())
