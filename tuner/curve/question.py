"""What a search asks."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

Direction = Literal["minimize", "maximize"]


@dataclass(frozen=True)
class CostUnit:
    """What sentences count costs in.

    Attributes:
        name: Such as "device-hours".
        size: How much of what costs are recorded in makes one of it: 3600.0 seconds.
        quoted: How many of it a price is told for: 40.0 in "0.01 error per 40 device-hours".
    """

    name: str = "device-hours"
    size: float = 3600.0
    quoted: float = 1.0


@dataclass(frozen=True)
class Limits:
    """What a model must not exceed to be chosen; None where there is no such limit.

    Attributes:
        latency_ms: Milliseconds of a prediction of one example.
        batch_latency_ms: Milliseconds of a prediction of 256 examples at once.
        model_mb: Megabytes (of a million bytes) of a saved model.
    """

    latency_ms: float | None = None
    batch_latency_ms: float | None = None
    model_mb: float | None = None


@dataclass(frozen=True)
class Question:
    """What a search asks, declared before anything runs.

    Attributes:
        search: The search's key; of a table, the name of its level.
        learner: The learner; empty for a table.
        axis: The axis; empty where the learner is measured without one.
        levels: The declared ladder, rising; (1,) where there is no axis. Whole
            numbers in a job; a table may have others, such as GFLOPs.
        metric: What it is judged on.
        direction: Which way is better.
        margin: The least gain per doubling that is worth having.
        alpha: The share of verdicts that may be wrong.
        patience: Larger levels that must be measured before one can plateau.
        baseline: Whether it is the job's cheap baseline.
        per: What is doubled, such as "parameters"; empty where it is the level.
        capacities: How much of that each level has, rising; empty where it is the level.
        price: What a device-second must gain, in the metric's units (of a table, one
            of its cost column); 0 where the margin per doubling decides.
        costs: Levels with what each costs alone, in device-seconds (of a table, in the
            unit of its cost column). Only a price asks for them.
        cost_unit: What sentences count costs in.
        limits: What a model must not exceed to be chosen.
        barred: Levels, rising, that break a limit, with how, in words. Not declared, but
            found when models are measured.
    """

    search: str
    learner: str
    axis: str
    levels: tuple[float, ...]
    metric: str
    direction: Direction
    margin: float
    alpha: float = 0.05
    patience: int = 2
    baseline: bool = False
    per: str = ""
    capacities: tuple[float, ...] = ()
    price: float = 0.0
    costs: tuple[tuple[float, float], ...] = ()
    cost_unit: CostUnit = CostUnit()
    limits: Limits = Limits()
    barred: tuple[tuple[float, str], ...] = ()

    def capacity(self, level: float) -> float:
        """Returns how much capacity a declared level has. Raises ValueError for another."""
        if not self.capacities:
            return level
        try:
            return self._capacity_by_level[level]
        except KeyError:
            raise ValueError(f"level {level} is not on the declared ladder {self.levels}") from None

    def doublings(self, smaller: float, larger: float) -> float:
        """Returns log2 of the larger level's capacity over the smaller one's."""
        return math.log2(self.capacity(larger) / self.capacity(smaller))

    def with_costs(self, costs: Iterable[tuple[float, float]]) -> Question:
        """Returns the same question with what levels cost."""
        return replace(self, costs=tuple(costs))

    def with_barred(self, barred: Iterable[tuple[float, str]]) -> Question:
        """Returns the same question with the levels that break a limit."""
        return replace(self, barred=tuple(barred))

    def priced(self, level: float) -> bool:
        """Tells whether the level can be judged: the margin decides, or its cost is known."""
        return not self.price or level in self._cost_by_level

    def cost(self, level: float) -> float:
        """Returns what a level costs alone. Raises ValueError where it isn't known."""
        try:
            return self._cost_by_level[level]
        except KeyError:
            raise ValueError(
                f"level {level} of {self.search!r} has no cost, and a price can't judge it "
                "without; give the costs of all measured levels"
            ) from None

    def toll(self, smaller: float, larger: float) -> float:
        """Returns what the larger level must gain over the smaller one to be worth having.

        The margin for each doubling of capacity; with a price, the price of what the
        larger level costs more, below 0 where it is the cheaper one.

        Raises:
            ValueError: A level isn't declared, or has no cost where there is a price.
        """
        if self.price:
            return self.price * (self.cost(larger) - self.cost(smaller))
        return self.margin * self.doublings(smaller, larger)

    @functools.cached_property
    def _capacity_by_level(self) -> Mapping[float, float]:
        return dict(zip(self.levels, self.capacities, strict=True))

    @functools.cached_property
    def _cost_by_level(self) -> Mapping[float, float]:
        return dict(self.costs)
