"""What Ray Tune tells of a trial, judged."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from tuner.record import Outcome

ITERATION = "training_iteration"
SECONDS = "time_total_s"


def judged(result: Mapping[str, Any], metric: str) -> tuple[float | None, Outcome, str]:
    """Returns the score in a result, how its trial ended, and why it failed."""
    value = result.get(metric)
    try:
        score = math.nan if value is None or isinstance(value, str) else float(value)
    except (TypeError, ValueError):
        value, score = repr(value), math.nan
    if math.isfinite(score):
        return score, Outcome.COMPLETED, ""
    if value is None or isinstance(value, str):
        return None, Outcome.CRASHED, f"it reported {value or 'nothing'} as its {metric}"
    return None, Outcome.DIVERGED, f"it reported {score} as its {metric}"


def seconds_of(result: Mapping[str, Any]) -> float:
    """Returns how long a trial took, in seconds; NaN where it isn't told."""
    value = result.get(SECONDS)
    return math.nan if value is None else float(value)


def judged_end(
    result: Mapping[str, Any], metric: str, reached: int | None, iterations: int | None
) -> tuple[float | None, Outcome, str]:
    """Returns the score of a trial that didn't raise, how it ended, and why it failed.

    Args:
        result: What it reported last; empty where it reported nothing.
        metric: What it is judged on.
        reached: The last iteration that Tune told of while the trial went on. Tune
            doesn't tell of a result that it ends a trial with, so a last one that was
            told says that the trial ended by itself.
        iterations: The iterations of a whole trial, where they are known.
    """
    if not result:
        return None, Outcome.CRASHED, "it was stopped before it reported anything"
    ended = result.get(ITERATION)
    whole = ended == reached if iterations is None else (ended or 0) >= iterations
    if whole:
        return judged(result, metric)
    why = f"Tune ended it at iteration {ended}, which counts as stopped early"
    if iterations is None:
        why += "; say iterations where that is the whole of a trial"
    return None, Outcome.TIMED_OUT, why
