"""A table that was analysed on its own: one object, Markdown, and a table for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tuner.curve import Curve
from tuner.report import naming
from tuner.report.markdown import section
from tuner.report.objects import comparisons_to_list, curve_to_dict

if TYPE_CHECKING:
    from rich.console import RenderableType

_OF_JOBS = ("key", "learner", "state", "state_reason", "verdict")
"""Keys of a job's search that say nothing of a table."""


def to_dict(curve: Curve) -> dict[str, Any]:
    """Returns the analysis as one flat object that JSON can hold. Its keys are stable.

    The verdict comes first: `outcome`, `level`, `reason`, `not_excluded`, `missing`.
    Bounds that are infinite are None.
    """
    found = curve_to_dict(curve)
    rest = {key: value for key, value in found.items() if key not in _OF_JOBS}
    rest["levels"] = [_level(row) for row in found["levels"]]
    comparisons = comparisons_to_list(curve.comparisons)
    return {**found["verdict"], **rest, "comparisons": comparisons}


def _level(row: dict[str, Any]) -> dict[str, Any]:
    kept = ("level", "score", "low", "high", "replicates", "failed", "margin_supported", "forgone")
    return {**{key: row[key] for key in kept}, "cost": row["cost_device_seconds"]}


def markdown(curve: Curve) -> str:
    """Returns the analysis as a page."""
    bar = f"A doubling of {curve.per or curve.axis} must gain at least {curve.margin:g} "
    bar += f"{curve.metric} to be worth it"
    if curve.worth:
        bar = f"A larger level must gain at least {curve.worth} that it costs more to be worth it"
    lines = [
        f"# How much {curve.axis} is enough",
        "",
        f"{bar}; at most {curve.alpha:.0%} of such verdicts may be wrong.",
        "",
        *section(curve),
    ]
    return "\n".join(lines) + "\n"


def table(curve: Curve) -> RenderableType:
    """Returns the verdict, the levels and the notes, for a rich console."""
    from rich.console import Group
    from rich.padding import Padding
    from rich.text import Text

    from tuner.report import tables

    notes = [Padding(Text(f"note: {note}", style="dim"), (0, 0, 0, 2)) for note in curve.notes]
    return Group(
        Text(naming.plain_verdict(curve), style=tables.style_of(curve)),
        Text(""),
        tables.levels(curve),
        *notes,
    )
