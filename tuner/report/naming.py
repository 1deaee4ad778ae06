"""How reports write names, numbers and verdicts."""

from __future__ import annotations

import math
from collections.abc import Iterable

from tuner import catalog
from tuner.curve import Curve, CurveLevel, SearchState, VerdictOutcome
from tuner.spec import Dataset, JobSpec

DEVICE_SECONDS = "device-seconds"
"""What a job's cost is counted in; a table's is in whatever its column is."""


def dataset_name(dataset: Dataset) -> str:
    """Returns the data set as it would be written in a spec; uploaded files by their names."""
    if not dataset.files:
        return str(dataset)
    if catalog.SOURCES[dataset.source].path == "file":
        return f"{dataset.source}:{dataset.files[0].name}"
    return f"{dataset.source}:({len(dataset.files)} uploaded files)"


def level(value: float) -> str:
    """Returns a level: a whole number without a point, another as it is."""
    return str(int(value)) if value == int(value) else str(value)


def levels(values: Iterable[float]) -> str:
    """Returns levels in a row, set apart by commas."""
    return ", ".join(map(level, values))


def level_choice(values: Iterable[float]) -> str:
    """Returns levels of which one it is: "4, 8 or 16"; empty for none."""
    *most, last = [*map(level, values)] or [""]
    return f"{', '.join(most)} or {last}" if most else last


def conjoined(names: Iterable[str]) -> str:
    """Returns "a", "a and b", "a, b and c"."""
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last


def number(value: float | None, digits: int = 4, plus: bool = False) -> str:
    """Returns a score or a gain; a dash where there is none, ∞ where it isn't bounded."""
    if value is None or math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    return f"{value:{'+' if plus else ''}z.{digits}f}"  # z: no minus before noughts


def interval(low: float | None, high: float | None, digits: int = 4, plus: bool = False) -> str:
    """Returns bounds in brackets; a dash where neither is known or finite."""
    known = [b for b in (low, high) if b is not None and math.isfinite(b)]
    if not known:
        return "–"
    return f"[{number(low, digits, plus)}, {number(high, digits, plus)}]"


def half_width(low: float | None, high: float | None, digits: int = 4) -> str:
    """Returns how far bounds are from their middle; a dash where they aren't known."""
    return "–" if low is None or high is None else number((high - low) / 2, digits)


def seconds(value: float | None) -> str:
    """Returns device-seconds with three digits that count; hours where there are many."""
    if value is None or not math.isfinite(value):
        return "–"
    if value >= 3600:
        return f"{value / 3600:.2f} h"
    if value >= 100:
        return f"{value:.0f} s"
    return f"{value:.3g} s" if value >= 0.001 or value == 0 else "<1 ms"


def cost(value: float, unit: str) -> str:
    """Returns a cost in words, with its unit; device-hours where there are many seconds."""
    if unit == DEVICE_SECONDS and value >= 3600:
        value, unit = value / 3600, "device-hours"
    return f"{rounded(value)} {unit}"


def cost_unit(curve: Curve) -> str:
    """Returns what a curve's costs are counted in; empty where a table has none."""
    trend = curve.costs.trend
    if trend is not None:
        return trend.unit
    return DEVICE_SECONDS if curve.learner else ""


def bar(spec: JobSpec) -> str:
    """Returns what a job's levels must gain to be worth it, as a sentence without its end."""
    if spec.worth is None:
        return f"A doubling of capacity must gain at least {spec.margin:g} to be worth it"
    return (
        f"A larger level must gain at least {rounded(spec.worth.gain)} for every "
        f"{rounded(spec.worth.device_hours)} device-hours that it costs more to be worth it"
    )


def level_cost(curve: Curve, row: CurveLevel) -> str:
    """Returns what a level costs alone: seconds in a job, a bare number of a table's column."""
    value = row.standalone_device_seconds
    return seconds(value) if cost_unit(curve) == DEVICE_SECONDS else rounded(value)


