"""What the learners of a job are made to bear beside their clean scores."""

from __future__ import annotations

from tuner.robustness.base import Effort
from tuner.spec import JobSpec
from tuner.trials.work import Bearing


def bearings(spec: JobSpec) -> dict[str, Bearing]:
    """Returns, by search, what its learner is made to bear; nothing of those that bear none."""
    asked = spec.robustness
    effort = Effort(asked.examples, asked.steps, asked.queries)
    found = {}
    for search in spec.all_searches():
        judged = spec.tuned_under(search.key)
        tuned = () if judged is None else (judged,)
        bearing = Bearing(spec.conditions(search.key), tuned, effort, spec.footprint)
        if bearing.measured or bearing.footprint:
            found[search.key] = bearing
    return found
