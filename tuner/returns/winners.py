"""Which candidate stands for a level: the one rule that policies and curves share."""

from __future__ import annotations

import math
from collections.abc import Iterable

from tuner.curve import Direction
from tuner.record import Measurement, Outcome, Setting

_UNKNOWN = (math.inf, math.inf, "")


def standings(rows: Iterable[Measurement], metric: str, direction: Direction) -> list[Setting]:
    """Returns the settings tried at a level, the best first.

    Those that were compared on the most tuning splits stand first, for they came
    through a race; among them the mean over the splits decides, and the earlier of
    equals wins; those of one packet are equally early, and their ids decide. A setting
    that failed on any split is out.

    Args:
        rows: The level's tuning rows. Rows that don't tell their packet count as tried
            in the order given, after those that do.
        metric: The metric of their scores.
        direction: Which way it is better.
    """
    sign = 1.0 if direction == "minimize" else -1.0
    tried: dict[Setting, list[Measurement]] = {}
    for row in sorted(rows, key=_place):
        tried.setdefault(row.setting, []).append(row)
    whole = [s for s, some in tried.items() if all(has_score(row, metric) for row in some)]

    def rank(setting: Setting) -> tuple[int, float]:
        scores = [sign * row.scores[metric] for row in tried[setting]]
        return -len(scores), math.fsum(scores) / len(scores)

    return sorted(whole, key=rank)


def has_score(row: Measurement, metric: str) -> bool:
    """Tells whether a row counts as a result: it completed, with a finite score."""
    return row.outcome is Outcome.COMPLETED and math.isfinite(row.scores.get(metric, math.nan))


def _place(row: Measurement) -> tuple[float, float, str]:
    """Returns the step and the place in it that claimed a row, from "search:step:index"."""
    parts = row.packet.rsplit(":", 2)
    if len(parts) == 3 and parts[1].isdigit() and parts[2].isdigit():
        return int(parts[1]), int(parts[2]), row.id
    return _UNKNOWN