def rounded(value: float | None, plus: bool = False) -> str:
    """Returns a number with three digits that count, or all before the point; a dash for none."""
    if value is None or not math.isfinite(value):
        return "–"
    return f"{value:{'+' if plus else ''}{',.0f' if abs(value) >= 100 else '.3g'}}"


def times(ratio: float | None) -> str:
    """Returns how many times as much it is: "×1", "×1.4", "×1,234"; a dash where unknown."""
    if ratio is None or not math.isfinite(ratio):
        return "–"
    return f"×{ratio:,.0f}" if ratio >= 9.95 else f"×{ratio:.1f}".removesuffix(".0")


def milliseconds(value: float | None) -> str:
    """Returns a time in milliseconds with two digits that count; a dash for none."""
    if value is None or not math.isfinite(value):
        return "–"
    return f"{value:,.0f}" if value >= 9.95 else f"{value:.2g}"


def size(value: float | None) -> str:
    """Returns a number of bytes, of a thousand to the next unit; a dash for none."""
    if value is None:
        return "–"
    for unit in ("B", "kB", "MB"):
        if value < 999.5:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.3g} {unit}"
        value /= 1000
    return f"{value:,.3g} GB"


def probability(value: float | None) -> str:
    """Returns a chance with two digits and no nought before the point, as journals have it."""
    if value is None:
        return "–"
    if 0 < value < 0.01:
        return "<.01"
    if 0.99 < value < 1:
        return ">.99"
    return f"{value:.2f}".removeprefix("0")


def count(value: int) -> str:
    """Returns a number of parameters with its thousands set apart; a dash for none."""
    return f"{value:,}" if value else "–"


def setting(row: CurveLevel) -> str:
    """Returns the hyperparameters in one line."""
    return ", ".join(
        f"{name}={value:.3g}" if isinstance(value, float) else f"{name}={value}"
        for name, value in row.setting
    )


def title(curve: Curve) -> str:
    """Returns what a search is called, its key apart from what it says by itself."""
    if not curve.learner:  # of a table
        return curve.axis or curve.search
    usual = f"{curve.learner}/{curve.axis}" if curve.axis else curve.learner
    name = f"{curve.learner}, {curve.axis}" if curve.axis else curve.learner
    return name if curve.search == usual else f"{curve.search} ({name})"


def best(curve: Curve) -> CurveLevel | None:
    """Returns the level with the best score, the smaller one of equals; None without scores.

    What breaks a limit is passed over, unless all levels do.
    """
    scored = [row for row in curve.levels if row.score is not None]
    scored = [row for row in scored if not row.barred] or scored
    sign = 1 if curve.direction == "minimize" else -1
    return min(scored, key=lambda row: (sign * (row.score or 0.0), row.level), default=None)


def top(curve: Curve) -> float | None:
    """Returns the largest level that is judged: measured, and within the limits; None for none."""
    judged = [row.level for row in curve.levels if row.score is not None and not row.barred]
    return max(judged, default=None)


def plain_verdict(curve: Curve) -> str:
    """Returns the verdict in a few plain words."""
    verdict, axis = curve.verdict, curve.axis
    if curve.state is SearchState.FAILED:
        return "failed"
    if verdict is None:
        return "measured, no axis" if not axis else "no verdict yet"
    enough = "" if verdict.level is None else f"{axis} {level(verdict.level)} is enough"
    match verdict.outcome:
        case VerdictOutcome.PLATEAUED:
            return enough
        case VerdictOutcome.DECLINING:
            return f"{enough}; more is worse"
        case VerdictOutcome.RISING:
            last = top(curve)
            return "still rising" if last is None else f"still rising at {axis} {level(last)}"
        case VerdictOutcome.INCONCLUSIVE:
            return "can't tell yet" if curve.state is SearchState.RUNNING else "inconclusive"


def sufficient(curve: Curve) -> str:
    """Returns the level that is enough, the ones that may be, or a dash."""
    verdict = curve.verdict
    if verdict is None:
        return "–"
    if verdict.level is not None:
        return level(verdict.level)
    match verdict.not_excluded:
        case ():
            return "–"
        case (only,):
            return f"{level(only)}?"
        case several:
            return f"one of {levels(several)}"
