"""What people ask in their own words, judged."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import pydantic

from tuner.curve import Direction, Question
from tuner.returns.asked import judge_question
from tuner.spec import Measuring, Tuning
from tuner.spec.problems import spec_error


def make_question(
    capacity: str,
    levels: Sequence[float],
    metric: str,
    mode: str,
    margin: float,
    alpha: float,
    patience: int,
) -> Question:
    """Returns the question.

    Args:
        capacity: The name of what is searched.
        levels: The ladder, rising.
        metric: What it is judged on.
        mode: "min" or "max".
        margin: The least gain per doubling that is worth having, in the metric's units.
        alpha: The share of verdicts that may be wrong.
        patience: Larger levels that must be measured before one can plateau.

    Raises:
        ValueError: One of them is wrong; it says which and what would be right.
    """
    ladder = tuple(int(k) if float(k).is_integer() else float(k) for k in levels)
    if len(ladder) < 2 or not all(0 < k < math.inf for k in ladder):
        raise ValueError(f"levels are {list(levels)}; give at least two finite numbers above 0")
    if any(below >= above for below, above in itertools.pairwise(ladder)):
        raise ValueError(f"levels are {list(levels)}; give each once, from small to large")
    if mode not in ("min", "max"):
        raise ValueError(f"mode is {mode!r}; give 'min' or 'max'")
    direction: Direction = "minimize" if mode == "min" else "maximize"
    judge_question(direction, margin, alpha, patience)
    return Question(
        search=capacity,
        learner="",
        axis=capacity,
        levels=ladder,
        metric=metric,
        direction=direction,
        margin=margin,
        alpha=alpha,
        patience=patience,
    )


def make_effort(
    tuning: Mapping[str, Any], measuring: Mapping[str, Any]
) -> tuple[Tuning, Measuring]:
    """Returns how much is tuned and measured, of the fields that a job spec has for it.

    Raises:
        ValueError: One of them is wrong; it says which and what would be right.
    """
    try:
        return Tuning.model_validate(tuning), Measuring.model_validate(measuring)
    except pydantic.ValidationError as error:
        wrong = [f"{v.field}: {v.problem}" for v in spec_error(error).violations]
        raise ValueError("; ".join(wrong)) from None
