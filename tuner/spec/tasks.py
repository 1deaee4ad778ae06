"""What goes with what is predicted, and what can stand in for what doesn't."""

from __future__ import annotations

from tuner import catalog


def no_learner(task: catalog.Task, name: str) -> str:
    """Says that a learner can't predict such, and which can."""
    able = [n for n, known in catalog.LEARNERS.items() if known.listed and task in known.tasks]
    return f"{name} can't be used where the task is {task}; {', '.join(able)} can"


def no_metric(task: catalog.Task, metric: str) -> str | None:
    """Says why the metric is none of the task's, or None."""
    known = catalog.metric_named(metric)
    if known is None or known.task == task:
        return None
    able = [name for name, other in catalog.METRICS.items() if other.task == task]
    return f"{metric} is no score of a {task}; {', '.join(able)} are"
