"""Whether a question makes sense, and what it holds gains against: judged in one place."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace

from tuner.curve import CostUnit, Question
from tuner.returns.columns import DataError


def judge_question(direction: str, margin: float, alpha: float, patience: int = 1) -> None:
    """Raises ValueError where the question makes no sense; it says what would be right."""
    if direction not in ("minimize", "maximize"):
        raise ValueError(f"direction is {direction!r}; give 'minimize' or 'maximize'")
    if not (math.isfinite(margin) and margin >= 0):
        raise ValueError(f"margin is {margin}; give a finite number from 0 up")
    if not 0 < alpha < 0.5:
        raise ValueError(f"alpha is {alpha}; give a number between 0 and .5, such as .05")
    if patience < 1:
        raise ValueError(f"patience is {patience}; give a whole number from 1 up")


def judge_bar(
    margin: float | None, worth: tuple[float, float] | None, cost: str | None
) -> tuple[float, float]:
    """Returns the margin and the price that a table's levels are judged by; one of them is 0.

    Args:
        margin: The least gain per doubling, where that decides.
        worth: A gain and the cost that it is worth, where a price decides.
        cost: What costs are called; None where there are none.

    Raises:
        ValueError: Both or neither is given, or a price makes no sense.
    """
    if worth is None:
        if margin is None:
            raise ValueError("margin is missing; say what a doubling must gain, or give a worth")
        return margin, 0.0
    if margin is not None:
        raise ValueError("worth stands in for the margin per doubling; give one of them")
    gain, spent = worth
    price = gain / spent if spent > 0 else math.nan
    if not (gain > 0 and 0 < price < math.inf):
        raise ValueError(f"worth is {worth}; give a gain and a cost, finite and above 0")
    if cost is None:
        raise ValueError("worth prices what levels cost; say which column that is, too")
    return 0.0, price


def with_price(
    question: Question,
    worth: tuple[float, float] | None,
    unit: str,
    costs: Mapping[float, float],
    measured: Iterable[float],
) -> Question:
    """Returns the question with what its levels cost and how that is told, at a price.

    Raises:
        DataError: A measured level has no cost.
    """
    if worth is None:
        return question
    for level in measured:
        if level not in costs:
            raise DataError(
                unit, f"level {level} has no cost, and a price can't judge it; give it one"
            )
    told = CostUnit(unit, 1.0, worth[1])
    return replace(question, costs=tuple(sorted(costs.items())), cost_unit=told)
