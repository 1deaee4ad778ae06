"""What a search asks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

Direction = Literal["minimize", "maximize"]


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

    def capacity(self, level: float) -> float:
        """Returns how much capacity a declared level has. Raises ValueError for another."""
        if not self.capacities:
            return level
        return self.capacities[self.levels.index(level)]

    def doublings(self, smaller: float, larger: float) -> float:
        """Returns log2 of the larger level's capacity over the smaller one's."""
        return math.log2(self.capacity(larger) / self.capacity(smaller))
