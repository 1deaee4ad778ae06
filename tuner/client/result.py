"""What a job found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tuner.curve import Curve, LearnerComparison
from tuner.jobs import JobState, JobStatus
from tuner.report import to_dict


@dataclass(frozen=True)
class Result:
    """What a job found, or has found so far.

    Attributes:
        job: The job as the coordinator told it.
        curves: The returns curves by their searches' keys, the baseline's too.
        comparison: How its searches compare; None where no two can be compared.
        robustness: By condition, "clean" first and then as `JobSpec.all_conditions` has them,
            and by search, the curves under it: of each search's own metric, but of the same
            test examples under all. Only searches that are measured under a condition are
            there; empty where the job has none.
        comparisons_under: By condition, "clean" among them, how the searches compare under
            it on what the job is judged on. Only conditions under which two can be.
    """

    job: JobStatus
    curves: Mapping[str, Curve]
    comparison: LearnerComparison | None = None
    robustness: Mapping[str, Mapping[str, Curve]] = field(default_factory=dict)
    comparisons_under: Mapping[str, LearnerComparison] = field(default_factory=dict)

    @property
    def state(self) -> JobState:
        """How the job ended, or where it stands."""
        return self.job.state

    @property
    def spent_device_seconds(self) -> float:
        """All that was spent, tuning included, in seconds of one device."""
        return self.job.billed_device_seconds

    def to_dict(self) -> dict[str, Any]:
        """Returns it as one object that JSON can hold; see `tuner.report.to_dict`."""
        return to_dict(self)
